"""How often equal methods are called different, how often a difference is found, and how fast a long table is."""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.boards.statistics import pairwise_tests

QUERIES, PAIRS = 70, 500


def different(a, b, rng):
    return len(set(pairwise_tests({"a": a, "b": b}, rng).ranks.values())) == 2


@pytest.mark.slow
def test_false_alarms_and_power(capsys):
    """500 pairs of equal methods on 70 queries: at most 6% are called different at the 5% level.

    A query's difficulty is drawn from a beta distribution, so that many are easy, some hopeless, as on the revisited
    sets; a method's AP lies around it with a standard deviation of 0.1.
    """
    rng, alarms, found = np.random.default_rng(1), 0, 0
    for _ in range(PAIRS):
        difficulty = rng.beta(1.2, 1.0, QUERIES)
        a, b, better = (np.clip(difficulty + rng.normal(shift, 0.1, QUERIES), 0, 1) for shift in (0, 0, 0.03))
        alarms += different(a, b, rng)
        found += different(a, better, rng)
    with capsys.disabled():
        print(f"\nequal methods called different: {alarms / PAIRS:.1%} of {PAIRS} pairs at the 5% level")
        print(f"a true difference of 3 mAP on {QUERIES} queries is found in {found / PAIRS:.1%} of {PAIRS} pairs")
    assert alarms / PAIRS <= 0.06
    assert found / PAIRS > 0.2


@pytest.mark.slow
def test_false_alarms_of_a_whole_table(capsys):
    """500 tables of 8 equal methods: at most 6% name any difference at the 5% level, after Holm's correction."""
    rng, alarms = np.random.default_rng(7), 0
    for _ in range(PAIRS):
        difficulty = rng.beta(1.2, 1.0, QUERIES)
        values = {f"m{i}": np.clip(difficulty + rng.normal(0, 0.1, QUERIES), 0, 1) for i in range(8)}
        alarms += set(pairwise_tests(values, rng).ranks.values()) != {(1, 8)}
    with capsys.disabled():
        print(f"\ntables of 8 equal methods with any difference: {alarms / PAIRS:.1%} of {PAIRS}")
    assert alarms / PAIRS <= 0.06


@pytest.mark.slow
def test_all_pairs_at_once_are_faster_than_one_at_a_time(capsys):
    """30 methods on 70 queries, against a loop that flips the signs of each difference anew."""
    rng = np.random.default_rng(0)
    values = {f"m{i:02}": rng.random(QUERIES) for i in range(30)}
    start = time.perf_counter()
    pairwise_tests(values, rng)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    names = list(values)
    for a in names[:3]:
        for b in names[:10]:
            difference = values[a] - values[b]
            signs = rng.choice([-1.0, 1.0], (20_000, QUERIES))
            np.mean(np.abs(signs @ difference) >= abs(difference.sum()))
    plain = (time.perf_counter() - start) * 435 / 30
    with capsys.disabled():
        print(f"\n435 pairs: {ours:.2f} s, one at a time {plain / ours:.0f} times as long")
    assert plain / ours >= 5
