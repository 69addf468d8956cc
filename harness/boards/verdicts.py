"""The verdicts of a board: all methods in pairs, and each against a baseline.

Over seeds by step-down t-tests (``harness.metrics.verdicts.paired``), over queries by joint sign flips of groups
(``harness.metrics.verdicts.flips``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.boards.evidence import Units
from harness.metrics.verdicts.flips import LEAST_GROUPS, compare_groups, correlation_within, group_sums
from harness.metrics.verdicts.paired import LEAST_SEEDS, LEVEL, Comparisons, compare_seeds, pooled_square
from harness.metrics.verdicts.power import POWER, detectable

_COMPARED_ON_SEEDS: Final = 300
"""Methods compared with each other; of a longer table the best so many."""
_COMPARED_ON_QUERIES: Final = 100

PAIRED: Final = "paired t-test"
POOLED: Final = "t-test with pooled error"
FLIPS: Final = "joint sign flips of groups"
SEQUENTIAL: Final = "sequential paired t-test"

Floats = NDArray[np.float64]
Standing = Literal["better", "worse", "not significantly different"]


@dataclass(frozen=True)
class Against:
    """A method against the baseline.

    Attributes:
        difference: its mean minus that of the baseline.
        p: adjusted for all comparisons with the baseline.
        standing: ``better``, ``worse`` or ``not significantly different``.
    """

    difference: float
    p: float
    standing: Standing


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
        detectable=_detectable(values, groups, methods) if tests else math.nan,
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


def _standing(difference: float, *, differs: bool) -> Standing:
    if not differs:
        return "not significantly different"
    return "better" if difference > 0 else "worse"


def _detectable(values: Floats, groups: NDArray[np.intp] | None, methods: int) -> float:
    """Difference of two methods of typical spread that the strictest corrected level finds with chance ``POWER``."""
    n, m = values.shape
    if groups is not None:
        return _detectable_by_groups(values, groups, methods * (methods - 1) // 2)
    spreads = detectable(n, methods, baseline=False)
    return math.sqrt(2 * pooled_square(values)) * spreads if math.isfinite(spreads) else math.inf


def _detectable_by_groups(values: Floats, groups: NDArray[np.intp], tests: int) -> float:
    """Of a t-test over groups at the strictest level, the median over pairs: near what joint flips find."""
    from scipy.special import stdtrit

    sums = group_sums(values, groups)
    count, m = sums.shape
    if count < LEAST_GROUPS:
        return math.inf
    weights = group_sums(np.ones((len(values), 1)), groups)
    centred = sums - weights * sums.sum(axis=0)
    products = centred.T @ centred
    own = np.diag(products)
    squares = np.clip(own[:, None] + own - 2 * products, 0, None)[np.triu_indices(m, 1)]
    error = math.sqrt(float(np.median(squares)) * count / (count - 1))
    return float(error * (stdtrit(count - 1, 1 - LEVEL / tests / 2) + stdtrit(count - 1, POWER)))
