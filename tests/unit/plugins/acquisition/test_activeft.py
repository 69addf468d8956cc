from __future__ import annotations

import numpy as np
from small_pools import SEVERAL, small_pool

from harness.search import unit_rows
from harness_acquisition.activeft import ActiveFT
from harness_evidence.coverage import slow_centres

RNG = np.random.default_rng


def unit(features):
    """In float64 what the method sees in float32: Adam makes a step of any slope above 1e-8."""
    return unit_rows(features).astype(np.float64)


@SEVERAL
def test_centres_and_picks_are_those_of_automatic_gradients(cases):
    for seed, kind in cases:
        if kind == "zeros":
            continue  # a centre of zeros has no direction
        pool, budget = small_pool(seed, kind)
        left = pool.unlabelled
        picks = ActiveFT(steps=8, learning_rate=0.05).select(pool, budget, RNG(seed)).tolist()
        if budget == len(left):
            assert picks == left.tolist()
            continue
        x = unit(pool.features)
        start = x[RNG(seed).choice(left, budget, replace=False)]
        expected = slow_centres(x, start, x[pool.labelled], 8, 0.05)
        found = ActiveFT(steps=8, learning_rate=0.05).descended(x.astype(np.float32), start, x[pool.labelled])
        np.testing.assert_allclose(found, expected, atol=1e-4)
        free = left.tolist()
        for pick, centre in zip(picks, expected / np.linalg.norm(expected, axis=1, keepdims=True), strict=True):
            similar = x[free] @ centre
            assert similar[free.index(pick)] >= similar.max() - 1e-4, (seed, kind)
            free.remove(pick)


def test_300_steps_at_the_released_rate():
    pool, _ = small_pool(1)
    x = unit(pool.features)
    start = x[:3]
    found = ActiveFT().descended(x.astype(np.float32), start, x[pool.labelled])
    np.testing.assert_allclose(found, slow_centres(x, start, x[pool.labelled], 300, 1e-3), atol=1e-3)
    assert not np.allclose(found, start, atol=1e-2)


def test_labelled_examples_push_centres_away():
    rng = RNG(0)
    x = unit(rng.normal(size=(200, 3))).astype(np.float32)
    start = x[:1].astype(np.float64)
    alone = ActiveFT(learning_rate=0.01).descended(x, start, np.empty((0, 3)))
    beside = ActiveFT(learning_rate=0.01).descended(x, start, start)
    assert float(unit(beside)[0] @ start[0]) < float(unit(alone)[0] @ start[0])


def test_an_example_of_zeros_is_never_the_most_similar():
    pool, _ = small_pool(2, "zeros")
    picks = ActiveFT(steps=3).select(pool, 2, RNG(0))
    assert pool.features[picks].any(axis=1).all() or len(set(picks)) == 2
