"""How often the verdicts of boards are false, how much they find, and what adding seeds until decided saves.

Simulated values, no training. ``pytest -m slow tests/benchmarks/bench_verdicts.py`` prints the tables.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.boards.evidence import paired_units
from harness.boards.verdicts import pairwise_tests
from harness.metrics.verdicts.flips import compare_groups, group_sums
from harness.metrics.verdicts.paired import compare_seeds
from harness.metrics.verdicts.sequential import SequentialRule, progress

TABLES = 1_000
SEEDS, METHODS = (3, 4, 5, 6, 8, 10, 12, 15, 20), (3, 4, 6, 9, 12)
ROXFORD = [7, 6, 6, 5, 5, 5, 5, 5, 4, 4, 3, 3, *[1] * 12]
"""Sizes of 24 groups among 70 queries; 12 of one query, the largest of 7."""


def tables(n, m, spreads, rng, count=TABLES):
    """Tables of equal methods whose spreads go up to ``spreads``, with an effect of the seed."""
    scale = np.geomspace(1, spreads, m)
    return rng.normal(size=(count, n, m)) * scale + rng.normal(size=(count, n, 1))


@pytest.mark.slow
def test_false_verdicts_over_seeds(capsys):
    """At most 6.5% (5% and three standard errors) of 1,000 tables with alike spreads, 8% up to a factor of 2."""
    rng, lines, worst = np.random.default_rng(0), [], {1: 0.0, 2: 0.0}
    for family in ("all", "baseline"):
        for spreads in (1, 2, 6):
            for m in METHODS:
                shares = []
                for n in SEEDS:
                    values = tables(n, m, spreads, rng)
                    found = [compare_seeds(table, None if family == "all" else 0).differs.any() for table in values]
                    shares.append(float(np.mean(found)))
                if spreads in worst:
                    worst[spreads] = max(worst[spreads], *shares)
                lines.append(f"{family:>8} spreads x{spreads} m {m:2}: " + " ".join(f"{s:.3f}" for s in shares))
    with capsys.disabled():
        print(f"\nfalse verdicts in {TABLES} tables of equal methods, n = {', '.join(map(str, SEEDS))}")
        print("\n".join(lines))
    assert worst[1] <= 0.075  # the largest of 90 cells whose standard error is 0.007
    assert worst[2] <= 0.085


@pytest.mark.slow
def test_power_over_seeds(capsys):
    """Share of the true differences found, nine methods evenly over 2.5 and 6 standard deviations of a method."""
    rng, m = np.random.default_rng(1), 9
    expected = {3: (0.02, 0.27), 6: (0.10, 0.53), 10: (0.22, 0.66), 20: (0.44, 0.84)}
    with capsys.disabled():
        print("\nn   all pairs near/far   baseline near/far")
        for n in SEEDS:
            shares = {}
            for name, width in (("near", 2.5), ("far", 6.0)):
                values = tables(n, m, 1, rng, 300) + np.linspace(0, width, m)
                shares[name, "all"] = np.mean([compare_seeds(table).differs.mean() for table in values])
                shares[name, "base"] = np.mean([compare_seeds(table, 0).differs.mean() for table in values])
            every = f"{shares['near', 'all']:.2f}/{shares['far', 'all']:.2f}"
            base = f"{shares['near', 'base']:.2f}/{shares['far', 'base']:.2f}"
            print(f"{n:2}  {every:>19}  {base:>19}")
            if n in expected:
                near, far = expected[n]
                assert shares["near", "all"] == pytest.approx(near, abs=0.03)
                assert shares["far", "all"] == pytest.approx(far, abs=0.03)


@pytest.mark.slow
def test_false_verdicts_over_queries(capsys):
    """70 queries in the groups of ROxford: eight equal methods, a pair, and the power of a shift of .3."""
    rng, groups = np.random.default_rng(2), np.repeat(np.arange(len(ROXFORD)), ROXFORD)
    assert len(groups) == 70
    with capsys.disabled():
        print("\ncorrelation  8 equal methods  one pair  shift .3 of a pair")
        for correlation in (0.0, 0.2, 0.4):
            alarms = [_alarm(rng, groups, 8, correlation, 0.0) for _ in range(500)]
            pair = [_alarm(rng, groups, 2, correlation, 0.0) for _ in range(1000)]
            found = [_alarm(rng, groups, 2, correlation, 0.3 * 2**0.5) for _ in range(300)]
            print(f"{correlation:11.1f}  {np.mean(alarms):15.3f}  {np.mean(pair):8.3f}  {np.mean(found):10.2f}")
            assert np.mean(alarms) <= 0.08  # 5% and three standard errors
            assert np.mean(pair) <= 0.072


def _alarm(rng, groups, m, correlation, shift):
    shared = rng.normal(size=(groups.max() + 1, m))[groups] * np.sqrt(correlation)
    values = shared + rng.standard_t(3, size=(len(groups), m)) / np.sqrt(3) * np.sqrt(1 - correlation)
    values[rng.random(len(groups)) < 0.25] = 0.5  # exact ties of all methods
    values[:, 0] += shift
    return compare_groups(group_sums(values, groups), rng).differs.any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({"closes_hopeless": False}, 0.79),
        ({}, 0.51),
        ({"smallest": 1.0}, 0.70),
        ({"smallest": 2.0}, 0.41),
    ],
    ids=["no closing", "hopeless", "within 1 sd", "within 2 sd"],
)
def test_what_adding_seeds_until_decided_saves(capsys, options, share):
    """Six methods against a baseline, two different from it by 2 standard deviations: share of 30 fixed seeds."""
    rng, means = np.random.default_rng(3), np.array([0.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    runs = [runs_of(progress(rng.normal(size=(30, 6)) + means, SequentialRule(6, 30, **options))) for _ in range(600)]
    found = np.mean(runs) / (6 * 30)
    with capsys.disabled():
        print(f"\n{options}: {found:.2f} of the runs of 30 fixed seeds")
    assert found == pytest.approx(share, abs=0.05)


def runs_of(found):
    seeds = [0] * len(found.needed)
    for outcome in found.outcomes:
        for method in (outcome.first, outcome.second):
            seeds[method] = max(seeds[method], outcome.seeds)
    return sum(seeds)


@pytest.mark.slow
def test_false_verdicts_of_adding_seeds_until_decided(capsys):
    """At most 123 of 2,000 replays of equal methods: with a true 5% more happen in 1% of cases."""
    rng, rule = np.random.default_rng(4), SequentialRule(6, 20)
    false = sum(
        any(o.state == "differs" for o in progress(rng.normal(size=(20, 6)), rule).outcomes) for _ in range(2_000)
    )
    with capsys.disabled():
        print(f"\n{false} of 2,000 replays of equal methods have a false verdict")
    assert false <= 123


@pytest.mark.slow
def test_how_long_boards_take(capsys):
    """A table of 12 methods and 12 seeds, one of 30 poolings and 70 queries, one of 300."""
    rng = np.random.default_rng(0)
    with capsys.disabled():
        print()
        for units, methods, grouped in ((12, 12, False), (70, 30, True), (70, 300, True)):
            values = {f"m{i:03}": dict(enumerate(rng.random(units))) for i in range(methods)}
            start = time.perf_counter()
            pairwise_tests(paired_units(values, grouped=grouped))
            print(f"{methods} methods, {units} units: {time.perf_counter() - start:.3f} s")
