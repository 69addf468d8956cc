from __future__ import annotations

import numpy as np

from harness.active import Pool
from harness_acquisition.falcun import Falcun

RNG = np.random.default_rng


def test_the_same_prediction_is_hardly_drawn_twice():
    """Two kinds of equally uncertain predictions: the second pick is of the other kind."""
    p = np.repeat([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], 20, axis=0)
    pool = Pool(np.zeros((40, 2)), p, np.full(40, -1))
    for seed in range(10):
        first, second = Falcun().select(pool, 2, RNG(seed))
        assert (first < 20) != (second < 20)
