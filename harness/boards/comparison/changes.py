"""What changed between two measurements of the same methods: by how much, and whether it is significant."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.boards.board import STORED_DIGITS
from harness.boards.comparison.matching import Pair
from harness.boards.statistics import LEVEL, POWER, bootstrap_intervals, difference_p_values, holm, smallest_p
from harness.runs.tolerances import scale

Verdict = Literal["better", "worse", "not significantly different", "identical", "inconclusive", "not measured"]


@dataclass(frozen=True)
class Change:
    """One metric of one method, before and after.

    Attributes:
        metric: key of the metric, ``map_medium``.
        before: mean over the queries or seeds that both sides have (or of the leaderboard, where they are not known).
        after: the same of the other side.
        higher_is_better: which way is better.
        interval: 95% interval of the difference, None where it is not known.
        p: of the paired randomisation test, corrected for all tests of the comparison (Holm); None without a test.
        verdict: ``inconclusive`` where there are too few pairs, or none, for a test.
        pairs: number of queries or seeds that both sides have.
        spread: standard deviation of the paired differences, None with fewer than two.
    """

    metric: str
    before: float | None
    after: float | None
    higher_is_better: bool
    interval: tuple[float, float] | None
    p: float | None
    verdict: Verdict
    pairs: int
    spread: float | None = None

    @property
    def difference(self) -> float | None:
        """After minus before."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def loss(self) -> float:
        """By how much it is worse, negative where it is better, 0 where it is not known."""
        difference = self.difference or 0.0
        return -difference if self.higher_is_better else difference

    @property
    def scale(self) -> float:
        """Factor for display: shares in points, counts of labels as they are."""
        return scale(self.metric)


@dataclass(frozen=True)
class CostChange:
    """One cost of one method; ``comparable`` is False for seconds of different machines."""

    name: str
    before: float
    after: float
    comparable: bool

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before if self.before else math.inf


@dataclass(frozen=True)
class MethodChange:
    """One method in one setting.

    Attributes:
        pair: the row on both sides.
        label: the method, with those parameters that tell it from the others.
        changes: of the metrics that were tested.
        others: differences of the metrics that were not tested.
        costs: of both sides.
        changed: what made the numbers and is not the same: sources, versions, the engine, parameters.
    """

    pair: Pair
    label: str
    changes: tuple[Change, ...]
    others: Mapping[str, float]
    costs: tuple[CostChange, ...]
    changed: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """Label of the board."""
        return self.pair.before.board.dataset


@dataclass(frozen=True)
class Changes:
    """All that changed between two sides; ``harness.boards.comparison.report`` shows it.

    Attributes:
        before: name of the one side.
        after: name of the other.
        methods: what both have, in the order of the one side.
        only_before: labels of what only the one side has.
        only_after: labels of what only the other has.
        tests: number of tests that the correction counts.
        detectable: minimum detectable difference in points at 80% power (the median over the tests); NaN without a
            test.
        notes: what else a reader must know.
    """

    before: str
    after: str
    methods: tuple[MethodChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    tests: int
    detectable: float
    notes: tuple[str, ...]

    def with_verdict(self, *verdicts: Verdict) -> list[tuple[MethodChange, Change]]:
        """The changes of these verdicts with their methods."""
        return [(m, change) for m in self.methods for change in m.changes if change.verdict in verdicts]


@dataclass(frozen=True)
class Draft:
    """A change before it is judged, and the paired differences (n,) to judge it by; None where there is no test."""

    change: Change
    differences: NDArray[np.float64] | None = None


def draft(pair: Pair, metric: str) -> Draft:
    """What is known of one metric on both sides; of methods that may be two, nothing but that numbers are identical."""
    before, after = pair.before, pair.after
    higher = not metric.startswith("labels_to@")
    ours, theirs = before.samples(metric), after.samples(metric)
    units = sorted(ours.keys() & theirs.keys())
    if not units:
        old, new = before.means.get(metric), after.means.get(metric)
        known: Verdict = "identical" if old == new else "inconclusive"
        verdict: Verdict = "not measured" if old is None or new is None else known
        return Draft(Change(metric, old, new, higher, None, None, verdict, 0))
    a, b = np.array([ours[u] for u in units]), np.array([theirs[u] for u in units])
    if before.committed != after.committed:
        a, b = a.round(STORED_DIGITS), b.round(STORED_DIGITS)
    change = Change(metric, float(a.mean()), float(b.mean()), higher, None, None, "inconclusive", len(units))
    if not (b - a).any():
        return Draft(replace(change, interval=(0.0, 0.0), verdict="identical"))
    return Draft(change, b - a if len(units) > 1 and pair.certain else None)


def judged(drafts: Sequence[Draft]) -> list[Change]:
    """All changes with their verdicts: the p-values of all tests are corrected together.

    Those of as many pairs are tested on the same random flips and resamples.
    """
    by_pairs: dict[int, list[int]] = defaultdict(list)
    for position, item in enumerate(drafts):
        if item.differences is not None:
            by_pairs[len(item.differences)].append(position)
    tests = sum(map(len, by_pairs.values()))
    changes = [item.change for item in drafts]
    for positions in by_pairs.values():
        values = np.stack([found for i in positions if (found := drafts[i].differences) is not None], axis=1)
        p_values = difference_p_values(values, np.random.default_rng(0), tests)
        intervals = bootstrap_intervals(values, np.random.default_rng(0))
        spreads = values.std(axis=0, ddof=1)
        for i, p, (low, high), spread in zip(positions, p_values, intervals, spreads, strict=True):
            interval = None if math.isnan(low) else (float(low), float(high))
            changes[i] = replace(changes[i], p=float(p), interval=interval, spread=float(spread))
    tested = [i for positions in by_pairs.values() for i in positions]
    adjusted = holm([p for i in tested if (p := changes[i].p) is not None])
    for i, p in zip(tested, adjusted, strict=True):
        changes[i] = _decided(changes[i], float(p), tests)
    return changes


def _decided(change: Change, p: float, tests: int) -> Change:
    # With too few pairs not even the smallest p-value would be small enough.
    can_decide = smallest_p(change.pairs, tests) * tests <= LEVEL
    verdict: Verdict = "not significantly different" if can_decide else "inconclusive"
    if p <= LEVEL:
        verdict = "worse" if change.loss > 0 else "better"
    return replace(change, p=p, verdict=verdict)


def detectable(changes: Sequence[Change]) -> float:
    """Difference in points that a paired t-test at the strictest corrected level finds with 80% power.

    The median over the tests; NaN where none was made. Counts of labels are left out: they are no points.
    """
    from scipy.special import stdtrit

    tests = sum(change.p is not None for change in changes)
    found = [
        change.scale
        * change.spread
        / math.sqrt(change.pairs)
        * (stdtrit(change.pairs - 1, 1 - LEVEL / tests / 2) + stdtrit(change.pairs - 1, POWER))
        for change in changes
        if change.p is not None and change.spread is not None and not change.metric.startswith("labels_to@")
    ]
    return float(statistics.median(found)) if found else math.nan
