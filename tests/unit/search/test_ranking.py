"""Exact search against brute force; ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.search.ranking import search


def descriptors(n, d, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("depth", [0, 1, 7, 300, 301, 9999])
def test_equals_brute_force(depth):
    database, queries = descriptors(300, 37), descriptors(45, 37, seed=1)
    found = search(queries, database, depth)
    exact = queries.astype(np.float64) @ database.T.astype(np.float64)
    k = min(depth or 300, 300)
    assert found.indices.shape == found.scores.shape == (45, k)
    assert found.indices.dtype == np.int64
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores, np.take_along_axis(exact, found.indices, 1), atol=1e-6)
    np.testing.assert_allclose(found.scores, -np.sort(-exact, axis=1)[:, :k], atol=1e-6)


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(1, 25), st.integers(0, 45), st.integers(0, 10**6))
def test_ties_by_the_lowest_id(n, q, depth, seed):
    rng = np.random.default_rng(seed)
    # Small whole numbers: products are exact, and many are equal.
    database = rng.integers(-1, 2, (n, 3)).astype(np.float32)
    queries = rng.integers(-1, 2, (q, 3)).astype(np.float32)
    order = np.argsort(-(queries @ database.T), axis=1, kind="stable")
    found = search(queries, database, depth)
    np.testing.assert_array_equal(found.indices, order[:, : min(depth or n, n)])


@pytest.mark.parametrize("d", [3, 64, 100, 513])
def test_duplicates_tie_wherever_they_stand(d):
    database = descriptors(500, d)
    copies = [3, 77, 250, 499]
    database[copies] = database[3]
    for depth in (0, 2, 3):
        found = search(np.concatenate([database[3:4], descriptors(30, d, seed=2)]), database, depth)
        assert found.indices[0, : depth or 4].tolist() == copies[: depth or 4]


def test_a_query_alone_gets_the_same_answer():
    database, queries = descriptors(400, 100), descriptors(50, 100, seed=1)
    together = search(queries, database)
    for i in (0, 15, 16, 49):
        alone = search(queries[i : i + 1], database)
        np.testing.assert_array_equal(alone.indices[0], together.indices[i])
        np.testing.assert_array_equal(alone.scores[0], together.scores[i])


def test_a_query_of_zeros_gets_the_ids_in_order():
    found = search(np.zeros((1, 8), np.float32), descriptors(50, 8), 5)
    assert found.indices[0].tolist() == [0, 1, 2, 3, 4]


def test_no_queries():
    assert search(np.empty((0, 8), np.float32), descriptors(5, 8)).indices.shape == (0, 5)
