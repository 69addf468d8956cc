from __future__ import annotations

import numpy as np

from harness.active import Pool
from harness_acquisition.variation_ratio import VariationRatio


def test_the_most_divided_votes_come_first_and_ties_by_position():
    votes = np.array([[0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 0], [0, 2, 2, 0]])  # 4 passes of 4 examples

    def dropout(t):
        assert t == 4
        return np.eye(3, dtype=np.float32)[votes]

    pool = Pool(np.zeros((4, 2)), np.full((4, 3), 1 / 3), np.full(4, -1), dropout=dropout)
    assert VariationRatio(t=4).select(pool, 4, np.random.default_rng(0)).tolist() == [1, 2, 0, 3]
