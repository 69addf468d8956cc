"""The largest inner products against a full sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.search import products
from harness.search.products import largest_products


def by_sorting(queries, database, k):
    """Scores in float64, a stable sort: of equals the lowest index first."""
    scores = queries.astype(np.float64) @ database.astype(np.float64).T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), order


@settings(max_examples=150)
@given(
    st.integers(0, 2**32),
    st.integers(0, 9),
    st.integers(1, 90),
    st.integers(1, 5),
    st.integers(0, 100),
    st.integers(1, 3),
)
def test_equal_a_full_sort_also_among_many_ties(seed, q, n, d, k, largest):
    """Small whole numbers: products are exact and most scores are shared by many."""
    rng = np.random.default_rng(seed)
    queries, database = (rng.integers(-largest, largest + 1, (m, d)).astype(np.float32) for m in (q, n))
    scores, indices = largest_products(queries, database, k)
    expected, order = by_sorting(queries, database, k)
    assert scores.dtype == np.float32
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_blocks_and_threads_do_not_show(monkeypatch, threads):
    rng = np.random.default_rng(1)
    queries, database = (rng.integers(-3, 4, (n, 6)).astype(np.float32) for n in (150, 900))
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(products, "_QUERIES", 64)
    monkeypatch.setattr(products, "_COLUMNS", 100)
    monkeypatch.setattr(products, "_ROWS", 7)
    scores, indices = largest_products(queries, database, 40)
    expected, order = by_sorting(queries, database, 40)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(scores, expected)


def test_any_finite_numbers():
    rng = np.random.default_rng(2)
    queries, database = (rng.standard_normal((n, 33)).astype(np.float32) for n in (70, 5000))
    scores, indices = largest_products(queries, database, 25)
    expected, _ = by_sorting(queries, database, 25)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    exact = np.einsum("qd,qkd->qk", queries.astype(np.float64), database[indices].astype(np.float64))
    np.testing.assert_allclose(scores, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("shapes", "k"), [(((2, 3), (4, 5)), 1), (((3,), (4, 3)), 1), (((2, 3), (4, 3)), -1)])
def test_what_does_not_fit_is_refused(shapes, k):
    queries, database = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(InvalidInput):
        largest_products(queries, database, k)
