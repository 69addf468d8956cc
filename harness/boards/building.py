"""From records to boards: records of one method are averaged over seeds, methods are ranked, costs stand beside."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from harness.boards.board import STORED_DIGITS, Board, NotComparable, Row
from harness.boards.columns import Column, board_columns, cells, front
from harness.boards.evidence import paired_units, unit_values
from harness.boards.failures import done, doubt_notes, failure_notes, incomplete_note
from harness.boards.footer import machines, ranks_sentence, sources_of
from harness.boards.statistics import pairwise_tests
from harness.plugin_api import KINDS
from harness.runs.comparability import doubts
from harness.runs.labels import Method, method_labels, methods_of, non_default_of, setting_labels
from harness.runs.record import Record


def boards(records: Iterable[Record], *, cost: bool = True) -> list[Board]:
    """One board per task, dataset and setting of the protocol, ordered by name.

    Args:
        records: of one or more runs; those of several seeds are averaged.
        cost: whether to show time and memory.

    Raises:
        NotComparable: records of one board were measured by different protocols or on different data.
    """
    groups = sorted(grouped(records), key=lambda item: (item[1][0].task, item[0], _setting(item[1][0])))
    for _, group in groups:
        _refuse_mixture(group)
    return [_ranked(unranked_board(group, label, cost=cost)) for label, group in groups]


def grouped(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """Records by task, dataset and setting of the protocol: the label of each board and its records."""
    groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        groups[_setting(record)].append(record)
    labels = setting_labels([group[0] for group in groups.values()])
    return list(zip(labels, groups.values(), strict=True))


def _setting(record: Record) -> tuple[str, ...]:
    parameters, options = (json.dumps(given, sort_keys=True) for given in (record.dataset.parameters, record.protocol))
    return record.task, record.dataset.name, parameters, options


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


def unranked_board(records: Sequence[Record], label: str, *, cost: bool = True, by_source: bool = True) -> Board:
    """The board of one setting before its methods are ranked.

    Args:
        records: of one task, dataset and setting.
        label: what the dataset and the setting are called.
        cost: whether to show time and memory.
        by_source: whether a method that ran from two sources is two rows.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        methods = {
            kind: [m.name, m.parameters, *([m.plugin, m.digest] if by_source else [])]
            for kind, m in record.methods.items()
        }
        groups[json.dumps(methods, sort_keys=True)].append(record)
    labels = method_labels({name: methods_of(group[0]) for name, group in groups.items()})
    present = [kind for kind in KINDS if any(kind in names for names in labels.values())]
    differing = tuple(k for k in present if len({names.get(k, "none") for names in labels.values()}) > 1)
    kinds = differing or tuple(present[-1:])
    columns = board_columns(records, cost)
    first, told = records[0], _telling(records)
    return Board(
        task=first.task,
        dataset=label,
        kinds=kinds,
        common={kind: next(iter(labels.values())).get(kind, "none") for kind in present if kind not in kinds},
        columns=columns,
        rows=tuple(
            _row(group, {kind: labels[name].get(kind, "none") for kind in kinds}, columns)
            for name, group in groups.items()
        ),
        provenance=tuple(sources_of(records)),
        fingerprint=first.dataset.fingerprint,
        protocol_id=first.protocol_id,
        protocol=first.protocol,
        protocol_non_default=non_default_of(told, "protocol"),
        warnings=tuple(doubts(records)),
        data=Method(told.dataset.name, told.dataset.parameters, non_default_of(told, "dataset")),
    )


def _row(group: Sequence[Record], labels: dict[str, str], columns: Sequence[Column]) -> Row:
    records = sorted(group, key=lambda record: (record.seed, record.id))
    notes = failure_notes(records)
    values = unit_values(records, columns[0].key) if columns else {}
    units = sorted(values)
    return Row(
        rank=None,
        labels=labels,
        cells=cells(records, columns),
        interval=None,
        runs=len(done(records)),
        expected=len(records),
        notes=notes,
        reason=notes[0] if notes else "",
        doubts=doubt_notes(records),
        run_ids=tuple(record.id for record in records),
        units=tuple(units),
        values=tuple(values[unit] for unit in units),
        methods={kind: replace(method, source="") for kind, method in methods_of(_telling(records)).items()},
        records=tuple(records),
    )


def _telling(records: Sequence[Record]) -> Record:
    """One that says which parameters are not at their default, where there is one."""
    return next((record for record in records if record.non_default is not None), records[0])


def _ranked(board: Board) -> Board:
    """The board with ranks, intervals, Pareto fronts and what they are worth; best row first."""
    # By what the methods are: the order of the records does not count.
    rows = {_identity(row): row for row in board.rows}
    units = paired_units({key: dict(zip(row.units, row.values, strict=True)) for key, row in rows.items()})
    tests = pairwise_tests(units.paired, np.random.default_rng(0)) if units.values else None  # seeded: the same table
    intervals = units.intervals()
    ranked = []
    for key, row in rows.items():
        first, last = tests.ranks.get(key, (None, None)) if tests else (None, None)
        notes = row.notes
        if first is None and row.units and not units.shared <= {*row.units}:
            notes = (*notes, incomplete_note(len(units.shared), board.task))
        values = tuple(np.round(row.values, STORED_DIGITS).tolist())
        interval = intervals.get(key)
        ranked.append(replace(row, rank=first, rank_last=last, notes=notes, interval=interval, values=values))
    if len(machines(record for row in board.rows for record in row.records)) <= 1:
        ranked = _with_fronts(ranked, board.columns)
    sentence = ranks_sentence(tests, board) if tests else ""
    return replace(
        board,
        rows=tuple(_best_first(ranked, board.columns)),
        provenance=(*([sentence] if sentence else []), *board.provenance),
        tests=tests,
    )


def _identity(row: Row) -> str:
    methods = row.records[0].methods.items()
    return json.dumps({kind: [m.name, m.parameters, m.plugin, m.digest] for kind, m in methods}, sort_keys=True)


def _with_fronts(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Rows that know where they are on a Pareto front."""
    marked: list[list[str]] = [[] for _ in rows]
    for cost in columns:
        if cost.pareto and len(rows) > 1:
            on_front = front([(row.cells[cost.key], row.cells[columns[0].key]) for row in rows], cost, columns[0])
            for fronts, is_on in zip(marked, on_front, strict=True):
                fronts += [cost.key] if is_on else []
    return [replace(row, front=tuple(fronts)) for row, fronts in zip(rows, marked, strict=True)]


def _best_first(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """By the mean of the first column; equal ones by name; rows without a number last."""

    def key(row: Row) -> tuple[bool, float, tuple[str, ...]]:
        cell = row.cells[columns[0].key] if columns else None
        return cell is None, -cell.mean if cell else 0.0, tuple(row.labels.values())

    return sorted(rows, key=key)
