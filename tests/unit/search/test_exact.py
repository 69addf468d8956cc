"""Exact search against a full sort; ties, blocks, shards, devices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.search import candidates, exact, products, top_k


def whole_numbers(n, d, rng, high=3):
    """Vectors whose inner products are exact in float32, with many ties."""
    return rng.integers(-high, high + 1, (n, d)).astype(np.float32)


def descriptors(n, d, seed=0):
    x = np.random.default_rng(seed).normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def by_sorting(queries, database, k=None):
    """Scores in float64 rounded to float32, a stable sort: of equals the lowest index first."""
    scores = (queries.astype(np.float64) @ database.astype(np.float64).T).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


def check(found, queries, database, k=None):
    order, scores = by_sorting(queries, database, k)
    assert found.indices.dtype == np.int64
    assert found.scores.dtype == np.float32
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_array_equal(found.scores, scores)


@settings(max_examples=150)
@given(
    st.integers(0, 2**32),
    st.integers(0, 20),
    st.integers(1, 90),
    st.integers(1, 5),
    st.none() | st.integers(0, 100),
    st.integers(1, 3),
)
def test_equals_a_full_sort_also_among_many_ties(seed, q, n, d, k, high):
    rng = np.random.default_rng(seed)
    queries, database = whole_numbers(q, d, rng, high), whole_numbers(n, d, rng, high)
    check(top_k(queries, database, k), queries, database, k)


@pytest.mark.parametrize("device", ["cpu", "cpu pairs", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("q", [1, 8, 9, 150])
@pytest.mark.parametrize("k", [1, 40, 700, 5000, None])
def test_blocks_threads_and_devices_do_not_show(monkeypatch, device, q, k):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if device == "cpu pairs":
        monkeypatch.setattr(candidates, "Pools", candidates.Pairs)
    monkeypatch.setattr(exact, "_QUERIES", 64)
    monkeypatch.setattr(products, "_PRODUCTS", 6400)
    for module in (exact, products):
        monkeypatch.setattr(module, "ON_DEVICE", 9900)
    queries, database = descriptors(q, 33, 1), descriptors(900, 33)
    database[[3, 250, 777]] = database[400]
    queries[0] = database[400]
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        check(top_k(queries, database, k, device=device.split()[0]), queries, database, k)


@pytest.mark.parametrize("noise", [0, 1e-8, 1e-7, 1e-5])
@pytest.mark.parametrize("q", [3, 20])
@pytest.mark.parametrize("k", [1, 40, 600])
def test_more_near_ties_than_a_pool_holds(noise, q, k):
    rng = np.random.default_rng(0)
    database = descriptors(6, 40)[rng.integers(0, 6, 3000)] + noise * rng.normal(size=(3000, 40))
    database, queries = database.astype(np.float32), descriptors(q, 40, 1)
    queries[-1] = 0
    check(top_k(queries, database, k), queries, database, k)


@pytest.mark.parametrize("kind", ["real", "whole", "near ties"])
@pytest.mark.parametrize("n", [9, 128, 700])
@pytest.mark.parametrize("k", [1, 8, 300])
def test_a_set_searched_in_itself(monkeypatch, kind, n, k):
    monkeypatch.setattr(candidates, "_WITHIN", 64)
    rng = np.random.default_rng(0)
    x = {
        "real": lambda: descriptors(n, 30),
        "whole": lambda: whole_numbers(n, 3, rng),
        "near ties": lambda: descriptors(4, 30)[rng.integers(0, 4, n)] + 1e-8 * rng.normal(size=(n, 30)),
    }[kind]().astype(np.float32)
    x[[2, n // 2, n - 1]] = 0
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        check(top_k(x, x, k), x, x, k)


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_fast_matrix_products_of_torch_do_not_show(precision):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        queries, database = descriptors(40, 64, 1), descriptors(3000, 64)
        check(top_k(queries, database, 25), queries, database, 25)
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("size", [1e-30, 1e-19, 1.0, 1e18])
def test_small_and_large_vectors(size):
    queries, database = descriptors(30, 16, 1) * np.float32(size), descriptors(500, 16) * np.float32(size)
    check(top_k(queries, database, 7), queries, database, 7)


@pytest.mark.parametrize("d", [3, 64, 100, 513])
@pytest.mark.parametrize("q", [1, 31])
def test_duplicates_tie_wherever_they_stand(d, q):
    database = descriptors(500, d)
    copies = [3, 77, 250, 499]
    database[copies] = database[3]
    queries = np.concatenate([database[3:4], descriptors(q - 1, d, seed=2)]) if q > 1 else database[3:4]
    for k in (None, 2, 3):
        found = top_k(queries, database, k)
        assert found.indices[0, : k or 4].tolist() == copies[: k or 4]


@pytest.mark.parametrize("k", [None, 20])
def test_a_query_alone_gets_the_same_answer(k):
    database, queries = descriptors(400, 100), descriptors(50, 100, seed=1)
    together = top_k(queries, database, k)
    for i in (0, 15, 16, 49):
        alone = top_k(queries[i : i + 1], database, k)
        np.testing.assert_array_equal(alone.indices[0], together.indices[i])
        np.testing.assert_array_equal(alone.scores[0], together.scores[i])


@pytest.mark.parametrize("q", [1, 20])
def test_a_query_of_zeros_gets_the_indices_in_order(q):
    found = top_k(np.zeros((q, 8), np.float32), descriptors(50, 8), 5)
    assert found.indices.tolist() == [[0, 1, 2, 3, 4]] * q
    assert not found.scores.any()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("rows", [1, 17, 1 << 20])
@pytest.mark.parametrize("k", [1, 7, 100, None])
@pytest.mark.parametrize("q", [5, 12])
def test_shards_and_ranks(monkeypatch, tmp_path, dtype, rows, k, q):
    monkeypatch.setattr(exact, "CONVERTED", 4 * rows)
    rng = np.random.default_rng(0)
    queries, shards = whole_numbers(q, 4, rng), [whole_numbers(n, 4, rng).astype(dtype) for n in (60, 90, 1, 150)]
    np.save(tmp_path / "shard.npy", shards[1])
    shards[1] = np.load(tmp_path / "shard.npy", mmap_mode="r")
    images = [rng.choice(301, size, replace=False) for size in (0, 1, 5, 300, 3, 2, 1, 0, 0, 4, 9, 7)[:q]]
    found = top_k(queries, shards, k, ranks_of=images)
    everything = np.concatenate(shards)
    check(found, queries, everything, k)
    order, _ = by_sorting(queries, everything)
    for query, ids in enumerate(images):
        assert found.ranks[query].tolist() == [int(np.flatnonzero(order[query] == i)[0]) for i in ids]


def test_ranks_of_real_descriptors():
    queries, database = descriptors(20, 64, 1), descriptors(3000, 64).astype(np.float16)
    queries[0] = 0
    found = top_k(queries, [database[:500], database[500:]], 10, ranks_of=[range(3000)] * 20)
    order, _ = by_sorting(queries, database)
    np.testing.assert_array_equal(np.argsort(found.ranks, axis=1), order)


def test_what_is_not_contiguous():
    queries, database = descriptors(12, 20, 1)[:, ::2], descriptors(200, 20)[::-1, ::2]
    check(top_k(queries, database, 9), queries, database, 9)


def test_no_queries_and_no_database():
    assert top_k(np.empty((0, 8), np.float32), descriptors(5, 8)).indices.shape == (0, 5)
    assert top_k(descriptors(5, 8), np.empty((0, 8), np.float32), 3).indices.shape == (5, 0)
    assert top_k(descriptors(5, 8), [], 3).indices.shape == (5, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": -1}, "k = -1"),
        ({"queries": np.zeros(4, np.float32)}, "database has shape"),
        ({"ranks_of": [[5]]}, "query 0"),
        ({"ranks_of": [[-1]]}, "query 0"),
        ({"ranks_of": [[0], [0]]}, "2 queries"),
        ({"database": [np.zeros((3, 4), np.float32), np.zeros((2, 5), np.float16)]}, "shard 1"),
    ],
)
def test_bad_input_is_refused(changes, message):
    arguments = {
        "queries": np.zeros((1, 4), np.float32),
        "database": np.zeros((5, 4), np.float32),
        "k": 1,
        **changes,
    }
    with pytest.raises(InvalidInput, match=message):
        top_k(**arguments)
