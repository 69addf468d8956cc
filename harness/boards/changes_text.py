"""Changes between two measurements as markdown or JSON. Stable: the same changes give the same bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from tabulate import tabulate

from harness.boards.changes import Change, Changes, CostChange, MethodChange, Verdict
from harness.boards.columns import cost_columns
from harness.boards.formats import escaped
from harness.boards.statistics import LEVEL
from harness.core.errors import UnknownName, nearest
from harness.runs.tolerances import scale

_ORDER: Final[Sequence[Verdict]] = ("worse", "not measured", "undecided", "within noise", "better", "identical")
_NOTABLE: Final = 0.2
"""Times of single runs differ by so much without a reason; smaller changes are not shown."""


def render_changes(changes: Changes, format: str = "markdown") -> str:
    """The changes as ``markdown`` or ``json``, ending in a newline. Raises ``UnknownName``."""
    formats: Mapping[str, Callable[[Changes], str]] = {"markdown": _markdown, "json": _json}
    if format not in formats:
        raise UnknownName(f'unknown format "{format}"', fix=f"{nearest(format, formats)} formats: markdown, json")
    return formats[format](changes)


def difference_text(change: Change) -> str:
    """``64.30 to 62.10 (-2.20)``."""
    if change.before is None or change.after is None:
        return "not measured"
    before, after = change.before * change.scale, change.after * change.scale
    return f"{before:.2f} to {after:.2f} ({_signed(after - before)})"


def _markdown(changes: Changes) -> str:
    parts = [f"# {escaped(changes.before)} → {escaped(changes.after)}", _headline(changes)]
    for metric, rows in _tables(changes).items():
        parts += [f"## {escaped(metric)}", _table(rows)]
    parts += _identical(changes) + _others(changes) + _costs(changes) + _failures(changes)
    parts += _list(f"Only in {changes.before}", changes.only_before)
    parts += _list(f"Only in {changes.after}", changes.only_after)
    parts += [f"<sub>{' '.join([_evidence(changes), *map(escaped, changes.notes)])}</sub>"]
    return "\n\n".join(parts) + "\n"


def _headline(changes: Changes) -> str:
    counts = {verdict: len(changes.with_verdict(verdict)) for verdict in _ORDER}
    names = {"within noise": "not told apart from noise"}
    found = [f"{count} {names.get(verdict, verdict)}" for verdict, count in counts.items() if count]
    missing = [f"{len(c)} only in {name}" for name, c in (("A", changes.only_before), ("B", changes.only_after)) if c]
    return (
        f"A is {escaped(changes.before)}, B is {escaped(changes.after)}: {', '.join([*found, *missing]) or 'nothing'}."
    )


def _tables(changes: Changes) -> dict[str, list[tuple[MethodChange, Change]]]:
    """Per data set and metric what is not identical, the worst first."""
    tables: dict[str, list[tuple[MethodChange, Change]]] = {}
    names = setting_names(changes)
    for method in changes.methods:
        for change in method.changes:
            if change.verdict != "identical":
                name = names[method.pair.before.setting.key]
                tables.setdefault(f"{name}: {change.metric}", []).append((method, change))
    for rows in tables.values():
        rows.sort(key=lambda row: (_ORDER.index(row[1].verdict), -row[1].loss, row[0].label))
    return tables


def setting_names(changes: Changes) -> dict[str, str]:
    """By the key of each setting: the data set, and those protocol options that tell its settings apart."""
    settings = {m.pair.before.setting.key: m.pair.before.setting for m in changes.methods}
    names = {}
    for key, one in settings.items():
        same = [other for other in settings.values() if other.dataset == one.dataset]
        options = [f"{k}={v}" for k, v in one.protocol.items() if any(s.protocol.get(k) != v for s in same)]
        names[key] = " ".join([one.dataset, *options])
    return names


def _table(rows: Sequence[tuple[MethodChange, Change]]) -> str:
    headers = ["method", "A", "B", "difference", "95% interval", "p", "verdict", "what changed"]
    lines = [
        [
            escaped(method.label),
            _number(change.before, change.scale),
            _number(change.after, change.scale),
            "–" if change.difference is None else _signed(change.difference * change.scale),
            _interval(change),
            "–" if change.p is None else f"{change.p:.2g}",
            f"**{change.verdict}**" if change.verdict in ("worse", "better") else change.verdict,
            escaped("; ".join(method.changed)) or "nothing known",
        ]
        for method, change in rows
    ]
    return _pipe(headers, lines, left=(0, 6, 7))


def _identical(changes: Changes) -> list[str]:
    names = setting_names(changes)
    found: dict[str, list[str]] = {}
    for method, change in changes.with_verdict("identical"):
        found.setdefault(f"{names[method.pair.before.setting.key]}: {change.metric}", []).append(method.label)
    lines = [
        f"- {escaped(where)} ({len(labels)}): {escaped(', '.join(sorted(labels)))}" for where, labels in found.items()
    ]
    return ["## Identical numbers", "\n".join(lines)] if lines else []


def _others(changes: Changes) -> list[str]:
    """Metrics that were not tested, of methods for which any of them moved."""
    moved = [method for method in changes.methods if any(method.others.values())]
    names = list(dict.fromkeys(name for method in moved for name in method.others))
    if not names:
        return []
    lines = [
        [escaped(m.label), *(_signed(m.others[n] * scale(n)) if n in m.others else "–" for n in names)] for m in moved
    ]
    return ["## Other numbers, B − A, not tested", _pipe(["method", *map(escaped, names)], lines)]


def _costs(changes: Changes) -> list[str]:
    shown = [(m, cost) for m in changes.methods for cost in m.costs if cost.comparable and _notable(cost)]
    columns = {column.key: column for column in cost_columns()}
    lines = [
        [
            escaped(method.label),
            escaped(columns[cost.name].title),
            columns[cost.name].shown(cost.before),
            columns[cost.name].shown(cost.after),
            f"{cost.ratio:.2f} ×",
        ]
        for method, cost in shown
    ]
    title = f"## Cost, where it changed by {_NOTABLE:.0%} or more"
    return [title, _pipe(["method", "figure", "A", "B", "B / A"], lines, (0, 1))] if lines else []


def _notable(cost: CostChange) -> bool:
    """Beyond what single runs differ by; not of a stage that takes milliseconds, or next to no memory."""
    small = {"query_s_p50": 1e-5, "bytes_per_image": 0.0}.get(cost.name, 1e6 if "bytes" in cost.name else 1e-2)
    if max(cost.before, cost.after) <= small:
        return False
    return not 1 - _NOTABLE < cost.ratio < 1 / (1 - _NOTABLE)


def _failures(changes: Changes) -> list[str]:
    lines = []
    for method in changes.methods:
        for name, side in (("A", method.pair.before), ("B", method.pair.after)):
            lines += [f"{method.label}, {name}, {side.runs} of {side.expected} runs: {why}" for why in side.failures]
    return _list("Without a result", lines)


def _list(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {escaped(item)}" for item in items]
    return [f"## {escaped(title)}", "\n".join(lines)] if lines else []


def _evidence(changes: Changes) -> str:
    """What a verdict means, in one sentence."""
    if not changes.tests:
        return "No test was made: numbers are identical, or queries and seeds are too few or not known."
    least = f"{changes.detectable:.2f}" if math.isfinite(changes.detectable) else "unknown"
    return (
        f"Better and worse: paired randomisation test on the queries or seeds that both sides have, Holm-corrected "
        f"over {changes.tests} tests, {LEVEL:.0%} level; a true difference of {least} points would have been found in "
        f"80% of such comparisons. Undecided: too few pairs for any test."
    )


def _interval(change: Change) -> str:
    if change.interval is None:
        return "–"
    return " to ".join(_signed(bound * change.scale) for bound in change.interval)


def _number(value: float | None, scale: float) -> str:
    return "–" if value is None else f"{value * scale:.2f}"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # no -0.00


def _pipe(headers: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    align = ["left" if column in left else "right" for column in range(len(headers))]
    # Else 64.30 would print as 64.3.
    table: str = tabulate(lines, headers, tablefmt="pipe", disable_numparse=True, colalign=align)
    return table


def _json(changes: Changes) -> str:
    def method(one: MethodChange) -> dict[str, Any]:
        setting = one.pair.before.setting
        return {
            "dataset": setting.dataset,
            "fingerprint": setting.fingerprint,
            "protocol": setting.protocol,
            "methods": {kind: {"name": n, "parameters": given} for kind, (n, given) in one.pair.before.methods.items()},
            "label": one.label,
            "changes": [{**asdict(change), "difference": change.difference} for change in one.changes],
            "others": one.others,
            "costs": [asdict(cost) for cost in one.costs],
            "changed": one.changed,
            "failures": {"before": one.pair.before.failures, "after": one.pair.after.failures},
        }

    content = {
        "before": changes.before,
        "after": changes.after,
        "methods": [method(one) for one in changes.methods],
        "only_before": changes.only_before,
        "only_after": changes.only_after,
        "tests": changes.tests,
        "detectable": changes.detectable if math.isfinite(changes.detectable) else None,
        "notes": changes.notes,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
