"""Affinity and normalisation against dense loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.graph import affinity, affinity_from_neighbours, neighbours, normalise


def dense_affinity(indices, similarities, gamma, mode):
    """Thesis 2.1-2.2, entry by entry, float64."""
    n = len(indices)
    a = np.zeros((n, n))
    for i in range(n):
        for j, s in zip(indices[i], similarities[i], strict=True):
            if j >= 0 and j != i:
                a[i, j] = max(float(s), 0.0) ** gamma
    return np.minimum(a, a.T) if mode == "reciprocal" else a + a.T


def points(seed, n, d, duplicates=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)).astype(np.float32)
    x[rng.integers(n, size=duplicates)] = x[0]
    return x


cases = (
    st.integers(0, 2**32),
    st.integers(1, 50),
    st.integers(1, 6),
    st.integers(1, 60),
    st.sampled_from(["reciprocal", "union"]),
    st.sampled_from([1, 2, 3, 2.5]),
)


@settings(max_examples=80)
@given(*cases)
def test_affinity_equals_the_definition(seed, n, d, k, mode, gamma):
    x = points(seed, n, d, duplicates=n // 4)
    found = neighbours(x, k)
    w = affinity(x, k, gamma, mode)
    truth = dense_affinity(found.indices, found.similarities, gamma, mode)
    assert isinstance(w, sp.csr_array)
    assert w.dtype == np.float32
    assert w.has_canonical_format
    np.testing.assert_allclose(w.toarray(), truth, rtol=1e-5, atol=1e-30)
    assert (w.data > 0).all()
    assert (w.diagonal() == 0).all()
    assert (w != w.T).nnz == 0


def test_a_list_may_hold_the_point_itself_and_gaps():
    indices, similarities = [[0, 1], [0, -1], [1, 2]], [[1, 0.5], [0.5, 0.9], [0.5, 1]]
    assert affinity_from_neighbours(indices, similarities, gamma=1).toarray().tolist() == [
        [0, 0.5, 0],
        [0.5, 0, 0],
        [0, 0, 0],
    ]
    union = affinity_from_neighbours(indices, similarities, gamma=1, mode="union").toarray()
    assert union.tolist() == [[0, 1, 0], [1, 0, 0.5], [0, 0.5, 0]]


def test_negative_similarities_make_no_edge_whatever_the_exponent():
    for gamma in (1, 2, 3):
        w = affinity(np.array([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.1]]), 2, gamma, "union")
        assert w.nnz == 2
        assert w[0].nnz == 0


def test_permuting_the_points_permutes_the_graph():
    x, order = points(4, 90, 6), np.random.default_rng(1).permutation(90)
    np.testing.assert_allclose(
        affinity(x[order], 8).toarray(), affinity(x, 8).toarray()[np.ix_(order, order)], atol=1e-6
    )


def test_scaling_descriptors_changes_nothing():
    x = points(4, 90, 6)
    factors = 2.0 ** np.random.default_rng(2).integers(-20, 20, size=(90, 1))
    assert (affinity(x * factors, 8) != affinity(x, 8)).nnz == 0


@settings(max_examples=40)
@given(*cases[:5])
def test_normalise(seed, n, d, k, mode):
    w = affinity(points(seed, n, d), k, mode=mode)
    before = w.toarray().astype(np.float64)
    degrees = before.sum(axis=1)
    scale = np.array([0 if degree == 0 else degree**-0.5 for degree in degrees])
    s = normalise(w)
    assert s.dtype == np.float32
    np.testing.assert_allclose(s.toarray(), scale[:, None] * before * scale, rtol=1e-6)
    assert np.array_equal(w.toarray(), before.astype(np.float32))
    assert np.abs(np.linalg.eigvalsh(s.toarray().astype(np.float64))).max() <= 1 + 1e-6
    assert (s != s.T).nnz == 0


def test_normalise_shares_nothing_with_its_argument():
    w = affinity(points(0, 20, 3), 4)
    s = normalise(w)
    assert not any(np.shares_memory(getattr(s, part), getattr(w, part)) for part in ("data", "indices", "indptr"))


@pytest.mark.parametrize(
    "call",
    [
        lambda: affinity(np.ones((3, 2)), gamma=0),
        lambda: affinity(np.ones((3, 2)), mode="both"),
        lambda: affinity_from_neighbours([[1], [2]], [[1.0], [1.0]]),
        lambda: affinity_from_neighbours([[1], [-2]], [[1.0], [1.0]]),
        lambda: affinity_from_neighbours([[1], [0]], [[1.0, 2.0]]),
        lambda: affinity_from_neighbours([[1, 1], [0, -1]], [[1.0, 1.0], [1.0, 0.0]]),
        lambda: affinity_from_neighbours([[1], [0]], [[np.nan], [1.0]]),
        lambda: normalise(np.ones((2, 3))),
        lambda: normalise(np.array([[0.0, -1.0], [-1.0, 0.0]])),
        lambda: normalise(np.array([[0.0, np.inf], [np.inf, 0.0]])),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InvalidInput):
        call()


def test_no_points():
    assert affinity_from_neighbours(np.zeros((0, 3), int), np.zeros((0, 3))).shape == (0, 0)
    assert normalise(np.zeros((0, 0))).shape == (0, 0)
