from __future__ import annotations

import numpy as np
import pytest
from small_pools import small_pool

from harness.active import Pool
from harness_acquisition.max_herding import MaxHerding
from harness_acquisition.uncertainty_herding import UncertaintyHerding, tempered, uncertainties
from harness_evidence.coverage import KERNELS, margin_weights, slow_herding

RNG = np.random.default_rng


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("h", [1.0, 0.4])
def test_blocks_and_bounds_change_nothing(kernel, h):
    """More examples than a block, in clusters, where most gains are looked at once and then followed for many picks."""
    rng = RNG(1)
    features = rng.normal(size=(300, 6)) * 0.2 + rng.normal(size=(9, 6))[rng.integers(0, 9, 300)]
    pool = Pool(features, rng.dirichlet(np.ones(3), 300), np.where(np.arange(300) < 4, 0, -1))
    budget = 60
    assert MaxHerding(kernel=kernel, bandwidth=h).select(pool, budget, RNG(0)).tolist() == slow_herding(
        pool, budget, kernel, h
    )
    picks = UncertaintyHerding(kernel=kernel, bandwidth=h).select(pool, budget, RNG(0)).tolist()
    assert picks == slow_herding(pool, budget, kernel, h, margin_weights(pool))


def test_the_adaptive_bandwidth_is_the_least_distance_of_two_labels():
    pool, budget = small_pool(3)
    z = pool.features[pool.labelled].astype(np.float64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    r = np.sqrt(((z[:, None] - z[None]) ** 2).sum(axis=2))
    picks = MaxHerding(adaptive=True).select(pool, budget, RNG(0)).tolist()
    assert picks == slow_herding(pool, budget, h=float(r[r > 0].min()))
    alone = Pool(pool.features, pool.probabilities, np.where(np.arange(len(pool.labels)) == 1, 0, -1))
    adaptive, fixed = (MaxHerding(adaptive=one).select(alone, 3, RNG(0)).tolist() for one in (True, False))
    assert adaptive == fixed


def test_candidates_are_drawn_by_the_seed_and_at_least_as_many_as_the_budget():
    pool, _ = small_pool(4)
    for seed in range(5):
        drawn = np.sort(RNG(seed).choice(pool.unlabelled, 6, replace=False))
        assert set(MaxHerding(candidates=6).select(pool, 4, RNG(seed))) <= set(drawn)
    assert len(MaxHerding(candidates=1).select(pool, 5, RNG(0))) == 5


def test_uncertainties_by_hand_and_the_temperature():
    p = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(uncertainties(p, "margin"), [0.8, 0])
    np.testing.assert_allclose(uncertainties(p, "confidence"), [0.5, 0])
    np.testing.assert_allclose(uncertainties(p, "entropy"), [-(p[0] * np.log(p[0])).sum(), 0], atol=1e-12)
    np.testing.assert_allclose(tempered(p, 2.0)[0], np.sqrt(p[0]) / np.sqrt(p[0]).sum())
    assert tempered(p, 2.0)[1].tolist() == [1, 0, 0]


@pytest.mark.parametrize("kind", ["margin", "confidence", "entropy"])
def test_one_class_is_never_uncertain(kind):
    assert uncertainties(np.ones((3, 1)), kind).tolist() == [0, 0, 0]
