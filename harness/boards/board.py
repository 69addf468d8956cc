"""From records to boards: records of one method are averaged over seeds, methods are ranked, costs stand beside."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from harness.boards.columns import Cell, Column, board_columns, cells, column_of, front
from harness.boards.evidence import Interval, Units, paired_units, sentence
from harness.boards.labels import Labels, method_labels, option, setting_labels
from harness.boards.statistics import Comparison, compare
from harness.core.errors import NOTHING_MEASURED, HarnessError
from harness.plugin_api import KINDS
from harness.runs.record import Record

__all__ = ["Board", "Cell", "Column", "NotComparable", "Row", "boards", "column_of", "grouped", "row_name"]


class NotComparable(HarnessError):
    """Records that must not stand in one table."""

    code = "L600"
    exit_code: ClassVar[int] = NOTHING_MEASURED


@dataclass(frozen=True)
class Row:
    """One method combination on one dataset.

    Attributes:
        rank: one more than the methods that are significantly better; None where nothing was measured or compared.
        labels: kind -> label, for the kinds of the board.
        cells: column -> mean over the runs, None where there is none.
        interval: 95% interval of the first column, None where there are too few values.
        runs: runs that are done.
        expected: runs that there should be.
        notes: why runs of this row have no result, or why it was not compared.
        rank_last: the last rank that it may have: the number of methods less those that are significantly worse.
        front: costs against which it is on the Pareto front.
        reason: the first note, for a cell; empty where all runs are done.
        run_ids: records behind the row, by seed.
        units: queries or seeds of the values.
        values: of the first column by query or seed, to six digits: with them a committed ``results.json`` is enough
            for ``harness compare`` to test a difference.
    """

    rank: int | None
    labels: Mapping[str, str]
    cells: Mapping[str, Cell | None]
    interval: Interval | None
    runs: int
    expected: int
    notes: tuple[str, ...]
    rank_last: int | None = None
    front: tuple[str, ...] = ()
    reason: str = ""
    run_ids: tuple[str, ...] = ()
    units: tuple[int, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Board:
    """One table: one dataset, one setting of the protocol.

    Attributes:
        task: task of all records.
        dataset: the dataset's name and what tells its setting from the others.
        kinds: kinds that differ between rows and so are columns.
        common: kinds that are the same in all rows.
        columns: numbers, the headline first.
        rows: best first.
        provenance: sentences of the footer, plain text; the first says what the ranks are worth.
        comparison: what the ranks rest on; None without results.
        fingerprint: of the data.
        protocol_id: of all records.
        protocol: its options.
    """

    task: str
    dataset: str
    kinds: tuple[str, ...]
    common: Mapping[str, str]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    provenance: tuple[str, ...]
    comparison: Comparison | None = None
    fingerprint: str = ""
    protocol_id: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """What the first column measures, in a sentence."""
        return _metric(self.task, self.columns)


def boards(records: Iterable[Record], *, cost: bool = True) -> list[Board]:
    """One board per task, dataset and setting of the protocol, ordered by name.

    Args:
        records: of one or more runs; those of several seeds are averaged.
        cost: whether to show time and memory.

    Raises:
        NotComparable: records of one board were measured by different protocols or on different data.
    """
    return [_board(group, cost, label) for label, group in grouped(records)]


def grouped(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """Records by board: its label and its records. Raises ``NotComparable``."""
    groups: dict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        parameters, options = (
            json.dumps(given, sort_keys=True) for given in (record.dataset.parameters, record.protocol)
        )
        groups[record.task, record.dataset.name, parameters, options].append(record)
    labels = setting_labels([group[0] for group in groups.values()])
    found = sorted(zip(labels, groups.items(), strict=True), key=lambda item: (item[1][0][0], item[0], item[1][0]))
    for _, (_, group) in found:
        _refuse_mixture(group)
    return [(label, group) for label, (_, group) in found]


def combinations(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records of each combination of methods, in an order that does not depend on that of the records."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: (record.seed, record.id)):
        methods = {kind: [m.name, m.parameters, m.plugin, m.digest] for kind, m in record.methods.items()}
        found[json.dumps(methods, sort_keys=True)].append(record)
    return dict(sorted(found.items()))


def row_name(row: Row, kinds: Sequence[str]) -> str:
    """``gem p=3 · pca``: the labels of a row in one line."""
    return " · ".join(row.labels.get(kind, "none") for kind in kinds)


def _board(records: Sequence[Record], cost: bool, label: str) -> Board:
    groups = combinations(records)
    labels = method_labels({name: group[0] for name, group in groups.items()})
    present = [kind for kind in KINDS if any(kind in names for names in labels.values())]
    differing = tuple(k for k in present if len({names.get(k, "none") for names in labels.values()}) > 1)
    shown = differing or tuple(present[-1:])
    columns = board_columns(records, cost)
    units = paired_units(groups, columns[0].key if columns else "")
    comparison = compare(units.paired, np.random.default_rng(0)) if units.values else None  # seeded: the same table
    rows = _rows(groups, labels, shown, columns, units, comparison)
    machines = _machines(records)
    footer = sentence(comparison, records[0].task, _metric(records[0].task, columns)) if comparison else ""
    return Board(
        task=records[0].task,
        dataset=label,
        kinds=shown,
        common={kind: next(iter(labels.values())).get(kind, "none") for kind in present if kind not in shown},
        columns=columns,
        rows=tuple(_best_first(rows if len(machines) > 1 else _with_fronts(rows, columns), columns)),
        provenance=(*([footer] if footer else []), *_provenance(records, machines)),
        comparison=comparison,
        fingerprint=records[0].dataset.fingerprint,
        protocol_id=records[0].protocol_id,
        protocol=records[0].protocol,
    )


def _metric(task: str, columns: Sequence[Column]) -> str:
    title = columns[0].title if columns else "no metric"
    return title if task == "retrieval" else f"accuracy with {title}"


def _rows(
    groups: Mapping[str, Sequence[Record]],
    labels: Mapping[str, Labels],
    shown: Sequence[str],
    columns: Sequence[Column],
    units: Units,
    comparison: Comparison | None,
) -> list[Row]:
    intervals = units.intervals()
    ranks = comparison.ranks if comparison else {}
    rows = []
    for name, group in groups.items():
        first, last = ranks.get(name, (None, None))
        values = units.values.get(name, {})
        notes, reason = _notes(group)
        if first is None and values and not units.shared <= values.keys():
            shared, unit = len(units.shared), "queries" if group[0].task == "retrieval" else "seeds"
            notes = (*notes, f"not compared: it lacks some of the {shared} {unit} that the others have")
        rows.append(
            Row(
                rank=first,
                labels={kind: labels[name].get(kind, "none") for kind in shown},
                cells=cells(group, columns),
                interval=intervals.get(name),
                runs=sum(record.status == "done" for record in group),
                expected=len(group),
                notes=notes,
                rank_last=last,
                reason=reason,
                run_ids=tuple(record.id for record in group),
                units=tuple(sorted(values)),
                values=tuple(np.round([values[unit] for unit in sorted(values)], 6).tolist()),
            )
        )
    return rows


def _with_fronts(rows: list[Row], columns: Sequence[Column]) -> list[Row]:
    """Rows that know where they are on a Pareto front."""
    marked: list[list[str]] = [[] for _ in rows]
    for cost in columns:
        if cost.pareto and len(rows) > 1:
            on_front = front([(row.cells[cost.key], row.cells[columns[0].key]) for row in rows], cost, columns[0])
            for fronts, is_on in zip(marked, on_front, strict=True):
                fronts += [cost.key] if is_on else []
    return [replace(row, front=tuple(fronts)) for row, fronts in zip(rows, marked, strict=True)]


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


def _notes(records: Sequence[Record]) -> tuple[tuple[str, ...], str]:
    """Why runs have no result, each reason once; and the first in short."""
    reasons = {(r.failure.code, r.failure.message) if r.failure else None for r in records if r.status != "done"}
    failures = sorted(reason for reason in reasons if reason)
    notes = [f"{_word(code)}: {message or code}" for code, message in failures]
    notes += ["not run"] if None in reasons else []
    return tuple(notes), notes[0] if notes else ""


def _word(code: str) -> str:
    return "timed out" if "timeout" in code.lower().replace("-", "").replace("_", "") else "failed"


def _best_first(rows: list[Row], columns: Sequence[Column]) -> list[Row]:
    """By the mean of the first column; equal ones by name; rows without a number last."""

    def key(row: Row) -> tuple[bool, float, tuple[str, ...]]:
        cell = row.cells[columns[0].key] if columns else None
        return cell is None, -cell.mean if cell else 0.0, tuple(row.labels.values())

    return sorted(rows, key=key)


def _machines(records: Iterable[Record]) -> list[str]:
    return sorted({str(r.environment.get("cpu", "")) for r in records if r.status != "missing"} - {""})


def _provenance(records: Sequence[Record], machines: Sequence[str]) -> Iterable[str]:
    first = records[0]
    counts = ", ".join(f"{count} {what}" for what, count in sorted(_counts(records).items()))
    size = f" ({counts})" if counts else ""
    what = f"fingerprint {first.dataset.fingerprint[:12]}" if first.dataset.fingerprint else "whose data are missing"
    yield f"Dataset {first.dataset.name}{size}, {what}."
    options = ", ".join(f"{name} {option(value)}" for name, value in sorted(first.protocol.items()))
    yield f"Protocol {first.protocol_id}: {options}."
    seeds = ", ".join(str(seed) for seed in sorted({record.seed for record in records}))
    yield f"Seeds: {seeds}; mean ± sample standard deviation over them. Records: {len(records)}."
    plugins = {f"{m.plugin} {m.version}".strip() for record in records for m in record.methods.values()}
    yield f"Plugins: {', '.join(sorted(plugins))}."
    yield from _deviations(records)
    if machines:
        yield f"Measured on: {', '.join(machines)}."
    if len(machines) > 1:
        yield "Costs come from different machines and cannot be compared."


def _deviations(records: Sequence[Record]) -> Iterable[str]:
    """A sentence for each method that declares to break a rule of its kind."""
    declared = {(m.kind, m.name): m.deviations for record in records for m in record.methods.values() if m.deviations}
    for (kind, name), rules in sorted(declared.items()):
        reasons = "; ".join(f"{rule} ({reason})" for rule, reason in sorted(rules.items()))
        yield f"By its author's declaration {kind} {name} deviates from the rules of its kind: {reasons}."


def _counts(records: Sequence[Record]) -> Mapping[str, int]:
    return next((record.dataset.counts for record in records if record.dataset.counts), {})
