from __future__ import annotations

import numpy as np
from small_pools import SEVERAL, small_pool

from harness.active import Pool
from harness_acquisition.falcun import Falcun

RNG = np.random.default_rng


def slow(pool, budget, gamma, rng):
    """Draw by draw, example by example."""
    p = pool.probabilities[pool.unlabelled].astype(np.float64)
    top = np.sort(p, axis=1)
    u = [1 - row[-1] + row[-2] for row in top]
    d, taken = list(u), []
    for number in range(budget):
        if number:
            d = [min(d[i], np.abs(p[i] - p[taken[-1]]).sum()) for i in range(len(p))]
            least, most = min(d), max(d)
            d = [(one - least) / (most - least) if most > least else 0.0 for one in d]
        chances = [0.0 if i in taken else (u[i] + d[i]) ** gamma for i in range(len(p))]
        if sum(chances) == 0:
            chances = [0.0 if i in taken else 1.0 for i in range(len(p))]
        place = rng.random() * sum(chances)
        taken.append(next(i for i in range(len(p)) if place < sum(chances[: i + 1])))
    return pool.unlabelled[taken].tolist()


@SEVERAL
def test_draws_equal_those_made_one_by_one(cases):
    for seed, kind in cases:
        pool, budget = small_pool(seed, kind)
        gamma = (10.0, 1.0, 0.0)[seed % 3]
        picks = Falcun(gamma=gamma).select(pool, budget, RNG(seed)).tolist()
        assert picks == slow(pool, budget, gamma, RNG(seed)), (seed, kind)


def test_the_same_prediction_is_hardly_drawn_twice():
    """Two kinds of equally uncertain predictions: the second pick is of the other kind."""
    p = np.repeat([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], 20, axis=0)
    pool = Pool(np.zeros((40, 2)), p, np.full(40, -1))
    for seed in range(10):
        first, second = Falcun().select(pool, 2, RNG(seed))
        assert (first < 20) != (second < 20)
