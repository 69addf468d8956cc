"""Centralities against dense linear algebra and all shortest paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.graph import affinity, centrality

KINDS = ("degree", "eigenvector", "pagerank", "katz", "betweenness", "closeness")


def points(seed, n, isolated=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4))
    x[rng.integers(n, size=n // 8)] = x[0]
    x[rng.integers(n, size=isolated)] = 0
    return x


def unscaled(w):
    degrees = w.sum(axis=1)
    root = np.array([0 if degree == 0 else degree**-0.5 for degree in degrees])
    return root[:, None] * w * root


graphs = (st.integers(0, 2**32), st.integers(1, 80), st.integers(1, 20), st.integers(0, 10))


@settings(max_examples=40)
@given(*graphs)
def test_katz_and_degree(seed, n, k, isolated):
    w = affinity(points(seed, n, isolated), k).astype(np.float64)
    u = centrality(w, "katz", tol=1e-12)
    truth = np.linalg.solve(np.eye(n) - 0.99 * unscaled(w.toarray()), np.full(n, 0.01))
    np.testing.assert_allclose(u, truth, rtol=1e-8)
    alone = w.toarray().sum(axis=1) == 0
    np.testing.assert_allclose(u[alone], 0.01)
    np.testing.assert_allclose(centrality(w, "degree"), w.toarray().sum(axis=1))


def test_katz_to_1e_8_on_2000_nodes():
    w = affinity(points(1, 2000, 30), 10).astype(np.float64)
    truth = np.linalg.solve(np.eye(2000) - 0.99 * unscaled(w.toarray()), np.full(2000, 0.01))
    u = centrality(w, "katz", tol=1e-11)
    np.testing.assert_allclose(u, truth, rtol=1e-8)


@settings(max_examples=40)
@given(*graphs)
def test_pagerank_is_the_stationary_distribution(seed, n, k, isolated):
    w = affinity(points(seed, n, isolated), k, mode="union").astype(np.float64)
    p = centrality(w, "pagerank", alpha=0.9, tol=1e-13)
    dense = w.toarray()
    degrees = dense.sum(axis=1, keepdims=True)
    walk = np.where(degrees > 0, dense / np.where(degrees > 0, degrees, 1), 1 / n)
    assert p.sum() == pytest.approx(1)
    np.testing.assert_allclose(p @ (0.9 * walk + 0.1 / n), p, atol=1e-10)


@settings(max_examples=40)
@given(*graphs)
def test_eigenvector_belongs_to_the_largest_eigenvalue(seed, n, k, isolated):
    w = affinity(points(seed, n, isolated), k).astype(np.float64)
    u = centrality(w, "eigenvector")
    assert (u >= 0).all()
    if not w.nnz:
        assert (u == 0).all()
        return
    assert np.linalg.norm(u) == pytest.approx(1)
    largest = np.linalg.eigvalsh(w.toarray())[-1]
    np.testing.assert_allclose(w @ u, largest * u, atol=1e-8)
    count, component = sp.csgraph.connected_components(w)
    assert len(set(component[u > 1e-12])) == 1


def test_eigenvector_of_a_large_component_and_of_equals():
    w = affinity(points(2, 400), 12).astype(np.float64)
    values, vectors = np.linalg.eigh(w.toarray())
    np.testing.assert_allclose(centrality(w, "eigenvector"), np.abs(vectors[:, -1]), atol=1e-8)
    pair = np.array([[0, 1.0], [1, 0]])
    twice = sp.block_diag([pair, pair], format="csr")
    np.testing.assert_allclose(centrality(twice, "eigenvector"), [0.5**0.5, 0.5**0.5, 0, 0])


def shortest_paths(w, x):
    """Betweenness and closeness by Floyd and Warshall with counts of paths, on generic (tie-free) costs."""
    n = len(x)
    cost = np.full((n, n), np.inf)
    np.fill_diagonal(cost, 0)
    for i, j in zip(*np.nonzero(w), strict=True):
        cost[i, j] = np.linalg.norm(x[i] - x[j])
    through = {}
    for m, i, j in itertools.product(range(n), repeat=3):
        if cost[i, m] + cost[m, j] < cost[i, j]:
            cost[i, j], through[i, j] = cost[i, m] + cost[m, j], m

    def inner(i, j):
        m = through.get((i, j))
        return [] if m is None else [*inner(i, m), m, *inner(m, j)]

    between = np.zeros(n)
    for i, j in itertools.combinations(range(n), 2):
        for m in inner(i, j):
            between[m] += 1
    reach = np.isfinite(cost) & ~np.eye(n, dtype=bool)
    close = [reach[i].sum() / cost[i, reach[i]].sum() if reach[i].any() else 0 for i in range(n)]
    return between, np.array(close)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(1, 18), st.integers(1, 5))
def test_paths(seed, n, k):
    x = np.random.default_rng(seed).standard_normal((n, 4))
    w = affinity(x, k)
    between, close = shortest_paths(w.toarray(), x)
    np.testing.assert_allclose(centrality(w, "betweenness", descriptors=x), between, atol=1e-9)
    np.testing.assert_allclose(centrality(w, "closeness", descriptors=x), close, rtol=1e-9)
    rows, columns = np.nonzero(w.toarray())
    costs = sp.csr_array((np.linalg.norm(x[rows] - x[columns], axis=1), (rows, columns)), shape=(n, n))
    np.testing.assert_allclose(centrality(w, "closeness", costs=costs), close, rtol=1e-9)


def test_closeness_of_a_line_and_an_isolated_point():
    w = np.zeros((4, 4))
    w[0, 1] = w[1, 0] = w[1, 2] = w[2, 1] = 0.5
    x = np.array([[0.0], [1], [3], [9]])
    np.testing.assert_allclose(centrality(w, "closeness", descriptors=x), [2 / 4, 2 / 3, 2 / 5, 0])
    np.testing.assert_allclose(centrality(w, "betweenness", descriptors=x), [0, 1, 0, 0])


def test_duplicates_have_no_distance_but_are_allowed():
    x = np.array([[1.0, 0], [1, 0], [1, 0.5]])
    values = centrality(affinity(x, 2), "closeness", descriptors=x)
    np.testing.assert_allclose(values, [4, 4, 2], rtol=1e-6)
    assert (centrality(affinity(np.ones((3, 2)), 2), "betweenness", descriptors=np.ones((3, 2))) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_permuting_the_nodes_permutes_the_result(kind):
    x, order = points(3, 60), np.random.default_rng(0).permutation(60)
    x += 1e-3 * np.random.default_rng(1).standard_normal(x.shape)
    w = affinity(x, 6).astype(np.float64)
    costs = {"descriptors": x} if kind in KINDS[4:] else {}
    moved = {name: value[order] for name, value in costs.items()}
    permuted = centrality(w[order][:, order], kind, **moved)
    np.testing.assert_allclose(permuted, centrality(w, kind, **costs)[order], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_no_edges(kind, n):
    costs = {"descriptors": np.zeros((n, 2))} if kind in KINDS[4:] else {}
    values = centrality(np.zeros((n, n)), kind, **costs)
    expected = {"pagerank": 1 / max(n, 1), "katz": 0.01}.get(kind, 0)
    np.testing.assert_allclose(values, np.full(n, expected))


@pytest.mark.parametrize(
    "call",
    [
        lambda w: centrality(w, "fame"),
        lambda w: centrality(w, "betweenness"),
        lambda w: centrality(w, "closeness", descriptors=np.ones((3, 1))),
        lambda w: centrality(w, "closeness", costs=np.ones((3, 3))),
        lambda w: centrality(w, "closeness", costs=sp.csr_array(-w)),
        lambda w: centrality(-w, "degree"),
        lambda w: centrality(np.triu(w), "degree"),
        lambda w: centrality(w, "katz", alpha=1.0),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(InvalidInput):
        call(np.ones((4, 4)) - np.eye(4))
