"""The verdicts of a board: all methods in pairs, and each against a baseline.

Over seeds by step-down t-tests (``harness.metrics.verdicts.paired``), over queries by joint sign flips of groups
(``harness.metrics.verdicts.flips``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.boards.evidence import Units
from harness.metrics.verdicts.flips import (
    LEAST_GROUPS,
    compare_groups,
    correlation_within,
    detectable_by_groups,
    group_sums,
)
from harness.metrics.verdicts.paired import LEAST_SEEDS, LEVEL, Comparisons, compare_seeds, pooled_square
from harness.metrics.verdicts.power import detectable
from harness.metrics.verdicts.sequential import progress
from harness.runs.design import Rule
from harness.runs.record import Record
from harness.runs.rules import sequential_rule, state_text, tables

_COMPARED_ON_SEEDS: Final = 300
"""Methods compared with each other; of a longer table the best so many."""
_COMPARED_ON_QUERIES: Final = 100

PAIRED: Final = "paired t-test"
POOLED: Final = "t-test with pooled error"
FLIPS: Final = "joint sign flips of groups"
SEQUENTIAL: Final = "sequential paired t-test"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Against:
    """A method against the baseline.

    Attributes:
        difference: its mean minus that of the baseline.
        p: adjusted for all comparisons with the baseline; of a test that adds seeds that of its last look, not
            adjusted, and where a method is within a difference of it the p-value of that claim.
        standing: ``better``, ``worse`` or ``not significantly different``; of a test that adds seeds also what closed
            the comparison, ``within 1 points`` or ``not to be settled``.
    """

    difference: float
    p: float
    standing: str


@dataclass(frozen=True)
class PairwiseTests:
    """All methods of a table compared in pairs.

    "Not significantly different" is not transitive: A may be better than C while B differs from neither. So a method
    has no group but a rank interval, which needs no transitivity.

    Attributes:
        ranks: rank interval of each method that was compared: one more than the methods that are significantly
            better than it, and the number of methods less those that are significantly worse.
        pairs: number of paired values (queries or seeds).
        methods: number of methods.
        tests: number of comparisons that the correction counts.
        test: how the p-values were found, in words.
        detectable: minimum detectable difference at 80% power; NaN where it is not known, infinite where none could be
            found.
        can_decide: whether any difference, however large, could be called significant.
        level: chance of calling any two equal methods different.
        groups: groups of queries; None for seeds.
        unlike: whether methods vary so unlike that their errors were not pooled.
        correlation: of queries inside groups, NaN where it is not known.
        against: methods against the baseline; empty without one.
        looks: numbers of seeds after which a test that adds seeds has looked; empty of another.
    """

    ranks: Mapping[str, tuple[int, int]]
    pairs: int
    methods: int
    tests: int
    test: str
    detectable: float
    can_decide: bool
    level: float = LEVEL
    groups: int | None = None
    unlike: bool = False
    correlation: float = math.nan
    against: Mapping[str, Against] = field(default_factory=dict)
    looks: tuple[int, ...] = ()


def sequential_tests(methods: Mapping[str, Sequence[Record]], baseline: str | None, rule: Rule) -> PairwiseTests:
    """The verdicts of a test that adds seeds until all is decided.

    Args:
        methods: method -> its records.
        baseline: method that all others are compared with; None compares all pairs.
        rule: fixed before the start.
    """
    names = list(methods)
    values, failed = tables(methods, rule.seeds, rule.measure)
    sequential = sequential_rule(rule, None if baseline is None else names.index(baseline), len(names))
    found = progress(values, sequential, failed)
    better = np.zeros((len(names), len(names)), dtype=bool)
    for outcome in found.outcomes:
        if outcome.state == "differs":
            ahead = (outcome.first, outcome.second) if outcome.difference > 0 else (outcome.second, outcome.first)
            better[ahead] = True
    ranks = zip((1 + better.sum(axis=0)).tolist(), (len(names) - better.sum(axis=1)).tolist(), strict=True)
    against = {
        names[outcome.first]: Against(outcome.difference, outcome.p, state_text(outcome, sequential))
        for outcome in found.outcomes
        if baseline is not None and not math.isnan(outcome.difference)
    }
    return PairwiseTests(
        ranks={} if baseline is not None else dict(zip(names, ranks, strict=True)),
        pairs=max((*found.looks, 0)),
        methods=len(names),
        tests=len(found.outcomes),
        test=SEQUENTIAL,
        detectable=math.nan,
        can_decide=True,
        against=against,
        looks=found.looks,
    )


def pairwise_tests(units: Units, baseline: str | None = None) -> PairwiseTests:
    """Compare methods on the same queries or seeds.

    Args:
        units: their values, more is better; with the group of each query.
        baseline: method that all others are compared with too.
    """
    samples = units.paired
    methods, tests = len(samples), len(samples) * (len(samples) - 1) // 2
    pairs = len(units.shared)
    best = sorted(samples, key=lambda name: (-samples[name].mean() if pairs else 0.0, name))
    compared = best[: _COMPARED_ON_QUERIES if units.grouped else _COMPARED_ON_SEEDS]
    values = np.array([samples[name] for name in compared]).reshape(len(compared), pairs).T
    grouped = units.grouped
    found = _compare(units, values, tests)
    # Ordered by their means: of a pair that differs the first is the better one.
    better = np.zeros((len(compared), len(compared)), dtype=bool)
    better[found.first, found.second] = found.differs
    ranks = zip((1 + better.sum(axis=0)).tolist(), (methods - better.sum(axis=1)).tolist(), strict=True)
    groups = units.group_numbers if grouped else None
    return PairwiseTests(
        ranks=dict(zip(compared, ranks, strict=True)),
        pairs=pairs,
        methods=methods,
        tests=tests,
        test=FLIPS if grouped else POOLED if found.pooled else PAIRED,
        detectable=_detectable(values, groups, methods, unlike=found.unlike) if tests else math.nan,
        can_decide=tests > 0 and units.count >= (LEAST_GROUPS if grouped else LEAST_SEEDS),
        level=found.level,
        groups=units.count if grouped else None,
        unlike=found.unlike,
        correlation=correlation_within(values, groups) if groups is not None else math.nan,
        against=_against(units, samples, baseline),
    )


def pair_p(units: Units) -> float:
    """P-value of two methods on their shared units, of this pair alone."""
    values = np.array(list(units.paired.values())).T
    return float(_compare(units, values).p[0])


def _compare(units: Units, values: Floats, tests: int | None = None, baseline: int | None = None) -> Comparisons:
    if not units.grouped:
        return compare_seeds(values, baseline, tests)
    # Seeded: the same table of the same values.
    return compare_groups(group_sums(values, units.group_numbers), np.random.default_rng(0), baseline)


def _against(units: Units, samples: Mapping[str, Floats], baseline: str | None) -> dict[str, Against]:
    """Every method against the baseline; nothing where it was not compared."""
    if baseline is None or baseline not in samples or len(samples) < 2:
        return {}
    names = list(samples)
    values = np.array([samples[name] for name in names]).T
    found = _compare(units, values, baseline=names.index(baseline))
    return {
        names[column]: Against(difference, p, _standing(difference, differs=differs))
        for column, difference, p, differs in zip(
            found.first.tolist(), found.difference.tolist(), found.p.tolist(), found.differs.tolist(), strict=True
        )
    }


def _standing(difference: float, *, differs: bool) -> str:
    if not differs:
        return "not significantly different"
    return "better" if difference > 0 else "worse"


def _detectable(values: Floats, groups: NDArray[np.intp] | None, methods: int, *, unlike: bool) -> float:
    """Difference of two methods of typical spread that the strictest corrected level finds with chance ``POWER``.

    NaN where typical methods have the same values: they show no spread.
    """
    n, m = values.shape
    if groups is not None:
        return detectable_by_groups(values, groups, methods * (methods - 1) // 2) or math.nan
    spreads = detectable(n, methods, baseline=False, unlike=unlike)
    return math.sqrt(2 * pooled_square(values)) * spreads or math.nan if math.isfinite(spreads) else math.inf
