"""Nearest neighbours against all inner products in float64."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.graph import neighbours, neighbours_of
from harness.search import any_order, unit_rows


def cosines(queries: np.ndarray, database: np.ndarray) -> np.ndarray:
    """All similarities in float64; rows of zeros have 0 to everything."""

    def unit(x):
        x = np.asarray(x, np.float64)
        length = np.linalg.norm(x, axis=1, keepdims=True)
        return x / np.where(length > 0, length, 1)

    return unit(queries) @ unit(database).T


def points(seed: int, n: int, d: int, *, duplicates: int = 0, zeros: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)).astype(np.float32)
    x[rng.integers(n, size=duplicates)] = x[rng.integers(n)]
    x[rng.integers(n, size=zeros)] = 0
    return x


def check_lists(found, truth: np.ndarray, k: int) -> None:
    """Every list has the k best similarities, its own indices' similarities, each index once, best first."""
    count = min(k, int(np.isfinite(truth).sum(axis=1).min()) if truth.size else 0)
    assert found.indices.dtype == np.int64
    assert found.similarities.dtype == np.float32
    assert found.indices.shape == found.similarities.shape == (len(truth), k)
    assert (found.indices[:, count:] == -1).all()
    assert (found.similarities[:, count:] == 0).all()
    kept, values = found.indices[:, :count], found.similarities[:, :count]
    assert all(len(set(row)) == count for row in kept.tolist())
    np.testing.assert_allclose(np.take_along_axis(truth, kept, 1), values, atol=2e-6)
    np.testing.assert_allclose(-np.sort(-truth, axis=1)[:, :count], values, atol=2e-6)
    assert (np.diff(values, axis=1) <= 0).all()


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 8), st.integers(1, 70), st.integers(0, 30))
def test_neighbours_equal_brute_force(seed, n, d, k, duplicates):
    x = points(seed, n, d, duplicates=duplicates, zeros=duplicates // 10)
    truth = cosines(x, x)
    np.fill_diagonal(truth, -np.inf)
    found = neighbours(x, k)
    check_lists(found, truth, k)
    assert not (found.indices == np.arange(n)[:, None]).any()
    assert found.report.recall == 1.0


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.integers(1, 50))
def test_neighbours_of_a_database(seed, q, n, k):
    queries, database = points(seed, q, 5, zeros=1), points(seed + 1, n, 5, duplicates=4)
    check_lists(neighbours_of(queries, database, k), cosines(queries, database), k)


def test_more_duplicates_than_places():
    found = neighbours(np.ones((40, 4), np.float32), 5)
    assert not (found.indices == np.arange(40)[:, None]).any()
    np.testing.assert_allclose(found.similarities, 1, atol=1e-6)


def test_ties_by_lowest_index():
    x = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [1, 0]], np.float32)
    assert neighbours(x, 4).indices.tolist()[0] == [4, 1, 2, 3]


def test_zero_row_has_the_lowest_indices():
    x = np.array([[1, 1], [0, 0], [-1, -1], [2, 1]], np.float32)
    found = neighbours(x, 2)
    assert found.indices[1].tolist() == [0, 2]
    assert found.similarities[1].tolist() == [0, 0]
    assert neighbours_of(x[[1]], x, 2).indices.tolist() == [[0, 1]]


@given(st.integers(-40, 40))
@settings(max_examples=20)
def test_scale_of_rows_changes_nothing(power):
    x = points(3, 50, 6).astype(np.float64)
    scaled = neighbours(x * 2.0**power, 7)
    plain = neighbours(x, 7)
    assert np.array_equal(scaled.indices, plain.indices)
    assert np.array_equal(scaled.similarities, plain.similarities)


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e30, 1e200])
def test_unit_rows_survive_any_scale(size):
    unit = unit_rows(np.array([[3.0, 4.0], [0, 0]]) * size)
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_permuting_the_points_permutes_the_result():
    x = points(5, 80, 6)
    order = np.random.default_rng(0).permutation(80)
    plain, moved = neighbours(x, 9), neighbours(x[order], 9)
    assert np.array_equal(order[moved.indices], plain.indices[order])


@pytest.mark.parametrize("method", ["hnsw", "ivf"])
def test_approximate_search_measures_its_recall_and_repeats(method):
    x = points(1, 2000, 16, duplicates=30)
    truth = neighbours(x, 10).indices
    first, second = neighbours(x, 10, method=method), neighbours(x, 10, method=method)
    assert np.array_equal(first.indices, second.indices)
    assert not (first.indices == np.arange(2000)[:, None]).any()
    hits = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(first.indices.tolist(), truth.tolist(), strict=True)])
    assert first.report.sampled == 1000
    assert first.report.recall == pytest.approx(hits, abs=0.03)
    assert 0.5 < first.report.recall <= 1


@pytest.mark.parametrize("device", ["cpu:0", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_device_of_torch_gives_the_same(device):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x = points(2, 3000, 32, duplicates=20, zeros=3)
    plain, found = neighbours(x, 20), neighbours(x, 20, device=device)
    assert np.array_equal(plain.indices, found.indices)
    assert np.array_equal(plain.similarities, found.similarities)


@pytest.mark.parametrize(
    ("x", "k", "method"),
    [
        (np.zeros(3), 1, "exact"),
        (np.zeros((3, 0)), 1, "exact"),
        (np.array([[1.0], [np.nan]]), 1, "exact"),
        (np.array([[1.0], [np.inf]]), 1, "exact"),
        (np.ones((3, 2)), 0, "exact"),
        (np.ones((3, 2)), 1, "magic"),
    ],
)
def test_bad_input_is_refused(x, k, method):
    with pytest.raises(InvalidInput):
        neighbours(x, k, method=method)


def test_other_dimensions_are_refused():
    with pytest.raises(InvalidInput):
        neighbours_of(np.ones((2, 3)), np.ones((2, 4)), 1)


def test_no_rows():
    assert neighbours(np.zeros((0, 3)), 2).indices.shape == (0, 2)
    assert neighbours_of(np.ones((2, 3)), np.zeros((0, 3)), 2).indices.tolist() == [[-1, -1], [-1, -1]]


def test_importing_the_package_is_cheap():
    heavy = "{'scipy', 'faiss', 'torch', 'numba', 'igraph', 'sklearn'}"
    code = f"import sys, harness.graph; dir(harness.graph); print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_of_equally_near_rows_the_preferred_are_taken():
    """Copies of four rows: the list of a row of nine copies has the first of the others in the preferred order."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(4, 5)).astype(np.float32), 10, axis=0)
    order = any_order(len(rows))
    found = neighbours(rows, 3, preferred=order)
    place = np.argsort(order)
    for row, near in enumerate(found.indices):
        copies = [i for i in range(row // 10 * 10, row // 10 * 10 + 10) if i != row]
        assert near.tolist() == sorted(copies, key=place.__getitem__)[:3]
    assert not np.array_equal(found.indices, neighbours(rows, 3).indices)


def test_without_equals_no_order_changes_anything():
    rows = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    found, plain = neighbours(rows, 60, preferred=any_order(50)), neighbours(rows, 60)
    np.testing.assert_array_equal(found.indices, plain.indices)
    np.testing.assert_array_equal(found.similarities, plain.similarities)
