"""A dataset that is stored class by class decides nothing: acquisitions see the pool in an order drawn by the seed."""

from __future__ import annotations

import dataclasses

import numpy as np
from blobs import DATA, PROTOCOL, Counting, run

from harness.active.loop import ActiveProtocol
from harness_acquisition.entropy import Entropy


class First:
    """The lowest positions, as a method that finds all examples equal."""

    def __init__(self):
        self.seen = []

    def select(self, pool, budget, rng):
        self.seen.append((pool.positions, pool.labels))
        return pool.unlabelled[:budget]


def sorted_by_class():
    order = np.argsort(DATA.train_labels, kind="stable")
    return dataclasses.replace(DATA, train_images=DATA.train_images[order], train_labels=DATA.train_labels[order])


def test_equal_examples_of_a_sorted_folder_are_picked_from_all_classes():
    data = sorted_by_class()
    result = run(First(), data=data, protocol=ActiveProtocol(initial=4, budget=20, cycles=2))
    picked = data.train_labels[list(result.cycles[1].labelled)]
    assert set(picked.tolist()) == {0, 1, 2, 3}
    assert result.cycles[1].picked == tuple(np.bincount(picked, minlength=4))


def test_the_order_is_one_a_seed_and_another_for_another():
    one, two, other = First(), First(), First()
    run(one), run(two), run(other, seed=1)
    for positions, _ in one.seen:
        np.testing.assert_array_equal(positions, one.seen[0][0])
    np.testing.assert_array_equal(one.seen[0][0], two.seen[0][0])
    assert not np.array_equal(one.seen[0][0], other.seen[0][0])
    assert sorted(one.seen[0][0].tolist()) == list(range(80))


def test_what_a_pool_shows_of_an_example_belongs_to_it():
    learning, seen = Counting(), []

    class Looking:
        def select(self, pool, budget, rng):
            seen.append(pool)
            return Entropy().select(pool, budget, rng)

    result = run(Looking(), learning=learning)
    for pool, cycle, labels in zip(seen, result.cycles[1:], learning.labels, strict=False):
        np.testing.assert_array_equal(pool.images(np.arange(80)), DATA.train_images[pool.positions])
        np.testing.assert_array_equal(pool.labels, labels[pool.positions])
        scores = -(pool.probabilities * np.log(np.maximum(pool.probabilities, 1e-30))).sum(axis=1)
        assert scores[np.isin(pool.positions, cycle.labelled)].min() >= np.sort(scores[pool.unlabelled])[-4] - 1e-6


def test_positions_of_a_long_tailed_pool_are_those_of_the_whole():
    first = First()
    result = run(first, protocol=dataclasses.replace(PROTOCOL, imbalance=4.0))
    positions, labels = first.seen[-1]
    known = {i for cycle in result.cycles[:-1] for i in cycle.labelled}
    assert set(positions[labels >= 0].tolist()) == known
