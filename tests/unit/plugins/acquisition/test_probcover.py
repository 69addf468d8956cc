from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.search import k_means, unit_rows
from harness_acquisition import probcover
from harness_acquisition.probcover import ProbCover, pure_radius
from harness_evidence.coverage import slow_probcover, unit_distances

RNG = np.random.default_rng


def case(seed, n=160, labelled=0.05):
    rng = RNG(seed)
    features = rng.normal(size=(n, 3)) + 2 * rng.normal(size=(5, 3))[rng.integers(0, 5, n)]
    features[:4] = 0
    features[10:20] = features[20:30]
    return Pool(features, np.full((n, 4), 0.25), np.where(rng.random(n) < labelled, 1, -1))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("delta", [1e-3, 0.4, 0.9, 1.05, 2.0])
@pytest.mark.parametrize("labelled", [0, 0.05, 0.5])
@pytest.mark.parametrize("pairs", [0, 10**6])
def test_picks_equal_counting_every_ball_anew(monkeypatch, seed, delta, labelled, pairs):
    """With lists of neighbours and, where they would be too long, without."""
    monkeypatch.setattr(probcover, "_PAIRS", pairs)
    monkeypatch.setattr(probcover, "_ROWS", 37)
    pool = case(seed, labelled=labelled)
    expected = slow_probcover(pool, delta, 60)
    assert ProbCover(delta=delta).select(pool, 60, RNG(0)).tolist() == expected


def test_when_all_is_covered_nothing_is_picked_twice_and_the_farthest_comes_first():
    features = np.array([[1, 0], [0.99, 0.1], [0, 1], [0.7, 0.7], [-1, 0.1]])
    pool = Pool(features, np.full((5, 2), 0.5), [0, -1, -1, -1, -1])
    assert ProbCover(delta=2.0).select(pool, 4, RNG(0)).tolist() == [4, 2, 3, 1]


@pytest.mark.parametrize("purity", [0.6, 0.9, 0.95])
def test_the_radius_is_the_largest_with_enough_pure_balls(purity):
    pool = case(5, n=400)
    unit = unit_rows(pool.features)
    _, cluster = k_means(unit, 4, int(RNG(9).integers(2**31)), 20)
    radius = pure_radius(unit, 4, purity, 20, RNG(9))
    between = unit_distances(pool)

    def share(delta):
        near = between < delta
        return np.mean([len(set(cluster[near[i] | (np.arange(400) == i)])) == 1 for i in range(400)])

    assert share(radius - 1e-4) >= purity  # float32 sets distances 1e-4 apart at worst, near 0
    candidates = np.unique(between)
    assert share(candidates[candidates > radius + 1e-4][1]) < purity


def test_one_class_gives_one_ball_of_everything():
    unit = unit_rows(RNG(0).normal(size=(50, 3)))
    assert pure_radius(unit, 1, 0.95, 20, RNG(0)) == 2


def test_delta_0_is_the_radius_chosen_from_the_features():
    pool = case(6)
    rng = RNG(3)
    delta = pure_radius(unit_rows(pool.features), 4, 0.95, 20, rng)
    assert 0 < delta < 2
    np.testing.assert_array_equal(ProbCover().select(pool, 30, RNG(3)), ProbCover(delta=delta).select(pool, 30, RNG(0)))
