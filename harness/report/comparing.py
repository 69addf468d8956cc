"""Compares two measurements of the same methods: matches them, tests each difference, corrects for all tests."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.errors import UnknownName, nearest
from harness.report.board import NotComparable
from harness.report.changes import Change, Changes, CostChange, MethodChange, Verdict
from harness.report.matching import Pair, match
from harness.report.measured import ENGINE, Measured, measured
from harness.report.statistics import LEVEL, POWER, bootstrap_interval, holm, paired_test
from harness.runs.record import Record
from harness.runs.results import Results


def compare(
    before: Results | Iterable[Record], after: Results | Iterable[Record], *, metrics: Sequence[str] = ()
) -> Changes:
    """Compare two measurements of the same methods, query by query or seed by seed.

    Methods are matched by kind, name and parameters, data by fingerprint, protocols by their options; what made the
    numbers (sources, versions) may differ and is told. Each metric of each method is one paired randomisation test; all
    together are corrected (Holm). Numbers that are identical are no test: they can raise no alarm.

    Args:
        before: records, or what ``harness.find_results`` found.
        after: the same of the other side.
        metrics: keys of the metrics to test; by default the one that ranks the leaderboard (``map_medium``, accuracy
            with most labels).

    Raises:
        NotComparable: data or protocols differ, nothing is shared, or a side is empty.
        UnknownName: a metric that neither side has.
    """
    one, other = (
        given if isinstance(given, Results) else Results("records", tuple(given)) for given in (before, after)
    )
    sides = measured(one), measured(other)
    for side, results in zip(sides, (one, other), strict=True):
        if not side:
            raise NotComparable(f"there are no records in {results.name}", fix="run something first: harness run")
    _check_metrics(metrics, [*sides[0], *sides[1]])
    found = match(*sides)
    named = zip(found.pairs, _labels(found.pairs), strict=True)
    methods = _judged([_method(pair, name, metrics) for pair, name in named])
    tested = [c for m in methods for c in m.changes if c.p is not None]
    return Changes(
        before=one.name,
        after=other.name,
        methods=tuple(methods),
        only_before=tuple(_full_label(m) for m in found.only_before),
        only_after=tuple(_full_label(m) for m in found.only_after),
        tests=len(tested),
        detectable=_detectable(tested),
        notes=_notes(sides, (one.name, other.name)),
    )


def _full_label(one: Measured) -> str:
    """``synthetic-instances · tiny · gem p=3.0 eps=1e-06``: with all parameters."""
    names = (" ".join([name, *(f"{k}={v}" for k, v in given.items())]) for name, given in one.methods.values())
    return " · ".join([one.setting.dataset, *names])


def _labels(pairs: Sequence[Pair]) -> list[str]:
    """Of the parameters only those that tell methods of one name apart."""
    seen: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for pair in pairs:
        for kind, (name, given) in pair.before.methods.items():
            for parameter, value in given.items():
                seen[kind, name, parameter].add(json.dumps(value, sort_keys=True))
    return [
        " · ".join(
            " ".join([name, *(f"{p}={v}" for p, v in given.items() if len(seen[kind, name, p]) > 1)])
            for kind, (name, given) in pair.before.methods.items()
        )
        for pair in pairs
    ]


def _check_metrics(metrics: Sequence[str], sides: Sequence[Measured]) -> None:
    known = {name for one in sides for name in one.means}
    for metric in metrics:
        if metric not in known:
            fix = f"{nearest(metric, known)} metrics: {', '.join(sorted(known))}".strip()
            raise UnknownName(f'no side has the metric "{metric}"', fix=fix)


def _method(pair: Pair, name: str, metrics: Sequence[str]) -> MethodChange:
    before, after = pair.before, pair.after
    tested = list(dict.fromkeys(metrics)) or [before.primary or after.primary or "result"]
    others = {
        name: after.means[name] - value
        for name, value in before.means.items()
        if name in after.means and name not in tested
    }
    return MethodChange(
        pair=pair,
        label=name,
        changes=tuple(_change(before, after, metric) for metric in tested),
        others=others,
        costs=_costs(before, after),
        changed=(*_changed(before, after), *pair.news),
    )


def _change(before: Measured, after: Measured, metric: str) -> Change:
    """With the p-value before correction; ``_judged`` corrects it and decides."""
    higher = not metric.startswith("labels_to@")
    ours, theirs = before.values.get(metric, {}), after.values.get(metric, {})
    units = sorted(ours.keys() & theirs.keys())
    if not units:
        a, b = before.means.get(metric), after.means.get(metric)
        verdict: Verdict = "not measured" if a is None or b is None else "identical" if a == b else "undecided"
        return Change(metric, a, b, higher, None, None, verdict, 0)
    a_values, b_values = np.array([ours[u] for u in units]), np.array([theirs[u] for u in units])
    difference = b_values - a_values
    a, b = float(a_values.mean()), float(b_values.mean())
    if not difference.any():
        return Change(metric, a, b, higher, (0.0, 0.0), None, "identical", len(units), 0.0)
    if len(units) < 2:
        return Change(metric, a, b, higher, None, None, "undecided", len(units))
    return Change(
        metric,
        a,
        b,
        higher,
        _interval(difference),
        paired_test(b_values, a_values, np.random.default_rng(0)),
        "undecided",
        len(units),
        float(difference.std(ddof=1)),
    )


def _interval(difference: NDArray[np.float64]) -> tuple[float, float] | None:
    low, high = bootstrap_interval(difference, np.random.default_rng(0))
    return None if math.isnan(low) else (low, high)


def _judged(methods: Sequence[MethodChange]) -> list[MethodChange]:
    """Correct the p-values of all tests together, then decide."""
    tested = [change for method in methods for change in method.changes if change.p is not None]
    adjusted = iter(holm([change.p for change in tested if change.p is not None]))
    judged = {id(change): _judge(change, float(next(adjusted)), len(tested)) for change in tested}
    return [replace(m, changes=tuple(judged.get(id(c), c) for c in m.changes)) for m in methods]


def _judge(change: Change, p: float, tests: int) -> Change:
    # The smallest p-value that n sign flips can give; with too few pairs not even it would be small enough.
    possible = 2.0 ** (1 - change.pairs) * tests <= LEVEL
    verdict: Verdict = "within noise" if possible else "undecided"
    if p <= LEVEL:
        verdict = "worse" if change.loss > 0 else "better"
    return replace(change, p=p, verdict=verdict)


def _costs(before: Measured, after: Measured) -> tuple[CostChange, ...]:
    same = before.machine == after.machine
    return tuple(
        CostChange(name, value, after.cost[name], same or not name.endswith(("_s", "_p50", "_p95")))
        for name, value in sorted(before.cost.items())
        if name in after.cost
    )


def _changed(before: Measured, after: Measured) -> tuple[str, ...]:
    """``source of pooling``, ``pooling: mine 1.0 to mine 1.1``, in the order of the data."""
    found = []
    for part in [*before.methods, ENGINE]:
        plugin, source = before.sources.get(part, ("", ""))
        new_plugin, new_source = after.sources.get(part, ("", ""))
        found += [f"{part}: {plugin} to {new_plugin}"] if plugin and new_plugin and plugin != new_plugin else []
        found += [f"source of {part}"] if source and new_source and source != new_source else []
    return tuple(found)


def _detectable(tested: Sequence[Change]) -> float:
    """Median over the tests of what a paired t-test at the strictest corrected level finds with probability 0.8."""
    from scipy.special import stdtrit

    found = [
        change.spread
        / math.sqrt(change.pairs)
        * (stdtrit(change.pairs - 1, 1 - LEVEL / len(tested) / 2) + stdtrit(change.pairs - 1, POWER))
        for change in tested
        if change.spread is not None
    ]
    return float(statistics.median(found)) if found else math.nan


def _notes(sides: tuple[Sequence[Measured], Sequence[Measured]], names: tuple[str, str]) -> tuple[str, ...]:
    notes = []
    for side, name in zip(sides, names, strict=True):
        older = sum(one.older for one in side)
        if older:
            notes.append(f"{older} older records of {name} were left out: their runs were done again later.")
    machines = [sorted({one.machine for one in side} - {""}) for side in sides]
    if all(machines) and machines[0] != machines[1]:
        notes.append(
            f"Measured on different machines ({' and '.join(m[0] for m in machines)}): times are not compared."
        )
    return tuple(notes)
