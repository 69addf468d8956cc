"""One record as text: what was asked, what came out, what it cost, and why there is no result."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.boards.render.markdown import plain_text
from harness.boards.render.table import make_table
from harness.runs.labels import option
from harness.runs.record import CostRecord, Failure, Record

_MEGABYTE = 1e6


def record_text(record: Record) -> str:
    """All that a reader wants to know of one run; parameters at their default are left out."""
    sections = [
        ("", _heading(record)),
        (
            "methods",
            [(f"{kind} {m.name}", _parameters(record, kind, m.parameters)) for kind, m in record.methods.items()],
        ),
        ("dataset", _dataset(record)),
        ("protocol", [("options", _parameters(record, "protocol", record.protocol))]),
        ("failure", _failure(record.failure)),
        ("metrics", [(name, _number(value)) for name, value in record.metrics.items()]),
        ("health", _health(record.details)),
        ("cost", [(stage, _cost(cost)) for stage, cost in record.cost.items()]),
        ("environment", [(name, _value(value)) for name, value in record.environment.items()]),
    ]
    return "\n\n".join(_section(title, lines) for title, lines in sections if lines)


def _section(title: str, lines: Sequence[tuple[str, str]]) -> str:
    table = plain_text(make_table(["", ""], [list(line) for line in lines if "\n" not in line[1]]))
    blocks = [f"{name}\n{textwrap.indent(text, '  ')}" for name, text in lines if "\n" in text]
    body = "\n".join([table, *blocks] if table else blocks)
    return f"{title}\n{textwrap.indent(body, '  ')}" if title else body


def _heading(record: Record) -> list[tuple[str, str]]:
    when = f"{record.started[:19]} to {record.finished[:19]}" if record.started else ""
    lines = [("run", record.id), ("status", record.status), ("task", record.task), ("seed", str(record.seed))]
    return [*lines, ("time", when)] if when else lines


def _dataset(record: Record) -> list[tuple[str, str]]:
    about = record.dataset
    lines = [(about.name, _parameters(record, "dataset", about.parameters)), ("fingerprint", about.fingerprint[:16])]
    counts = ", ".join(f"{count:,} {what}" for what, count in about.counts.items())
    note = [("note", "stand-in data: not comparable")] if record.stand_in else []
    return [*lines, *([("counts", counts)] if counts else []), *note]


def _parameters(record: Record, part: str, values: Mapping[str, Any]) -> str:
    """Those that are not at their default; all where that was not recorded."""
    known = (record.non_default or {}).get(part)
    shown = values if known is None else {name: values[name] for name in known if name in values}
    return ", ".join(f"{name} {option(value, short=False)}" for name, value in shown.items()) or "defaults"


def _failure(failure: Failure | None) -> list[tuple[str, str]]:
    if failure is None:
        return []
    found = [
        ("code", failure.code),
        ("message", failure.message),
        ("fix", failure.fix),
        ("place", failure.place),
        ("signal", failure.signal),
        ("traceback", failure.traceback and f"{failure.traceback}\n"),
        ("output", failure.output and f"{failure.output}\n"),
    ]
    return [(name, text) for name, text in found if text]


def _health(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    health = details.get("health")
    lines = list(_flat(health)) if isinstance(health, Mapping) else []
    doubts = details.get("doubts")
    return [*lines, *(("doubt", str(doubt)) for doubt in doubts if doubt)] if isinstance(doubts, list) else lines


def _flat(values: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", _value(value)


def _cost(cost: CostRecord) -> str:
    marks = [mark for mark, holds in (("cached", cost.cached), ("contended", cost.contended)) if holds]
    text = f"{cost.wall_s:.3f} s, {cost.cpu_s:.3f} s CPU, {cost.peak_bytes / _MEGABYTE:.1f} MB"
    return f"{text} ({', '.join(marks)})" if marks else text


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.6g}"


def _value(value: Any) -> str:
    return ", ".join(_pairs(value)) if isinstance(value, Mapping) else option(value, short=False)


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    return (f"{name} {value}" for name, value in values.items())
