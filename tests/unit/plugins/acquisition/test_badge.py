from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness_acquisition import badge
from harness_acquisition.badge import Badge
from harness_evidence.gradients import badge_gradients, slow_badge

RNG = np.random.default_rng


def pool_of(n=200, c=5, d=7, seed=0, features=None):
    rng = RNG(seed)
    if features is None:
        features = rng.normal(size=(n, d)) + 3 * rng.normal(size=(6, d))[rng.integers(0, 6, n)]
    labels = np.where(rng.random(n) < 0.1, 0, -1)
    return Pool(features, rng.dirichlet(np.full(c, 0.5), n), labels)


@pytest.mark.parametrize("pending", [1, 5, 64])
@pytest.mark.parametrize("seed", range(5))
def test_picks_equal_materialised_gradients(monkeypatch, pending, seed):
    monkeypatch.setattr(badge, "_PENDING", pending)
    monkeypatch.setattr(badge, "_ROWS", 50)
    pool = pool_of(seed=seed)
    picks = Badge().select(pool, 40, RNG(seed))
    np.testing.assert_array_equal(picks, slow_badge(pool, 40, RNG(seed), pending))


def test_every_distance_new_is_plain_k_means_plus_plus(monkeypatch):
    """With nothing pending no draw is refused: each is one draw in proportion to the squared distance."""
    monkeypatch.setattr(badge, "_PENDING", 1)
    pool, rng = pool_of(), RNG(4)
    g = badge_gradients(pool)
    picks = [int(np.argmax((g**2).sum(axis=1)))]
    for _ in range(30):
        squares = ((g[:, None] - g[picks][None]) ** 2).sum(axis=2).min(axis=1)
        picks.append(int(np.searchsorted(np.cumsum(squares) / squares.sum(), rng.random(2)[0], side="right")))
    np.testing.assert_array_equal(Badge().select(pool, 31, RNG(4)), pool.unlabelled[picks])


@pytest.mark.parametrize("pending", [1, 64])
def test_the_third_pick_has_the_right_distribution(monkeypatch, pending):
    """Refusals do not change what is drawn: shares of second and third picks against the exact ones."""
    monkeypatch.setattr(badge, "_PENDING", pending)
    pool = pool_of(n=12, c=3, d=2, seed=1)
    g, n, draws = badge_gradients(pool), len(pool.unlabelled), 2000
    first = int(np.argmax((g**2).sum(axis=1)))
    between = ((g[:, None] - g[None]) ** 2).sum(axis=2)
    second = between[first] / between[first].sum()
    after = np.minimum(between[first], between)
    sums = after.sum(axis=1, keepdims=True)
    expected = second @ np.divide(after, sums, out=np.zeros_like(after), where=sums > 0)
    place = {row: i for i, row in enumerate(pool.unlabelled.tolist())}
    counts = np.bincount([place[int(Badge().select(pool, 3, RNG(s))[2])] for s in range(draws)], minlength=n)
    assert counts[expected == 0].sum() == 0
    likely = expected > 0
    chi2 = ((counts - draws * expected)[likely] ** 2 / (draws * expected[likely])).sum()
    assert chi2 < 30  # about 10 degrees of freedom: 0.1% lie beyond 29.6


def test_gradients_all_picked_then_uniform_over_the_rest():
    """Three different gradients: they come first, then the others equally often."""
    rng = RNG(0)
    kinds = rng.integers(0, 3, 60)
    features, p = np.eye(3)[kinds], np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2]])[kinds]
    pool = Pool(features, p, np.full(60, -1))
    counts = np.zeros(60)
    for seed in range(300):
        picks = Badge().select(pool, 20, RNG(seed))
        assert len(np.unique(picks)) == 20
        assert sorted(kinds[picks[:3]]) == [0, 1, 2]
        counts[picks[3:]] += 1
    assert counts.max() < 2 * counts.mean()
    first = int(np.argmax(kinds == 0))  # the longest gradient, q = 0.4 (-1, 1), is always picked
    assert counts[first] == 0
    assert np.delete(counts, first).min() > counts.mean() / 2


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_scale_of_the_features_does_not_matter(scale):
    features = RNG(0).normal(size=(200, 7))
    wanted = Badge().select(pool_of(features=features), 40, RNG(0))
    np.testing.assert_array_equal(Badge().select(pool_of(features=features * scale), 40, RNG(0)), wanted)
