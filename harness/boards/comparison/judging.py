"""The verdicts of a comparison, by the tests of a board.

Queries: joint sign flips of groups, the largest statistic correcting for the number of tests. Seeds: paired t-tests,
corrected after Holm.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.boards.board import STORED_DIGITS
from harness.boards.comparison.changes import Change, Verdict
from harness.boards.comparison.matching import Pair
from harness.boards.evidence import Interval, Units
from harness.metrics.verdicts.flips import LEAST_GROUPS, compare_groups, detectable_by_groups
from harness.metrics.verdicts.paired import LEAST_SEEDS, LEVEL, paired_p, step_down
from harness.metrics.verdicts.power import detectable_spreads

_BEFORE: Final = "before"
_AFTER: Final = "after"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draft:
    """A change before it is judged.

    Attributes:
        change: without verdict.
        units: the paired values of both sides.
        testable: whether they are enough for a test.
        data: of which the units are.
    """

    change: Change
    units: Units = field(default_factory=lambda: Units({}, frozenset()))
    testable: bool = False
    data: str = ""

    @cached_property
    def values(self) -> Floats:
        """(n, 2) before and after."""
        return np.column_stack([*self.units.paired.values()])

    @property
    def differences(self) -> Floats:
        """(n,) after minus before."""
        return np.asarray(self.values[:, 1] - self.values[:, 0])


def draft(pair: Pair, metric: str) -> Draft:
    """What is known of one metric on both sides; of methods that may be two, nothing but that numbers are identical."""
    before, after = pair.before, pair.after
    ours, theirs = before.samples(metric), after.samples(metric)
    shared = frozenset(ours.keys() & theirs.keys())
    if not shared:
        old, new = before.means.get(metric), after.means.get(metric)
        known: Verdict = "identical" if old == new else "inconclusive"
        verdict: Verdict = "not measured" if old is None or new is None else known
        return Draft(Change(metric, old, new, _higher_is_better(metric), None, None, verdict, 0))
    if before.committed != after.committed:
        ours, theirs = ({u: float(np.round(v, STORED_DIGITS)) for u, v in side.items()} for side in (ours, theirs))
    grouped = before.board.unit == "query"
    units = Units({_BEFORE: ours, _AFTER: theirs}, shared, grouped, after.groups or before.groups)
    drafted = draft_of(metric, units, after.board.fingerprint or after.board.dataset)
    return drafted if pair.certain else replace(drafted, testable=False)


def draft_of(metric: str, units: Units, data: str) -> Draft:
    """The change of the second of two values of each shared unit against the first.

    Args:
        metric: what it is.
        units: of two methods.
        data: of which the units are.
    """
    a, b = units.paired.values()
    groups = units.count if units.grouped else None
    change = Change(
        metric, float(a.mean()), float(b.mean()), _higher_is_better(metric), None, None, "inconclusive", len(a), groups
    )
    if not (b - a).any():
        return Draft(replace(change, interval=(0.0, 0.0), verdict="identical"))
    return Draft(change, units, units.count >= (LEAST_GROUPS if units.grouped else LEAST_SEEDS), data)


def _higher_is_better(metric: str) -> bool:
    return not metric.startswith("labels_to@")


def judged(drafts: Sequence[Draft]) -> list[Change]:
    """All changes with their verdicts, corrected together; where queries and seeds were tested, each gets half."""
    changes = [item.change for item in drafts]
    tested = [i for i, item in enumerate(drafts) if item.testable]
    queries = [i for i in tested if changes[i].groups is not None]
    seeds = [i for i in tested if changes[i].groups is None]
    families = bool(queries) + bool(seeds)
    for positions, p_values in ((queries, _by_groups), (seeds, _by_seeds)):
        of_family = [drafts[i] for i in positions]
        found = np.minimum(1.0, families * p_values(of_family)) if positions else np.empty(0)
        intervals = _intervals(of_family)
        for place, (i, p) in enumerate(zip(positions, found.tolist(), strict=True)):
            changes[i] = _decided(drafts[i], p, intervals[place], len(tested))
    return changes


def _intervals(drafts: Sequence[Draft]) -> dict[int, Interval]:
    """The interval of each difference; those on the same units are found together."""
    alike: dict[tuple[bytes, int], list[int]] = defaultdict(list)
    for place, item in enumerate(drafts):
        alike[item.units.group_numbers.tobytes() if item.units.grouped else b"", len(item.values)].append(place)
    found: dict[int, Interval] = {}
    for places in alike.values():
        differences = np.column_stack([drafts[place].differences for place in places])
        bounds = drafts[places[0]].units.intervals_of(differences).tolist()
        found |= {place: (low, high) for place, (low, high) in zip(places, bounds, strict=True)}
    return found


def _by_groups(drafts: Sequence[Draft]) -> Floats:
    """Adjusted p-values of tests on queries: the groups of all data are flipped together, each for all of its tests."""
    numbers: dict[tuple[str, int], int] = {}
    columns = []
    for item in drafts:
        units = item.units
        names = [units.groups.get(unit, -1 - unit) for unit in sorted(units.shared)]
        rows = [numbers.setdefault((item.data, name), len(numbers)) for name in names]
        columns.append((np.array(rows), item.differences / len(names)))
    sums = np.zeros((len(numbers), len(drafts) + 1))  # the last column: nothing changed
    for column, (of_groups, differences) in enumerate(columns):
        np.add.at(sums[:, column], of_groups, differences)
    # Seeded: the same comparison of the same values.
    return compare_groups(sums, np.random.default_rng(0), baseline=len(drafts)).p


def _by_seeds(drafts: Sequence[Draft]) -> Floats:
    """Adjusted p-values of tests on seeds."""
    first, second = np.array([1]), np.array([0])
    p = np.array([paired_p(item.values, first, second)[0] for item in drafts])
    return step_down(p, len(p) - np.arange(len(p)))


def _decided(item: Draft, p: float, interval: Interval, tests: int) -> Change:
    change, units, values = item.change, item.units, item.values
    if units.grouped:
        found = detectable_by_groups(values, units.group_numbers, tests)
    else:
        spread = float(np.std(item.differences, ddof=1))
        found = spread * detectable_spreads(len(values), len(values) - 1, LEVEL / tests)
    verdict: Verdict = "not significantly different"
    if p <= LEVEL:
        verdict = "worse" if change.loss > 0 else "better"
    known = None if math.isnan(interval[0]) else interval
    return replace(change, p=p, interval=known, detectable=found, verdict=verdict)


def detectable(changes: Sequence[Change]) -> float:
    """Minimum detectable difference in points, the median over the tests; NaN where none was made.

    Counts of labels are left out: they are no points.
    """
    found = [
        change.scale * change.detectable
        for change in changes
        if change.detectable is not None and not change.metric.startswith("labels_to@")
    ]
    return float(statistics.median(found)) if found else math.nan
