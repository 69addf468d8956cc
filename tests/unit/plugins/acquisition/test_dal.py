from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from harness.active import Pool
from harness_acquisition.dal import DiscriminativeActiveLearning as Dal
from harness_acquisition.dal import standardised

RNG = np.random.default_rng


def case(seed, n=150, d=4, labelled=12):
    rng = RNG(seed)
    features = rng.normal(size=(n, d)) * [1, 5, 0.2, 1] + 3
    labels = np.full(n, -1)
    labels[np.argsort(features[:, 0] + rng.normal(size=n))[:labelled]] = 1
    return Pool(features, np.full((n, 2), 0.5), labels)


def weights_by_descent(x, y, c):
    """Logistic regression, both sides weighing the same, by a solver that is told the loss and nothing else."""
    share = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))

    def loss(w):
        margins = (x @ w[1:] + w[0]) * np.where(y, 1, -1)
        return 0.5 * (w[1:] ** 2).sum() + c * (share * np.logaddexp(0, -margins)).sum()

    return minimize(loss, np.zeros(x.shape[1] + 1), method="BFGS", options={"gtol": 1e-7, "maxiter": 5000}).x


def brute_force(pool, budget, rounds, ratio, c, rng):
    x = pool.features.astype(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    labelled, free = pool.labelled.tolist(), pool.unlabelled.tolist()
    sizes = [len(part) for part in np.array_split(range(budget), min(rounds, budget))]
    for size in sizes:
        sample = rng.choice(free, min(len(free), ratio * len(labelled)), replace=False).tolist()
        rows = labelled + sample
        w = weights_by_descent(x[rows], np.arange(len(rows)) >= len(labelled), c)
        picks = sorted(free, key=lambda i: (-(x[i] @ w[1:]), i))[:size]
        labelled += picks
        free = [i for i in free if i not in picks]
    return labelled[len(pool.labelled) :]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rounds", "ratio", "c"), [(1, 10, 1.0), (4, 3, 1.0), (10, 10, 0.1)])
def test_picks_equal_a_plain_solver(seed, rounds, ratio, c):
    pool = case(seed)
    picks = Dal(rounds=rounds, ratio=ratio, c=c).select(pool, 15, RNG(seed))
    assert picks.tolist() == brute_force(pool, 15, rounds, ratio, c, RNG(seed))


@pytest.mark.parametrize("hidden", [0, 16])
def test_what_lies_beside_the_labelled_examples_comes_last(hidden):
    rng = RNG(0)
    near = np.arange(200) < 100
    features = rng.normal(size=(200, 3)) + np.where(near, 0, 8)[:, None]
    labels = np.where(np.arange(200) < 20, 1, -1)
    pool = Pool(features, np.full((200, 2), 0.5), labels)
    # One round: later ones know that the other side is labelled too.
    picks = Dal(rounds=1, hidden=hidden).select(pool, 100, RNG(0))
    assert near[picks].sum() <= 5
    later = Dal(rounds=10, hidden=hidden).select(pool, 100, RNG(0))
    assert near[later].sum() > 5


def test_a_hidden_layer_finds_what_no_plane_separates():
    rng = RNG(1)
    features = rng.normal(size=(600, 2))
    outside = np.linalg.norm(features, axis=1) > 1.2
    labels = np.full(600, -1)
    labels[np.flatnonzero(~outside)[:150]] = 1
    pool = Pool(features, np.full((600, 2), 0.5), labels)
    shares = {h: outside[Dal(rounds=1, hidden=h).select(pool, 100, RNG(0))].mean() for h in (0, 64)}
    assert shares[64] > 0.95
    assert shares[64] >= shares[0]


def test_standardised_by_hand_and_a_constant_column_is_zero():
    x = np.array([[1.0, 7.3, -2.0], [3.0, 7.3, 2.0]], dtype=np.float32)
    np.testing.assert_array_equal(standardised(x), [[-1, 0, -1], [1, 0, 1]])
