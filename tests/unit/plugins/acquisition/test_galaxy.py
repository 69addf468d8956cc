from __future__ import annotations

import numpy as np
import pytest
from small_pools import CASES, small_pool

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness_acquisition.galaxy import Galaxy
from harness_evidence.graphs import slow_galaxy

RNG = np.random.default_rng


def test_picks_equal_those_found_node_by_node():
    for seed, kind in CASES:
        if kind == "no label":
            continue
        pool, budget = small_pool(seed, kind)
        truth = RNG(seed).integers(0, pool.probabilities.shape[1], len(pool.labels))
        asked = []

        def ask(position, truth=truth, asked=asked):
            asked.append(position)
            return int(truth[position])

        picks = Galaxy().select_asking(pool, budget, RNG(seed), ask).tolist()
        assert picks == asked == slow_galaxy(pool, budget, RNG(seed), truth), (seed, kind)
        predicted = pool.probabilities.argmax(axis=1)
        assert Galaxy().select(pool, budget, RNG(seed)).tolist() == slow_galaxy(pool, budget, RNG(seed), predicted)


def test_two_classes_are_bisected():
    """Scores fall along the positions; the classes change at 50: halving finds the border."""
    p = np.linspace(0.99, 0.01, 101)
    labels = np.full(101, -1)
    labels[0], labels[100] = 0, 1
    pool = Pool(np.zeros((101, 1)), np.stack([p, 1 - p], axis=1), labels)
    picks = Galaxy().select_asking(pool, 7, RNG(0), lambda position: int(position >= 58))
    assert picks.tolist() == [50, 75, 62, 56, 59, 57, 58]


def test_it_needs_a_label():
    pool, _ = small_pool(0, "no label")
    with pytest.raises(InvalidInput, match="at least one labelled"):
        Galaxy().select(pool, 1, RNG(0))
