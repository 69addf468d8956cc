from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness_acquisition.power_bald import PowerBald

RNG = np.random.default_rng


def test_scores_of_0_come_last_by_position_even_where_rounding_made_them_negative():
    certain = np.repeat([[1.0, 0.0]], 6, axis=0)
    certain[4] = [0.5, 0.5]

    def dropout(t):
        passes = np.repeat(np.full((1, 6, 2), [0.3, 0.7], np.float32), t, axis=0)  # agree, but for one example
        passes[::2, 2] = [0.7, 0.3]
        return passes

    pool = Pool(np.zeros((6, 2)), certain, np.full(6, -1), dropout=dropout)
    for seed in range(10):
        assert PowerBald().select(pool, 6, RNG(seed)).tolist() == [2, 0, 1, 3, 4, 5]
        assert PowerBald(score="margin").select(pool, 6, RNG(seed)).tolist() == [4, 0, 1, 2, 3, 5]


def test_draws_are_in_proportion_to_the_score():
    p = np.array([[0.5, 0.5], [0.75, 0.25], [0.9, 0.1]])  # 1 - margin: 1, 0.5, 0.2
    pool, counts = Pool(np.zeros((3, 2)), p, np.full(3, -1)), np.zeros(3)
    for seed in range(3000):
        counts[PowerBald(score="margin").select(pool, 1, RNG(seed))[0]] += 1
    np.testing.assert_allclose(counts / 3000, np.array([1, 0.5, 0.2]) / 1.7, atol=0.05)


@pytest.mark.parametrize(("score", "needs"), [("bald", True), ("entropy", False)])
def test_only_bald_needs_dropout(score, needs):
    assert PowerBald(score=score).needs_dropout is needs
