from __future__ import annotations

import numpy as np
from small_pools import small_pool

from harness.active import Pool
from harness_acquisition.cluster_margin import ClusterMargin, clusters

RNG = np.random.default_rng


def test_a_sample_is_linked_and_the_others_join_the_nearest_mean():
    rng = RNG(0)
    centres = 20 * rng.normal(size=(5, 4))
    features = (centres[np.arange(100) % 5] + 0.1 * rng.normal(size=(100, 4))).astype(np.float32)
    found = clusters(features, 10, 50)
    assert len(set(found)) == 5
    assert all(len(set(found[np.arange(100) % 5 == k])) == 1 for k in range(5))


def test_small_groups_come_first_and_each_gives_one_a_round():
    features = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], [6, 2, 4], axis=0) + RNG(0).normal(size=(12, 2)) * 0.01
    second = 0.5 - np.linspace(0.01, 0.2, 12)  # the margin rises with the position
    pool = Pool(features, np.stack([1 - second, second], axis=1), np.full(12, -1))
    picks = ClusterMargin(mean_size=4).select(pool, 9, RNG(0)).tolist()  # the 11 smallest margins
    assert picks == [6, 8, 0, 7, 9, 1, 10, 2, 3]


def test_within_a_group_chance_may_decide():
    pool, _ = small_pool(5)
    found = {tuple(ClusterMargin(within="random").select(pool, 5, RNG(seed)).tolist()) for seed in range(10)}
    assert len(found) > 1
