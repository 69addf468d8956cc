from __future__ import annotations

import numpy as np
from small_pools import SEVERAL, small_pool

from harness.active import Pool
from harness_acquisition.falcun import Falcun
from harness_evidence.mixtures import slow_falcun

RNG = np.random.default_rng


@SEVERAL
def test_draws_equal_those_made_one_by_one(cases):
    for seed, kind in cases:
        pool, budget = small_pool(seed, kind)
        gamma = (10.0, 1.0, 0.0)[seed % 3]
        picks = Falcun(gamma=gamma).select(pool, budget, RNG(seed)).tolist()
        assert picks == slow_falcun(pool, budget, gamma, RNG(seed)), (seed, kind)


def test_the_same_prediction_is_hardly_drawn_twice():
    """Two kinds of equally uncertain predictions: the second pick is of the other kind."""
    p = np.repeat([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], 20, axis=0)
    pool = Pool(np.zeros((40, 2)), p, np.full(40, -1))
    for seed in range(10):
        first, second = Falcun().select(pool, 2, RNG(seed))
        assert (first < 20) != (second < 20)
