"""Compares two measurements of the same methods: matches them, tests each difference, corrects for all tests."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.boards.board import NotComparable
from harness.boards.changes import Changes, CostChange, MethodChange
from harness.boards.differences import detectable, draft, judged
from harness.boards.matching import Pair, match
from harness.boards.measured import ENGINE, Measured, measured
from harness.core.errors import UnknownName, nearest
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
    methods = _methods(found.pairs, metrics)
    changes = [change for method in methods for change in method.changes]
    return Changes(
        before=one.name,
        after=other.name,
        methods=methods,
        only_before=tuple(_full_label(m) for m in found.only_before),
        only_after=tuple(_full_label(m) for m in found.only_after),
        tests=sum(change.p is not None for change in changes),
        detectable=detectable(changes),
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


def _methods(pairs: Sequence[Pair], metrics: Sequence[str]) -> tuple[MethodChange, ...]:
    tested = [list(dict.fromkeys(metrics)) or [p.before.primary or p.after.primary or "result"] for p in pairs]
    drafts = [[draft(p.before, p.after, metric) for metric in names] for p, names in zip(pairs, tested, strict=True)]
    changes = iter(judged([one for found in drafts for one in found]))
    return tuple(
        MethodChange(
            pair=pair,
            label=label,
            changes=tuple(itertools.islice(changes, len(names))),
            others=_others(pair, names),
            costs=_costs(pair.before, pair.after),
            changed=(*_changed(pair.before, pair.after), *pair.news),
        )
        for pair, label, names in zip(pairs, _labels(pairs), tested, strict=True)
    )


def _others(pair: Pair, tested: Sequence[str]) -> dict[str, float]:
    before, after = pair.before.means, pair.after.means
    return {name: after[name] - value for name, value in before.items() if name in after and name not in tested}


def _costs(before: Measured, after: Measured) -> tuple[CostChange, ...]:
    """Seconds compare on one machine, where no other run disturbed them; bytes always."""

    def comparable(name: str) -> bool:
        undisturbed = not (before.cost[name].contended or after.cost[name].contended)
        return "bytes" in name or (before.machine == after.machine and undisturbed)

    return tuple(
        CostChange(name, cell.mean, after.cost[name].mean, comparable(name))
        for name, cell in before.cost.items()
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
