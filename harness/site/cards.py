"""What is told of a method: where it comes from, its parameters, what it costs, and of each of its runs how it went."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from harness.boards.columns import Column
from harness.bundles.people import Standing
from harness.core.errors import HarnessError
from harness.registry import Registry
from harness.runs.labels import SHOWN_KINDS
from harness.runs.record import CostRecord, MethodRecord, Record
from harness.site.names import run_name, slug, unique
from harness.site.view import BoardView, value_text

Summaries = Mapping[tuple[str, ...], str]
"""Kind, name, plugin and version of a method -> what it is, in a line."""

_TRACEBACK_LINES: Final = 12


@dataclass(frozen=True)
class MethodCard:
    """A method of one plugin, version and source, with the settings in which it was measured."""

    id: str
    kind: str
    name: str
    summary: str
    plugin: str
    version: str
    digest: str
    origin: str
    parameters: tuple[tuple[str, str], ...]
    """Name, and the values that occur."""
    runs: int


@dataclass(frozen=True)
class StageCost:
    """Means over the runs that measured a stage themselves; of a stage that was always cached, over all."""

    stage: str
    wall_s: str
    cpu_s: str
    peak_mb: str
    measured: str


@dataclass(frozen=True)
class RunCard:
    """One run: its numbers, how it went, where and when it ran."""

    id: str
    anchor: str
    seed: int
    status: str
    numbers: tuple[str, ...]
    seconds: str
    started: str
    file: str
    """The copy of its record; empty for a pending run."""
    failure: str
    traceback: str
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Environment:
    """Where runs were done, and which of them."""

    seeds: str
    facts: tuple[tuple[str, str], ...]


def summaries(registry: Registry, records: Iterable[Record]) -> Summaries:
    """First line of the documentation of each method, where the plugin and version that ran are here; loads none."""
    texts: dict[tuple[str, ...], str] = {}
    for key in sorted({_plugin_key(method) for record in records for method in record.methods.values()}):
        kind, name, plugin, version = key
        try:
            entry = registry.entry(kind, name)
        except HarnessError:  # a method of a plugin that is not here
            continue
        if (entry.origin.plugin, entry.origin.version) == (plugin, version):
            texts[key] = entry.summary
    return texts


def _plugin_key(method: MethodRecord) -> tuple[str, ...]:
    return method.kind, method.name, method.plugin, method.version


def method_cards(records: Iterable[Record], about: Summaries) -> list[MethodCard]:
    """A card for every method of the records, by kind and name."""
    groups: dict[tuple[str, ...], list[MethodRecord]] = {}
    for record in records:
        for kind, method in record.methods.items():
            groups.setdefault((kind, method.name, method.plugin, method.version, method.digest), []).append(method)
    order = sorted(
        groups, key=lambda key: (SHOWN_KINDS.index(key[0]) if key[0] in SHOWN_KINDS else len(SHOWN_KINDS), *key)
    )
    ids = unique([f"method-{slug(f'{kind} {name}', 50)}" for kind, name, *_ in order])
    return [_card(anchor, groups[key], about) for anchor, key in zip(ids, order, strict=True)]


def _card(anchor: str, methods: Sequence[MethodRecord], about: Summaries) -> MethodCard:
    first = methods[0]
    values: dict[str, dict[str, None]] = {}
    for method in methods:
        for name, value in method.parameters.items():
            values.setdefault(name, {})[value_text(value)] = None
    return MethodCard(
        id=anchor,
        kind=first.kind,
        name=first.name,
        summary=about.get(_plugin_key(first), ""),
        plugin=first.plugin,
        version=first.version,
        digest=first.digest,
        origin=first.origin,
        parameters=tuple((name, "  |  ".join(sorted(texts, key=_natural))) for name, texts in sorted(values.items())),
        runs=len(methods),
    )


def _natural(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


def stage_costs(records: Sequence[Record]) -> list[StageCost]:
    """What each stage took, in the order in which the stages came."""
    stages: dict[str, list[CostRecord]] = {}
    for record in records:
        for stage, cost in record.cost.items():
            stages.setdefault(stage, []).append(cost)
    return [_stage(stage, costs) for stage, costs in stages.items()]


def _stage(stage: str, costs: Sequence[CostRecord]) -> StageCost:
    own = [cost for cost in costs if not cost.cached]
    counted = own or costs
    return StageCost(
        stage,
        f"{statistics.fmean(cost.wall_s for cost in counted):.3f}",
        f"{statistics.fmean(cost.cpu_s for cost in counted):.3f}",
        f"{max(cost.peak_bytes for cost in counted) / 1e6:.1f}",
        f"{len(own)} of {len(costs)}",
    )


def run_cards(records: Sequence[Record], board: BoardView) -> list[RunCard]:
    """The runs of a row by seed, with the board's numbers of quality."""
    columns = quality(board)
    return [_run(record, columns, board.people.get(record.id)) for record in records]


def quality(board: BoardView) -> list[Column]:
    """The columns that say how good a run was, as it was measured."""
    return [column for column in board.columns if not column.is_cost and not column.published]


def _run(record: Record, columns: Sequence[Column], people: Standing | None) -> RunCard:
    measured = record.status != "missing"
    failure = record.failure
    return RunCard(
        id=record.id,
        anchor=f"run-{run_name(record.id)}",
        seed=record.seed,
        status=record.status if measured else "not run",
        numbers=tuple(_metric(record, column) for column in columns),
        seconds=_seconds(record) if measured else "",
        started=_time(record.started) if measured else "",
        file=f"records/{run_name(record.id)}.json" if measured else "",
        failure=f"{failure.code}: {failure.message}" if failure else "",
        traceback="\n".join(failure.traceback.splitlines()[-_TRACEBACK_LINES:]) if failure else "",
        notes=(*_people(people), *((str(name), value_text(note)) for name, note in _notes(record))),
    )


def _people(run: Standing | None) -> Iterator[tuple[str, str]]:
    """Who measured a run, who did it again and how far from its record, and where those who did it disagree."""
    if run is None:
        return
    yield "measured by", ", ".join(run.measured_by) + (f" ({len(run.records)} records)" if len(run.records) > 1 else "")
    for line in run.recomputed:
        yield "recomputed", f"by {line.by}, {line.when}, to {line.difference:.2g} points"
    for difference in run.disagreements:
        yield "disagreement", difference


def _metric(record: Record, column: Column) -> str:
    value = record.metrics.get(column.key)
    return "–" if value is None else column.shown(value)


def _notes(record: Record) -> list[tuple[str, object]]:
    notes = record.details.get("notes")
    return sorted(notes.items()) if isinstance(notes, dict) else []


def environments(records: Sequence[Record]) -> list[Environment]:
    """The environments in which the runs were done, each once, with the seeds that it holds for."""
    seeds: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for record in records:
        if record.status != "missing":
            facts = tuple((name, value_text(value)) for name, value in record.environment.items())
            seeds.setdefault(facts, []).append(str(record.seed))
    return [Environment(", ".join(dict.fromkeys(numbers)), facts) for facts, numbers in seeds.items()]


def _seconds(record: Record) -> str:
    try:
        passed = datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)
    except (ValueError, TypeError):  # not a time; or one with a zone and one without
        return ""
    return f"{passed.total_seconds():.1f}"


def _time(text: str) -> str:
    """To the second, as it was recorded."""
    return text[:19].replace("T", " ") + (" UTC" if text.endswith("+00:00") else "")
