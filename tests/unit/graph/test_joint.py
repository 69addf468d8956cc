"""jLP against one dense solve after every pick."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.graph import affinity, joint_selection, normalise, solve


def graph(seed, n, *, k=6, duplicates=0, isolated=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((max(1, n // 25), 5))[rng.integers(max(1, n // 25), size=n)]
    x = x + 0.5 * rng.standard_normal((n, 5))
    x[rng.integers(n, size=duplicates)] = x[0]
    x[rng.integers(n, size=isolated)] = 0
    return normalise(affinity(x, k).astype(np.float64))


def reference(s, labelled, candidates, budget, alpha=0.99):
    """(3.12) anew after each pick, from the dense inverse; equal scores (to 1e-9) go to the lowest index."""
    inverse = (1 - alpha) * np.linalg.inv(np.eye(s.shape[0]) - alpha * s.toarray())
    known, pool, picks, scores = list(labelled), sorted(candidates), [], []
    for _ in range(budget):
        # A dense inverse leaves rounding where nothing reaches; the exact score there is 0.
        u = inverse[:, known].sum(axis=1)
        u[~reachable(s, known)] = 0
        best = min(u[i] for i in pool)
        pick = next(i for i in pool if u[i] <= best * (1 + 1e-9))
        picks.append(pick)
        scores.append(u[pick])
        known.append(pick)
        pool.remove(pick)
    return picks, scores


def reachable(s, known):
    _, component = sp.csgraph.connected_components(s)
    return np.isin(component, component[known])


@settings(max_examples=25)
@given(
    st.integers(0, 2**32),
    st.integers(12, 120),
    st.integers(0, 20),
    st.integers(0, 10),
    st.integers(1, 20),
    st.sampled_from([1, 3, 64]),
)
def test_picks_equal_one_dense_solve_a_pick(seed, n, duplicates, isolated, labels, block):
    s = graph(seed, n, duplicates=duplicates, isolated=isolated)
    order = np.random.default_rng(seed).permutation(n)
    labelled, candidates = order[: min(labels, n // 2)], order[n // 2 :]
    budget = min(25, len(candidates))
    picks, scores = joint_selection(s, labelled, candidates, budget, block=block)
    expected, values = reference(s, labelled, candidates, budget)
    assert picks.dtype == np.int64
    assert picks.tolist() == expected
    np.testing.assert_allclose(scores, values, rtol=1e-6, atol=1e-12)


def test_picks_equal_one_solve_a_pick_on_2000_nodes():
    s = graph(3, 2000, k=12, isolated=10)
    labelled, candidates = np.arange(0, 2000, 100), np.setdiff1d(np.arange(2000), np.arange(0, 2000, 100))
    picks, _ = joint_selection(s, labelled, candidates, 40)
    known = np.zeros(2000)
    known[labelled] = 1
    for pick in picks:
        u = solve(s, known, tol=1e-12)[0]
        pool = np.flatnonzero((known == 0) & np.isin(np.arange(2000), candidates))
        assert pick == pool[np.argmax(u[pool] <= u[pool].min() * (1 + 1e-9))]
        known[pick] = 1


def test_every_unreached_component_is_seeded_first():
    part = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], float)
    s = normalise(sp.block_diag([part, part, np.zeros((2, 2)), part], format="csr"))
    picks, scores = joint_selection(s, [0], np.arange(1, 11), 10)
    assert picks[:4].tolist() == [3, 6, 7, 8]
    assert scores[:4].tolist() == [0, 0, 0, 0]
    assert (scores[4:] > 0).all()
    assert sorted(picks.tolist()) == list(range(1, 11))


def test_order_of_the_arguments_does_not_matter():
    s = graph(5, 100)
    labelled, candidates = np.arange(5), np.arange(5, 100)
    first = joint_selection(s, labelled, candidates, 30)
    second = joint_selection(s, labelled[::-1], candidates[::-1], 30)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_nothing_asked():
    picks, scores = joint_selection(graph(1, 30), [0], np.arange(1, 30), 0)
    assert (len(picks), len(scores), picks.dtype, scores.dtype) == (0, 0, np.int64, np.float64)


@pytest.mark.parametrize(
    ("labelled", "candidates", "budget", "block"),
    [
        ([], [1, 2], 1, 64),
        ([0], [0, 1], 1, 64),
        ([0], [1, 1], 1, 64),
        ([0], [1, 30], 1, 64),
        ([-1], [1], 1, 64),
        ([0], [1, 2], 3, 64),
        ([0], [1, 2], -1, 64),
        ([0], [1, 2], 1, 0),
    ],
)
def test_bad_input_is_refused(labelled, candidates, budget, block):
    with pytest.raises(InvalidInput):
        joint_selection(graph(1, 30), labelled, candidates, budget, block=block)


def test_a_negative_weight_is_refused():
    with pytest.raises(InvalidInput, match="negative"):
        joint_selection(-graph(1, 30), [0], [1], 1)
