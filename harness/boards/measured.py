"""What one method gave on one data set under one protocol: the unit that two sides of a comparison are matched by.

Made from records, or from the committed JSON of a leaderboard, which holds less: no costs of single stages, no sources.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from harness.boards.columns import Cell, board_columns, cells, cost_columns
from harness.boards.evidence import unit_values
from harness.core.errors import DataDamaged
from harness.runs.record import Record
from harness.runs.results import Results

Method = tuple[str, Mapping[str, Any]]
"""Name and parameters."""
ENGINE: Final = "engine"
"""The part of the harness that measures; its digest is in the name of the protocol."""


@dataclass(frozen=True)
class Setting:
    """What was measured on, and how: numbers of two settings must not be compared."""

    task: str
    dataset: str
    dataset_parameters: Mapping[str, Any]
    fingerprint: str
    protocol: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Equal for equal data and protocols, whatever the data set is called, if it is known which data it holds."""
        return json.dumps([self.task, self.fingerprint or self.dataset, self.protocol], sort_keys=True)


@dataclass(frozen=True)
class Measured:
    """One method in one setting.

    Attributes:
        setting: data and protocol.
        methods: name and parameters by kind.
        primary: the metric that decides, empty where nothing was measured.
        values: metric -> value by query (retrieval) or seed (active learning).
        means: metric -> number of the leaderboard.
        cost: column of the leaderboard -> mean over the runs.
        sources: what made the numbers, by part (each kind, the engine): plugin with version, and source digest.
        machine: processor and threads.
        runs: number of results; ``expected``: with those that failed or were not run.
        failures: why runs have no result.
        older: records left out because the same run was done again later.
    """

    setting: Setting
    methods: Mapping[str, Method]
    primary: str = ""
    values: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, Cell] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    machine: str = ""
    runs: int = 0
    expected: int = 0
    failures: tuple[str, ...] = ()
    older: int = 0


def measured(results: Results) -> list[Measured]:
    """All methods of a folder, spec or leaderboard. Raises ``DataDamaged``."""
    if results.boards:
        return [found for board in results.boards for found in _of_board(board, results.name)]
    return of_records(results.records)


def of_records(records: Iterable[Record]) -> list[Measured]:
    """Records of one method and setting together; of two records of one seed the later one counts."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        methods = {kind: [m.name, m.parameters] for kind, m in record.methods.items()}
        groups[_setting(record).key + json.dumps(methods, sort_keys=True)].append(record)
    return [_of_group(group) for group in groups.values()]


def _setting(record: Record) -> Setting:
    data = record.dataset
    return Setting(record.task, data.name, data.parameters, data.fingerprint, record.protocol)


def _of_group(group: Sequence[Record]) -> Measured:
    latest: dict[int, Record] = {}
    for record in sorted(group, key=lambda r: (r.status != "missing", r.finished, r.id)):
        latest[record.seed] = record
    records = [latest[seed] for seed in sorted(latest)]
    done = [record for record in records if record.status == "done"]
    names = sorted({name for record in done for name, value in record.metrics.items() if value is not None})
    values = {name: found for name in names if (found := _values(done, name))}
    return Measured(
        setting=_setting(records[0]),
        methods={kind: (method.name, method.parameters) for kind, method in records[0].methods.items()},
        primary=_primary(names),
        values=values,
        means={name: statistics.fmean(_known(record.metrics.get(name) for record in done)) for name in names},
        cost=_costs(done),
        sources=_sources(done),
        machine=_one({_machine(record) for record in done}),
        runs=len(done),
        expected=len(records),
        failures=_failures(records),
        older=len(group) - len(records),
    )


def _primary(names: Sequence[str]) -> str:
    """The metric by which the leaderboard ranks, empty where nothing was measured."""
    curve = sorted((name for name in names if name.startswith("accuracy@")), key=lambda name: int(name[9:]))
    order = ("map_medium", "map_hard", "map_easy", *curve[-1:], "accuracy")
    return next((name for name in order if name in names), "")


def _values(done: Sequence[Record], metric: str) -> Mapping[int, float]:
    """Per query or seed; nothing for a retrieval metric of which only the mean was kept, as of mP@10."""
    if done[0].task == "retrieval" and not metric.startswith("map_"):
        return {}
    return unit_values(done, metric)


def _costs(done: Sequence[Record]) -> dict[str, Cell]:
    """The costs of the leaderboard."""
    columns = [column for column in board_columns(done, cost=True) if column.is_cost] if done else []
    return {key: cell for key, cell in cells(done, columns).items() if cell is not None}


def _sources(done: Sequence[Record]) -> dict[str, tuple[str, str]]:
    """Where the records of a method disagree, all that they say."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for record in done:
        found[ENGINE].add(("", record.protocol_id))
        for kind, method in record.methods.items():
            found[kind].add((f"{method.plugin} {method.version}".strip(), method.digest[:12]))
    return {part: (_one({a for a, _ in texts}), _one({b for _, b in texts})) for part, texts in found.items()}


def _machine(record: Record) -> str:
    about = record.environment
    return f"{about.get('cpu', '')}, {about.get('threads') or 'all'} threads" if about.get("cpu") else ""


def _failures(records: Sequence[Record]) -> tuple[str, ...]:
    reasons = {
        f"failed: {r.failure.message or r.failure.code}" if r.failure else "not run"
        for r in records
        if r.status != "done"
    }
    return tuple(sorted(reasons))


def _one(texts: Iterable[str]) -> str:
    return " and ".join(sorted(texts))


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _of_board(board: Mapping[str, Any], name: str) -> list[Measured]:
    """The rows of a board in a ``results.json``."""
    try:
        setting = Setting(
            str(board["task"]), str(board["dataset"]), {}, str(board.get("fingerprint", "")), board.get("protocol", {})
        )
        engine = {ENGINE: ("", str(board.get("protocol_id", "")))}
        machine = next((line for line in board["provenance"] if line.startswith("Measured on: ")), "")
        found = [_of_row(row, setting, dict(board["common"])) for row in board["rows"]]
        return [replace(one, sources=engine, machine=machine) for one in found]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{name} is not the JSON of a leaderboard: {type(error).__name__}: {error}"
        raise DataDamaged(reason, fix="harness leaderboard --format json writes it") from error


def _of_row(row: Mapping[str, Any], setting: Setting, common: Mapping[str, str]) -> Measured:
    found = {key: Cell(**cell) for key, cell in row["cells"].items() if cell}
    columns = {column.key for column in cost_columns()}
    means = {key: cell.mean for key, cell in found.items() if key not in columns and not key.startswith("cost.")}
    first = next(iter(row["cells"]), "")
    values = {int(u): float(v) for u, v in zip(row.get("units", ()), row.get("values", ()), strict=True)}
    return Measured(
        setting=setting,
        methods={kind: (str(text), {}) for kind, text in {**common, **row["labels"]}.items() if text != "none"},
        primary=first if first in means else "",
        values={first: values} if values else {},
        means=means,
        cost={key: cell for key, cell in found.items() if key in columns},
        runs=int(row["runs"]),
        expected=int(row["expected"]),
        failures=tuple(map(str, row["notes"])),
    )
