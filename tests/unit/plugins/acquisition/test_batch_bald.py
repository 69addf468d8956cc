from __future__ import annotations

import numpy as np
import pytest
from small_pools import small_pool

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness_acquisition.batch_bald import BatchBald
from harness_evidence.uncertainty import batch_information

RNG = np.random.default_rng


def test_a_duplicate_of_a_pick_tells_little():
    """Two examples that tell the first two passes from the others, and one that tells, less surely, even from odd."""
    surely, less = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.8, 0.2], [0.2, 0.8]])
    passes = np.stack([surely[[0, 0, 1, 1]], surely[[0, 0, 1, 1]], less[[0, 1, 0, 1]]], axis=1)

    def dropout(t):
        return passes.astype(np.float32)

    pool = Pool(np.zeros((3, 2)), np.full((3, 2), 0.5), np.full(3, -1), dropout=dropout)
    assert BatchBald(t=4).select(pool, 2, RNG(0)).tolist() == [0, 2]


def test_drawn_configurations_score_as_all_of_them_do():
    """Where the exact gap between the best and the next is wide the draw finds the same picks."""
    rng = RNG(3)
    p = rng.dirichlet(np.full(3, 0.5), (6, 12)).astype(np.float32)
    pool = Pool(np.zeros((12, 2)), np.full((12, 3), 1 / 3), np.full(12, -1), dropout=lambda t: p)
    exact = BatchBald(t=6).select(pool, 4, RNG(0)).tolist()
    drawn = BatchBald(t=6, samples=8, samples_after=3000).select(pool, 4, RNG(0)).tolist()
    assert len(set(drawn)) == 4
    many = [batch_information(p.astype(np.float64), picks) for picks in (exact, drawn)]
    assert many[1] > 0.8 * many[0]


def test_beyond_what_can_be_counted_it_refuses_if_told():
    pool, _ = small_pool(0)
    with pytest.raises(InvalidInput, match="more than 30 configurations"):
        BatchBald(t=5, samples=30, samples_after=0).select(pool, 6, RNG(0))
    assert len(BatchBald(t=5, samples=30).select(pool, 6, RNG(0))) == 6


def test_it_asks_for_passes_that_drop_the_same_for_all():
    asked = []

    def shared(t):
        asked.append(t)
        return np.full((t, 4, 2), 0.5, np.float32)

    pool = Pool(np.zeros((4, 2)), np.full((4, 2), 0.5), np.full(4, -1), shared_dropout=shared)
    BatchBald(t=7).select(pool, 2, RNG(0))
    assert asked == [7]
