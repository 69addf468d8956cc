from __future__ import annotations

import numpy as np
import pytest
from small_pools import SEVERAL, small_pool

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness.plugin_api import LinearHead
from harness.search import k_means
from harness_acquisition.dropquery import DropQuery

RNG = np.random.default_rng


def slow(pool, budget, rng, released):
    """Example by example in float64, but for k-means itself."""
    head, z = pool.head, pool.features[pool.unlabelled]
    answer = lambda row: int((head.weight.astype(np.float64) @ row + head.bias).argmax())  # noqa: E731
    masks = [rng.random(z.shape, dtype=np.float32) >= 0.75 for _ in range(3)]
    mismatch = np.array(
        [sum(answer(z[i] * mask[i] * 4.0) != answer(z[i].astype(float)) for mask in masks) for i in range(len(z))]
    )
    threshold = 1
    while released and threshold > 0 and (mismatch > threshold).sum() < 25 * budget:
        threshold -= 1
    candidates = [i for i in range(len(z)) if mismatch[i] > threshold]
    if len(candidates) <= budget:
        others = rng.permutation([i for i in range(len(z)) if i not in candidates]).astype(int).tolist()
        return pool.unlabelled[(candidates + others)[:budget]].tolist()
    x = z[candidates].astype(np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    x = (x / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    centres, _ = k_means(x, budget, int(rng.integers(2**31)), 100)
    free, picks = list(range(len(x))), []
    for centre in centres.astype(np.float64):
        squares = [float(((x[i].astype(np.float64) - centre) ** 2).sum()) for i in free]
        picks.append(candidates[free.pop(int(np.argmin(squares)))])
    return pool.unlabelled[picks].tolist()


@SEVERAL
def test_picks_equal_those_found_one_by_one(cases):
    for seed, kind in cases:
        pool, budget = small_pool(seed, kind)
        preset = ("recommended", "released-code")[seed % 2]
        budget = min(budget, 1 + seed % 5)
        picks = DropQuery(preset=preset).select(pool, budget, RNG(seed)).tolist()
        assert picks == slow(pool, budget, RNG(seed), preset == "released-code"), (seed, kind)


def test_candidates_are_those_that_lost_features_change():
    """One feature decides the class of the first half; the other half has all features alike."""
    features = np.zeros((40, 40), np.float32)
    features[:20, 0] = 0.01
    features[20:] = 5
    head = LinearHead(np.array([[0.0] * 40, [1.0] * 40], np.float32), np.array([0.005, 0], np.float32))
    pool = Pool(features, np.full((40, 2), 0.5), np.full(40, -1), head=lambda: head)
    assert (DropQuery().select(pool, 5, RNG(0)) < 20).all()


def test_without_a_linear_last_layer_it_says_so():
    with pytest.raises(InvalidInput, match="no linear last layer"):
        DropQuery().select(Pool(np.zeros((3, 2)), np.full((3, 2), 0.5), np.full(3, -1)), 1, RNG(0))
