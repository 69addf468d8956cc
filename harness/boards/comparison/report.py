"""Changes between two measurements as Markdown or JSON. Stable: the same changes give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from harness.boards.columns import column_of
from harness.boards.comparison.changes import Change, Changes, CostChange, MethodChange, Verdict
from harness.boards.footer import detectable_text
from harness.boards.render import NOTHING, Table, TableCell, check_format, json_text, make_table, render_tables
from harness.boards.render.markdown import escaped
from harness.boards.verdicts import FLIPS, PAIRED
from harness.metrics.verdicts.flips import LEAST_GROUPS
from harness.metrics.verdicts.paired import LEAST_SEEDS, LEVEL
from harness.runs.tolerances import scale

_ORDER: Final[Sequence[Verdict]] = (
    *("worse", "not measured", "inconclusive"),
    *("not significantly different", "better", "identical"),
)
_NOTABLE: Final = 0.2
"""Times of single runs differ by so much without a reason; smaller changes are not shown."""


def render_changes(changes: Changes, format: str = "markdown") -> str:
    """The changes as ``markdown`` or ``json``, ending in a newline. Raises ``UnknownName``."""
    check_format(format, ("markdown", "json"))
    if format == "json":
        return json_text(_content(changes))
    title, headline = f"{changes.before} → {changes.after}", escaped(_headline(changes))
    return render_tables(list(_tables(changes)), format, title=title, description=headline, command="")


def difference_text(change: Change) -> str:
    """``64.30 to 62.10 (-2.20)``."""
    if change.before is None or change.after is None:
        return "not measured"
    before, after = change.before * change.scale, change.after * change.scale
    return f"{before:.2f} to {after:.2f} ({_signed(after - before)})"


def _headline(changes: Changes) -> str:
    counts = {verdict: len(changes.with_verdict(verdict)) for verdict in _ORDER}
    found = [f"{count} {verdict}" for verdict, count in counts.items() if count]
    missing = [f"{len(c)} only in {name}" for name, c in (("A", changes.only_before), ("B", changes.only_after)) if c]
    return f"A is {changes.before}, B is {changes.after}: {', '.join([*found, *missing]) or 'nothing'}."


def _tables(changes: Changes) -> Iterable[Table]:
    for title, rows in _by_metric(changes).items():
        yield _metric_table(title, rows)
    identical = _grouped(changes.with_verdict("identical"))
    found = ((title, sorted(m.label for m, _ in rows)) for title, rows in identical.items())
    yield from _list("Identical numbers", (f"{title} ({len(n)}): {', '.join(n)}" for title, n in found))
    yield from _others(changes)
    yield from _costs(changes)
    yield from _list("Without a result", _failures(changes))
    yield from _list(f"Only in {changes.before}", changes.only_before)
    yield from _list(f"Only in {changes.after}", changes.only_after)
    yield Table(footer=(_evidence(changes), *changes.notes))


def _list(title: str, notes: Iterable[str]) -> list[Table]:
    """A list under a heading; nothing if it is empty."""
    lines = tuple(notes)
    return [Table(title=title, notes=lines)] if lines else []


def _grouped(changes: Iterable[tuple[MethodChange, Change]]) -> dict[str, list[tuple[MethodChange, Change]]]:
    """By dataset and metric."""
    groups: dict[str, list[tuple[MethodChange, Change]]] = {}
    for method, change in changes:
        groups.setdefault(f"{method.dataset}: {change.metric}", []).append((method, change))
    return groups


def _by_metric(changes: Changes) -> dict[str, list[tuple[MethodChange, Change]]]:
    """What is not identical, the worst first."""
    tables = _grouped((m, change) for m in changes.methods for change in m.changes if change.verdict != "identical")
    for rows in tables.values():
        rows.sort(key=lambda row: (_ORDER.index(row[1].verdict), -row[1].loss, row[0].label))
    return tables


def _metric_table(title: str, rows: Iterable[tuple[MethodChange, Change]]) -> Table:
    def number(value: float | None, change: Change) -> str:
        return NOTHING if value is None else f"{value * change.scale:.2f}"

    return make_table(
        ["method", "A", "B", "difference", "95% interval", "p", "verdict", "what changed"],
        [
            [
                method.label,
                number(change.before, change),
                number(change.after, change),
                NOTHING if change.difference is None else _signed(change.difference * change.scale),
                _interval(change),
                NOTHING if change.p is None else f"{change.p:.2g}",
                TableCell(change.verdict, best=change.verdict in ("worse", "better")),
                "; ".join(method.changed) or "nothing known",
            ]
            for method, change in rows
        ],
        right=("A", "B", "difference", "95% interval", "p"),
        title=title,
    )


def _others(changes: Changes) -> Iterable[Table]:
    """Metrics that were not tested, of methods for which any of them moved."""
    moved = [method for method in changes.methods if any(method.others.values())]
    names = list(dict.fromkeys(name for method in moved for name in method.others))
    rows = [[m.label, *(_signed(m.others[n] * scale(n)) if n in m.others else NOTHING for n in names)] for m in moved]
    if rows:
        yield make_table(["method", *names], rows, right=names, title="Other numbers, B − A, not tested")


def _costs(changes: Changes) -> Iterable[Table]:
    rows = [
        [method.label, column.title, column.shown(cost.before), column.shown(cost.after), f"{cost.ratio:.2f} ×"]
        for method in changes.methods
        for cost in method.costs
        if cost.comparable and _notable(cost) and (column := column_of(cost.name))
    ]
    title = f"Cost, where it changed by {_NOTABLE:.0%} or more"
    if rows:
        yield make_table(["method", "figure", "A", "B", "B / A"], rows, right=("A", "B", "B / A"), title=title)


def _notable(cost: CostChange) -> bool:
    """Beyond what single runs differ by; not of a stage that takes milliseconds, or next to no memory."""
    small = {"query_s_p50": 1e-5, "bytes_per_image": 0.0}.get(cost.name, 1e6 if "bytes" in cost.name else 1e-2)
    if max(cost.before, cost.after) <= small:
        return False
    return not 1 - _NOTABLE < cost.ratio < 1 / (1 - _NOTABLE)


def _failures(changes: Changes) -> Iterable[str]:
    for method in changes.methods:
        for name, row in (("A", method.pair.before.row), ("B", method.pair.after.row)):
            yield from (f"{method.label}, {name}, {row.runs} of {row.expected} runs: {note}" for note in row.notes)


def _evidence(changes: Changes) -> str:
    """What a verdict means, in one sentence."""
    if not changes.tests:
        return "No test was made: numbers are identical, or queries and seeds are too few or not known."
    tested = [change for method in changes.methods for change in method.changes if change.p is not None]
    by_groups = any(change.groups is not None for change in tested)
    by_seeds = any(change.groups is None for change in tested)
    how = [f"{FLIPS} of queries, the largest statistic correcting for their number"] * by_groups
    how += [f"{PAIRED} over seeds, corrected after Holm"] * by_seeds
    return (
        f"Better and worse: {' and '.join(how)}, on what both sides have; {changes.tests} tests, {LEVEL:.0%} level; "
        f"{detectable_text(changes.detectable)}. Inconclusive: fewer than {LEAST_GROUPS} groups or {LEAST_SEEDS} seeds."
    )


def _interval(change: Change) -> str:
    if change.interval is None:
        return NOTHING
    return " to ".join(_signed(bound * change.scale) for bound in change.interval)


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # no -0.00


def _content(changes: Changes) -> dict[str, Any]:
    return {
        "before": changes.before,
        "after": changes.after,
        "methods": list(map(_method, changes.methods)),
        "only_before": changes.only_before,
        "only_after": changes.only_after,
        "tests": changes.tests,
        "detectable": changes.detectable if math.isfinite(changes.detectable) else None,
        "notes": changes.notes,
    }


def _method(method: MethodChange) -> dict[str, Any]:
    before, after = method.pair.before, method.pair.after
    return {
        "dataset": method.dataset,
        "fingerprint": before.board.fingerprint,
        "protocol": before.board.protocol,
        "methods": {kind: {"name": m.name, "parameters": m.parameters} for kind, m in before.methods.items()},
        "label": method.label,
        "changes": [{**asdict(change), "difference": change.difference} for change in method.changes],
        "others": method.others,
        "costs": [asdict(cost) for cost in method.costs],
        "changed": method.changed,
        "failures": {"before": before.row.notes, "after": after.row.notes},
    }
