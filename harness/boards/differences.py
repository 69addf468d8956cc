"""The difference of one method between two measurements: tested in pairs, all tests corrected together."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.boards.changes import Change, Verdict
from harness.boards.measured import Measured
from harness.boards.statistics import LEVEL, POWER, bootstrap_intervals, difference_p_values, holm, smallest_p


@dataclass(frozen=True)
class Draft:
    """A change before it is judged, and the paired differences (n,) to judge it by; None where there is no test."""

    change: Change
    differences: NDArray[np.float64] | None = None


def draft(before: Measured, after: Measured, metric: str) -> Draft:
    """What is known of one metric on both sides."""
    higher = not metric.startswith("labels_to@")
    ours, theirs = before.values.get(metric, {}), after.values.get(metric, {})
    units = sorted(ours.keys() & theirs.keys())
    if not units:
        old, new = before.means.get(metric), after.means.get(metric)
        verdict: Verdict = "not measured" if old is None or new is None else "identical" if old == new else "undecided"
        return Draft(Change(metric, old, new, higher, None, None, verdict, 0))
    a, b = np.array([ours[u] for u in units]), np.array([theirs[u] for u in units])
    change = Change(metric, float(a.mean()), float(b.mean()), higher, None, None, "undecided", len(units))
    if not (b - a).any():
        return Draft(replace(change, interval=(0.0, 0.0), verdict="identical"))
    return Draft(change, b - a if len(units) > 1 else None)


def judged(drafts: Sequence[Draft]) -> list[Change]:
    """All changes with their verdicts: the p-values of all tests are corrected together.

    Those of as many pairs are tested on the same random flips and resamples.
    """
    by_pairs: dict[int, list[int]] = defaultdict(list)
    for position, one in enumerate(drafts):
        if one.differences is not None:
            by_pairs[len(one.differences)].append(position)
    tests = sum(map(len, by_pairs.values()))
    changes = [one.change for one in drafts]
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
    verdict: Verdict = "within noise" if smallest_p(change.pairs, tests) * tests <= LEVEL else "undecided"
    if p <= LEVEL:
        verdict = "worse" if change.loss > 0 else "better"
    return replace(change, p=p, verdict=verdict)


def detectable(changes: Sequence[Change]) -> float:
    """Difference in points that a paired t-test at the strictest corrected level finds with probability 0.8.

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
