from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.active import Pool
from harness.search import k_means
from harness_acquisition.kmeans import KMeans, nearest_unused
from harness_evidence.coverage import slow_nearest_unused

RNG = np.random.default_rng


def pool_of(features, labels=None):
    labels = np.full(len(features), -1) if labels is None else labels
    return Pool(features, np.full((len(features), 2), 0.5), labels)


@settings(max_examples=100)
@given(st.data())
def test_nearest_unused_equals_brute_force(data):
    n, d = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 3))
    k = data.draw(st.integers(1, n))
    coordinates = st.integers(-3, 3).map(float)
    points = data.draw(arrays.arrays(np.float32, (n, d), elements=coordinates))
    centroids = data.draw(arrays.arrays(np.float32, (k, d), elements=coordinates))
    assert nearest_unused(points, centroids).tolist() == slow_nearest_unused(points, centroids)


def test_nearest_unused_equals_brute_force_on_reals():
    rng = RNG(0)
    points, centroids = rng.normal(size=(2000, 20)).astype(np.float32), rng.normal(size=(200, 20)).astype(np.float32)
    assert nearest_unused(points, centroids).tolist() == slow_nearest_unused(points, centroids)


def test_one_pick_of_each_separate_group_the_one_in_its_middle():
    rng = RNG(1)
    centres = 100 * np.eye(6)
    groups = np.repeat(np.arange(6), 30)
    features = centres[groups] + rng.uniform(-1, 1, (180, 6))
    features[::30] = centres + 1e-3  # near the mean of its group, first of it
    middle = [features[groups == g].mean(axis=0) for g in range(6)]
    expected = {30 * g + int(np.argmin(((features[groups == g] - middle[g]) ** 2).sum(axis=1))) for g in range(6)}
    # k-means may start with two centroids in a group: some seed of a few finds the groups, and then exactly the middle.
    found = [set(KMeans(iterations=30).select(pool_of(features), 6, RNG(seed)).tolist()) for seed in range(20)]
    assert expected in found


def test_picks_are_nearest_to_the_means_of_the_unlabelled():
    rng = RNG(2)
    features = rng.normal(size=(300, 5)).astype(np.float32)
    labels = np.where(np.arange(300) < 100, 1, -1)
    free = np.flatnonzero(labels < 0)
    points = features[free] - np.median(features[free], axis=0)
    centroids, cluster = k_means(features[free], 12, int(RNG(5).integers(2**31)), 200)
    means = np.stack([features[free][cluster == k].mean(axis=0) for k in range(12)])
    np.testing.assert_allclose(means, centroids, atol=1e-4)  # converged
    expected = free[slow_nearest_unused(features[free], means)]
    assert len(points) == 200
    picks = KMeans(iterations=200).select(pool_of(features, labels), 12, RNG(5))
    assert sorted(picks.tolist()) == sorted(expected.tolist())


@pytest.mark.parametrize("different", [1, 3, 7])
@pytest.mark.parametrize("budget", [8, 30, 58, 59, 60])
def test_more_clusters_than_different_examples(different, budget):
    rng = RNG(3)
    features = rng.normal(size=(different, 4))[np.arange(60) % different]
    picks = KMeans().select(pool_of(features), budget, RNG(0))
    assert len(np.unique(picks)) == budget
    if budget == 8:
        assert len(np.unique(features[picks], axis=0)) == different  # none of them is forgotten
