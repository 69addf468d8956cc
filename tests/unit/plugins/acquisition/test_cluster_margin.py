from __future__ import annotations

import numpy as np
from small_pools import SEVERAL, small_pool

from harness.active import Pool
from harness_acquisition.cluster_margin import ClusterMargin, clusters

RNG = np.random.default_rng


def slow_clusters(features, k):
    """Average linkage by the update of distances, pair by pair; clusters as sets."""
    x = features.astype(np.float64)
    members = {i: [i] for i in range(len(x))}
    d = {(i, j): float(np.sqrt(((x[i] - x[j]) ** 2).sum())) for i in range(len(x)) for j in range(i + 1, len(x))}
    while len(members) > k:
        i, j = min(d, key=lambda pair: (d[pair], pair))
        for other in members:
            if other not in (i, j):
                first, second = d.pop((min(i, other), max(i, other))), d.pop((min(j, other), max(j, other)))
                sizes = len(members[i]), len(members[j])
                d[min(i, other), max(i, other)] = (sizes[0] * first + sizes[1] * second) / sum(sizes)
        del d[i, j]
        members[i] += members.pop(j)
    return {frozenset(group) for group in members.values()}


def slow(pool, budget, wide=1.25):
    of = {i: g for g in slow_clusters(pool.features, max(1, len(pool.labels) // 2)) for i in g}
    top = np.sort(pool.probabilities.astype(np.float64), axis=1)
    free = sorted(pool.unlabelled.tolist(), key=lambda i: (top[i, -1] - top[i, -2], i))
    free = free[: max(budget, int(wide * budget))]
    groups = {}
    for i in free:
        groups.setdefault(of[i], []).append(i)
    order, picks = sorted(groups.values(), key=len), []
    while len(picks) < budget:
        for group in order:
            if group and len(picks) < budget:
                picks.append(group.pop(0))
    return picks


@SEVERAL
def test_picks_equal_the_visits_one_by_one(cases):
    """Without duplicates: of equal distances either pair may be linked first."""
    for seed, kind in cases:
        if kind not in ("duplicates", "zeros"):
            pool, budget = small_pool(seed, kind)
            wide = (1.25, 1.0, 10.0)[seed % 3]
            picks = ClusterMargin(wide=wide).select(pool, budget, RNG(0)).tolist()
            assert picks == slow(pool, budget, wide), (seed, kind)


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
