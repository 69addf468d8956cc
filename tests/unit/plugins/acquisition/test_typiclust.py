from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.search import k_means
from harness_acquisition.typiclust import TypiClust, typicality
from harness_evidence.coverage import slow_typicality, slow_typiclust

RNG = np.random.default_rng


def pool_of(features, labels):
    return Pool(features, np.full((len(features), 3), 1 / 3), labels)


def case(seed, n=250):
    rng = RNG(seed)
    features = rng.normal(size=(n, 6)) + 2 * rng.normal(size=(9, 6))[rng.integers(0, 9, n)]
    return features.astype(np.float32), np.where(rng.random(n) < 0.04, rng.integers(0, 3, n), -1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("clusters", "budget"), [(500, 12), (7, 40), (40, 240), (500, 240)])
def test_picks_equal_the_visits_one_by_one(seed, clusters, budget):
    features, labels = case(seed)
    budget = min(budget, int((labels < 0).sum()))
    k = min(int((labels >= 0).sum()) + budget, clusters)
    _, cluster = k_means(features, k, int(RNG(seed).integers(2**31)), 20)
    picks = TypiClust(clusters=clusters).select(pool_of(features, labels), budget, RNG(seed))
    assert picks.tolist() == slow_typiclust(features, cluster, labels, budget)


@pytest.mark.parametrize("m", [1, 2, 3, 10, 100])
def test_typicality_equals_every_distance(m):
    features = RNG(m).normal(size=(m, 4)).astype(np.float32)
    np.testing.assert_allclose(typicality(features, 20), slow_typicality(features, 20), rtol=1e-12)


def test_duplicates_are_equally_typical_and_the_first_wins():
    features = RNG(0).normal(size=(8, 5)).astype(np.float32)[RNG(1).integers(0, 8, 200)]
    found = typicality(features, 20)
    np.testing.assert_allclose(found, slow_typicality(features, 20), rtol=1e-6)
    for kind in np.unique(features, axis=0):
        assert len(set(found[(features == kind).all(axis=1)])) == 1


def test_groups_without_a_label_come_first_then_the_larger_and_the_small_last():
    sizes, offset = [40, 30, 20, 5], 100 * np.eye(4)
    group = np.repeat(np.arange(4), sizes)
    features = (offset[group] + RNG(0).uniform(-1, 1, (95, 4))).astype(np.float32)
    labels = np.full(95, -1)
    labels[0] = 1  # the largest group has a label
    for seed in range(20):
        _, cluster = k_means(features, 4, int(RNG(seed).integers(2**31)), 20)
        if all(len(set(cluster[group == g])) == 1 for g in range(4)):
            break
    picks = TypiClust(clusters=4).select(pool_of(features, labels), 94, RNG(seed))
    assert group[picks[:5]].tolist() == [1, 2, 0, 1, 2]
    assert group[picks[-5:]].tolist() == [3] * 5


def test_the_released_code_takes_squared_distances():
    features = RNG(3).normal(size=(60, 5)).astype(np.float32)
    distances = np.sort(((features[:, None] - features[None]) ** 2).sum(axis=2), axis=1)[:, 1:11]
    np.testing.assert_allclose(typicality(features, 10, squared=True), 1 / (distances.mean(axis=1) + 1e-5), rtol=1e-5)
    labels = np.full(60, -1)
    picks = [
        TypiClust(clusters=3, preset=preset).select(pool_of(features, labels), 20, RNG(0)).tolist()
        for preset in ("recommended", "released-code")
    ]
    assert picks[0] != picks[1]
