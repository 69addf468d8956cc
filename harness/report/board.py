"""From records to boards: records of one method are averaged over seeds, methods are ranked, costs stand beside."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np

from harness.errors import NOTHING_MEASURED, HarnessError
from harness.protocols import KINDS
from harness.report.evidence import paired_values, sentence, unit_values
from harness.report.statistics import bootstrap_interval, compare
from harness.runs.record import Record


class NotComparable(HarnessError):
    """Records that must not stand in one table."""

    code = "L600"
    exit_code: ClassVar[int] = NOTHING_MEASURED


@dataclass(frozen=True)
class Column:
    """One number of a row.

    Attributes:
        key: where the records keep it, in ``metrics`` or ``figures``.
        title: heading.
        scale: factor for display.
        digits: decimals shown.
        higher_is_better: True, False, or None where neither is (a count).
    """

    key: str
    title: str
    scale: float = 1.0
    digits: int = 2
    higher_is_better: bool | None = True
    is_cost: bool = False
    published: bool = False
    """Not measured here: a published number, or the difference to one."""
    signed: bool = False


@dataclass(frozen=True)
class Cell:
    """Mean over seeds, sample standard deviation (ddof 1, None for one run), number of runs."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """One method combination on one dataset.

    ``rank`` is shared by methods that cannot be told apart and None where nothing was measured; ``notes`` say why.
    ``interval`` is the 95% interval of the first column, None where there are too few values. ``run_ids`` name the
    records behind the row, by seed. ``values`` are those of the first column on the queries or seeds ``units``: with
    them a committed ``results.json`` is enough for ``harness compare`` to test a difference.
    """

    rank: int | None
    labels: Mapping[str, str]
    cells: Mapping[str, Cell | None]
    interval: tuple[float, float] | None
    runs: int
    expected: int
    notes: tuple[str, ...]
    run_ids: tuple[str, ...] = ()
    units: tuple[int, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Board:
    """One table: one dataset, one setting of the protocol."""

    task: str
    dataset: str
    kinds: tuple[str, ...]
    """Kinds that differ between rows and so are columns."""
    common: Mapping[str, str]
    """Kinds that are the same in all rows."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    provenance: tuple[str, ...]
    fingerprint: str = ""
    """Of the data."""
    protocol_id: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)


_RETRIEVAL: Final = (
    Column("map_medium", "mAP Medium", 100),
    Column("map_hard", "mAP Hard", 100),
    Column("map_easy", "mAP Easy", 100),
    Column("mp@10_medium", "mP@10 Medium", 100),
    Column("mp@10_hard", "mP@10 Hard", 100),
)
_RETRIEVAL_COST: Final = (
    Column("query_s_p50", "ms/query", 1e3, 2, False, is_cost=True),
    Column("bytes_per_image", "bytes/image", 1, 0, False, is_cost=True),
)
_ACTIVE_COST: Final = (
    Column("acquire_s", "s/acquisition", 1, 4, False, is_cost=True),
    Column("cost.acquire.peak_mb", "acquisition MB", 1, 1, False, is_cost=True),
    Column("cost.train.wall_s", "training s", 1, 1, False, is_cost=True),
)


def boards(records: Iterable[Record], *, cost: bool = True) -> list[Board]:
    """One board per task, dataset and setting of the protocol, ordered by name. Raises ``NotComparable``."""
    groups: dict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        parameters, options = (
            json.dumps(given, sort_keys=True) for given in (record.dataset.parameters, record.protocol)
        )
        groups[record.task, record.dataset.name, parameters, options].append(record)
    every = [record for group in groups.values() for record in group]
    labelled = [(group[0].task, _setting_label(group[0], every), group) for group in groups.values()]
    return [_board(group, cost, label) for _, label, group in sorted(labelled, key=lambda item: item[:2])]


def _setting_label(record: Record, records: Sequence[Record]) -> str:
    """The dataset's name, and what tells it and its protocol from the others of this name."""
    same = [other for other in records if (other.task, other.dataset.name) == (record.task, record.dataset.name)]
    parameters = _differing(record.dataset.parameters, [other.dataset.parameters for other in same])
    options = _differing(record.protocol, [other.protocol for other in same])
    return " ".join([record.dataset.name, *parameters, *options])


def _differing(parameters: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """``p=3`` for each parameter that is not the same everywhere."""
    return [
        f"{name}={_option(value)}"
        for name, value in sorted(parameters.items())
        if value not in ("", [], None) and any(name not in other or other[name] != value for other in others)
    ]


def _board(records: Sequence[Record], cost: bool, label: str) -> Board:
    _refuse_mixture(records)
    combinations: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: (record.seed, record.id)):
        combinations[_combination(record)].append(record)
    labels = [_labels(group[0], records) for group in combinations.values()]
    present = [kind for kind in KINDS if any(kind in label for label in labels)]
    differing = tuple(kind for kind in present if len({label.get(kind, "none") for label in labels}) > 1)
    shown = differing or tuple(present[-1:])
    columns = _columns(records, cost)
    values = paired_values(combinations, columns[0].key) if columns else {}
    comparison = compare(values, np.random.default_rng(0))  # the same records give the same table
    rows = [
        Row(
            rank=comparison.groups.get(combination),
            labels={kind: names.get(kind, "none") for kind in shown},
            cells=_cells(group, columns),
            interval=_interval(values.get(combination)),
            runs=sum(record.status == "done" for record in group),
            expected=len(group),
            notes=_notes(group),
            run_ids=tuple(record.id for record in group),
            **_values(group, columns),
        )
        for names, (combination, group) in zip(labels, combinations.items(), strict=True)
    ]
    evidence = sentence(comparison, records[0].task)
    return Board(
        task=records[0].task,
        dataset=label,
        kinds=shown,
        common={kind: labels[0].get(kind, "none") for kind in present if kind not in shown},
        columns=columns,
        rows=tuple(_best_first(rows, columns)),
        provenance=(*([evidence] if evidence else []), *_provenance(records)),
        fingerprint=records[0].dataset.fingerprint,
        protocol_id=records[0].protocol_id,
        protocol=records[0].protocol,
    )


def _refuse_mixture(records: Sequence[Record]) -> None:
    first = records[0]
    for other in records:
        for what, a, b in (
            ("protocol", first.protocol_id, other.protocol_id),
            ("data fingerprint", first.dataset.fingerprint, other.dataset.fingerprint),
        ):
            if a != b:
                raise NotComparable(
                    f"records of {first.dataset.name} differ in their {what}: {a[:24]} and {b[:24]}",
                    why=f"runs {first.id} and {other.id} cannot stand in one table",
                    fix="make one leaderboard of each, or run the older ones again",
                )


def _combination(record: Record) -> str:
    methods = {kind: [m.name, m.parameters, m.plugin, m.digest] for kind, m in record.methods.items()}
    return json.dumps(methods, sort_keys=True)


def _labels(record: Record, records: Sequence[Record]) -> dict[str, str]:
    """``gem p=3``: the name and those parameters that differ between the records of this name."""
    labels = {}
    for kind, method in record.methods.items():
        others = [
            r.methods[kind].parameters for r in records if kind in r.methods and r.methods[kind].name == method.name
        ]
        labels[kind] = " ".join([method.name, *_differing(method.parameters, others)])
    return labels


def _text(value: Any) -> str:
    """A short text: of a path its last part, of a checksum its beginning."""
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        return value[:8]
    if isinstance(value, str) and "/" in value:
        return value.rsplit("/", 1)[-1]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _columns(records: Sequence[Record], cost: bool) -> tuple[Column, ...]:
    """The columns for which any record has a number; the first decides the rank."""
    candidates: tuple[Column, ...]
    if records[0].task == "retrieval":
        candidates = (*_RETRIEVAL, *_RETRIEVAL_COST)
    else:
        sizes = sorted({int(m[1]) for r in records for key in r.metrics if (m := re.fullmatch(r"accuracy@(\d+)", key))})
        # The largest number of labels comes first: it decides the rank.
        curve = [Column(f"accuracy@{size}", f"{size} labels", 100) for size in [*sizes[-1:], *sizes[:-1]]]
        candidates = (*curve, Column("area_under_curve", "area under curve", 100), *_ACTIVE_COST)
    columns = [column for column in candidates if any(_value(record, column) is not None for record in records)]
    return tuple(column for column in columns if cost or not column.is_cost)


def column_of(key: str) -> Column | None:
    """The column of a headline metric by its key, as boards have it."""
    if match := re.fullmatch(r"accuracy@(\d+)", key):
        return Column(key, f"{match[1]} labels", 100)
    return next((column for column in _RETRIEVAL if column.key == key), None)


def _value(record: Record, column: Column) -> float | None:
    if column.key.startswith("cost."):
        _, stage, what = column.key.split(".")
        entry = record.cost.get(stage)
        if entry is None:
            return None
        return entry.peak_bytes / 1e6 if what == "peak_mb" else entry.wall_s
    return record.metrics.get(column.key, record.figures.get(column.key))


def _cells(records: Sequence[Record], columns: Sequence[Column]) -> dict[str, Cell | None]:
    done = [record for record in records if record.status == "done"]
    return {column.key: _cell([_value(record, column) for record in done]) for column in columns}


def _values(records: Sequence[Record], columns: Sequence[Column]) -> dict[str, Any]:
    """Units and values of the first column, to six digits."""
    found = unit_values(records, columns[0].key) if columns else {}
    return {"units": tuple(found), "values": tuple(round(value, 6) for value in found.values())}


def _notes(records: Sequence[Record]) -> tuple[str, ...]:
    """Why runs of this row have no result, each reason once."""
    reasons = {
        f"failed: {record.failure.message or record.failure.code}" if record.failure else "not run"
        for record in records
        if record.status != "done"
    }
    return tuple(sorted(reasons))


def _interval(values: Any) -> tuple[float, float] | None:
    """The same resamples for every row: an interval does not depend on which other methods stand in the table."""
    return bootstrap_interval(values, np.random.default_rng(0)) if values is not None and len(values) > 1 else None


def _cell(values: Sequence[float | None]) -> Cell | None:
    numbers = [value for value in values if value is not None]
    if not numbers:
        return None
    return Cell(statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None, len(numbers))


def _best_first(rows: list[Row], columns: Sequence[Column]) -> list[Row]:
    """By the mean of the first column; equal ones by name; rows without a number last."""

    def key(row: Row) -> tuple[bool, float, tuple[str, ...]]:
        cell = row.cells[columns[0].key] if columns else None
        return cell is None, -cell.mean if cell else 0.0, tuple(row.labels.values())

    return sorted(rows, key=key)


def _provenance(records: Sequence[Record]) -> Iterable[str]:
    first = records[0]
    counts = ", ".join(f"{count} {what}" for what, count in sorted(_counts(records).items()))
    size = f" ({counts})" if counts else ""
    what = f"fingerprint `{first.dataset.fingerprint[:12]}`" if first.dataset.fingerprint else "whose data are missing"
    yield f"Dataset `{first.dataset.name}`{size}, {what}."
    options = ", ".join(f"{name} {_option(value)}" for name, value in sorted(first.protocol.items()))
    yield f"Protocol `{first.protocol_id}`: {options}."
    seeds = ", ".join(str(seed) for seed in sorted({record.seed for record in records}))
    yield f"Seeds: {seeds}; mean ± sample standard deviation over them. Records: {len(records)}."
    plugins = {f"{m.plugin} {m.version}".strip() for record in records for m in record.methods.values()}
    yield f"Plugins: {', '.join(sorted(plugins))}."
    machines = {str(record.environment.get("cpu", "")) for record in records if record.status != "missing"} - {""}
    if machines:
        yield f"Measured on: {', '.join(sorted(machines))}."


def _counts(records: Sequence[Record]) -> Mapping[str, int]:
    return next((record.dataset.counts for record in records if record.dataset.counts), {})


def _option(value: Any) -> str:
    return "/".join(map(_text, value)) or "none" if isinstance(value, list | tuple) else _text(value)
