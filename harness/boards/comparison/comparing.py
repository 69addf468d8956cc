"""``harness.compare``: matches two measurements, tests each difference, corrects for all tests."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

from harness.boards.board import NotComparable
from harness.boards.comparison.changes import Changes, CostChange, MethodChange
from harness.boards.comparison.judging import detectable, draft, judged
from harness.boards.comparison.matching import Pair, match
from harness.boards.comparison.sides import ENGINE, MeasuredRow, side_of
from harness.core.errors import UnknownName, nearest
from harness.runs.labels import method_labels, option
from harness.runs.record import Record
from harness.runs.results import Results, results_of


def compare(
    before: Results | Iterable[Record], after: Results | Iterable[Record], *, metrics: Sequence[str] = ()
) -> Changes:
    """Compare two measurements of the same methods, query by query or seed by seed.

    Methods are matched by kind, name and parameters, data by fingerprint, protocols by their options; what made the
    numbers (sources, versions) may differ and is told. Each metric of each method is one test, of groups of queries or
    of seeds as on boards; all together are corrected. Numbers that are identical are no test: they can raise no alarm.

    Args:
        before: records, or what ``harness.find_results`` found.
        after: the same of the other side.
        metrics: keys of the metrics to test; by default the one that ranks the leaderboard (``map_medium``, accuracy
            with most labels).

    Raises:
        NotComparable: data or protocols differ, nothing is shared, or a side is empty.
        UnknownName: a metric that neither side has.
    """
    results = (results_of(before), results_of(after))
    names, notes, sides = tuple(side.name for side in results), [], []
    for side in results:
        rows, older = side_of(side)
        if not rows:
            raise NotComparable(f"there are no records in {side.name}", fix="run something first: harness run")
        if older:
            notes.append(f"{older} older records of {side.name} were left out: their runs were done again later.")
        sides.append(rows)
    _check_metrics(metrics, [*sides[0], *sides[1]])
    matched = match(*sides)
    methods = _methods(matched.pairs, metrics)
    changes = [change for method in methods for change in method.changes]
    return Changes(
        before=names[0],
        after=names[1],
        methods=methods,
        only_before=tuple(map(_full_label, matched.only_before)),
        only_after=tuple(map(_full_label, matched.only_after)),
        tests=sum(change.p is not None for change in changes),
        detectable=detectable(changes),
        notes=(*notes, *_machine_note(*sides)),
    )


def _full_label(row: MeasuredRow) -> str:
    """``synthetic-instances · tiny · gem p=3 eps=1e-06``: with all parameters."""
    methods = row.methods.values()
    names = (" ".join([m.name, *(f"{k}={option(v)}" for k, v in m.parameters.items())]) for m in methods)
    return " · ".join([row.board.dataset, *names])


def _check_metrics(metrics: Sequence[str], rows: Sequence[MeasuredRow]) -> None:
    known = {name for row in rows for name in row.means}
    for metric in metrics:
        if metric not in known:
            fix = f"{nearest(metric, known)} metrics: {', '.join(sorted(known))}".strip()
            raise UnknownName(f'no side has the metric "{metric}"', fix=fix)


def _methods(pairs: Sequence[Pair], metrics: Sequence[str]) -> tuple[MethodChange, ...]:
    tested = [list(dict.fromkeys(metrics)) or [_tested(pair)] for pair in pairs]
    drafts = [draft(pair, metric) for pair, names in zip(pairs, tested, strict=True) for metric in names]
    changes = iter(judged(drafts))
    keys = [
        json.dumps({kind: [m.name, m.parameters] for kind, m in pair.before.methods.items()}, sort_keys=True)
        for pair in pairs
    ]
    labels = method_labels(dict(zip(keys, (pair.before.methods for pair in pairs), strict=True)))
    return tuple(
        MethodChange(
            pair=pair,
            label=" · ".join(labels[key].values()),
            changes=tuple(itertools.islice(changes, len(names))),
            others=_others(pair, names),
            costs=_costs(pair.before, pair.after),
            changed=(*_changed(pair.before, pair.after), *pair.news),
        )
        for pair, key, names in zip(pairs, keys, tested, strict=True)
    )


def _tested(pair: Pair) -> str:
    """The metric that ranks the board, of the one side if both have its values, else of the other."""
    sides = (pair.before, pair.after)
    primary = [side.primary for side in sides if side.primary]
    both = [name for name in primary if all(side.samples(name) for side in sides)]
    return next(iter([*both, *primary]), "result")


def _others(pair: Pair, tested: Sequence[str]) -> dict[str, float]:
    before, after = pair.before.means, pair.after.means
    return {name: after[name] - value for name, value in before.items() if name in after and name not in tested}


def _costs(before: MeasuredRow, after: MeasuredRow) -> tuple[CostChange, ...]:
    """Seconds compare on one machine, where no other run disturbed them; bytes always."""
    ours, theirs = before.costs, after.costs

    def comparable(name: str) -> bool:
        undisturbed = not (ours[name].contended or theirs[name].contended)
        return "bytes" in name or (before.machine == after.machine and undisturbed)

    return tuple(
        CostChange(name, cell.mean, theirs[name].mean, comparable(name))
        for name, cell in ours.items()
        if name in theirs
    )


def _changed(before: MeasuredRow, after: MeasuredRow) -> tuple[str, ...]:
    """``source of pooling``, ``pooling: mine 1.0 to mine 1.1``, in the order of the data.

    Where what identifies the code is the same, as for a built-in method of one result version or after a change of
    comments, but not the source itself: ``exact source of pooling``.
    """
    found = []
    for part in [*before.methods, ENGINE]:
        plugin, source = before.sources.get(part, ("", ""))
        new_plugin, new_source = after.sources.get(part, ("", ""))
        found += [f"{part}: {plugin} to {new_plugin}"] if plugin and new_plugin and plugin != new_plugin else []
        exact, new_exact = (side.exact_sources.get(part, "") for side in (before, after))
        if source and new_source and source != new_source:
            found.append(f"source of {part}")
        elif exact and new_exact and exact != new_exact:
            found.append(f"exact source of {part}")
    return tuple(found)


def _machine_note(before: Sequence[MeasuredRow], after: Sequence[MeasuredRow]) -> list[str]:
    machines = [sorted({row.machine for row in side} - {""}) for side in (before, after)]
    if not all(machines) or machines[0] == machines[1]:
        return []
    return [f"Measured on different machines ({' and '.join(m[0] for m in machines)}): times are not compared."]
