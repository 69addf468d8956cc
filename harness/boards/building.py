"""From records to boards: records of one method are averaged over seeds, methods are ranked, costs stand beside."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.boards.board import STORED_DIGITS, Board, NotComparable, Row, row_name
from harness.boards.columns import (
    Cell,
    Column,
    accuracy_of,
    board_columns,
    cells,
    column_of,
    front,
    mean_and_std,
    measure_column,
    stated_key,
)
from harness.boards.evidence import paired_units, query_groups_of, unit_values
from harness.boards.failures import done, doubt_notes, failure_notes, incomplete_note
from harness.boards.footer import machines, ranks_sentences, sources_of, unit_notes
from harness.boards.rows import find_row, listed_rows
from harness.boards.verdicts import pairwise_tests, sequential_tests
from harness.core.errors import UnknownName
from harness.runs.comparability import doubts
from harness.runs.design import AREA, DEFAULT_MEASURE, LABELS_TO, Design
from harness.runs.labels import SHOWN_KINDS, Method, method_labels, methods_of, non_default_of, setting_labels
from harness.runs.looks import added_sentence, board_key
from harness.runs.measures import Measured, measured
from harness.runs.record import Record

Computed = Mapping[str, Measured]
"""Numbers of learning curves that no record holds, by the key of their column."""


def boards(records: Iterable[Record], *, cost: bool = True, design: Design | None = None) -> list[Board]:
    """One board per task, dataset and setting of the protocol, ordered by name.

    Args:
        records: of one or more runs; those of several seeds are averaged.
        cost: whether to show time and memory.
        design: what is tested; by default mAP Medium, or the area under the learning curve, of all pairs.

    Raises:
        NotComparable: records of one board were measured by different protocols or on different data.
        UnknownName: the baseline of the design could mean several rows.
    """
    design = design or Design()
    groups = sorted(grouped(records), key=lambda item: (item[1][0].task, item[0], _setting(item[1][0])))
    for _, group in groups:
        _refuse_mixture(group)
    found = [unranked_board(group, label, cost=cost, design=design) for label, group in groups]
    _require_baseline(found, design.baseline)
    return [_ranked(board, design) for board in found]


def _require_baseline(boards: Sequence[Board], baseline: str) -> None:
    """Raises ``UnknownName`` where no board has it; a board that lacks it has no comparison with it."""
    if baseline and boards and not any(find_row(board, baseline) for board in boards):
        names = [row_name(row, board.kinds) for board in boards for row in board.rows]
        raise UnknownName(f'no board has a row "{baseline}" as baseline', fix=f"rows: {listed_rows(names)}")


def grouped(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """Records by task, dataset and setting of the protocol: the label of each board and its records."""
    groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        groups[_setting(record)].append(record)
    labels = setting_labels([group[0] for group in groups.values()])
    return list(zip(labels, groups.values(), strict=True))


def _setting(record: Record) -> tuple[str, ...]:
    # Loaders get parameters in later versions, None where they change nothing.
    stated = {name: value for name, value in record.dataset.parameters.items() if value is not None}
    parameters, options = (json.dumps(given, sort_keys=True) for given in (stated, record.protocol))
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


def unranked_board(
    records: Sequence[Record],
    label: str,
    *,
    cost: bool = True,
    by_source: bool = True,
    design: Design | None = None,
) -> Board:
    """The board of one setting before its methods are ranked.

    Args:
        records: of one task, dataset and setting.
        label: what the dataset and the setting are called.
        cost: whether to show time and memory.
        by_source: whether a method that ran from two sources is two rows.
        design: what is tested.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        methods = {
            kind: [m.name, m.parameters, *([m.plugin, m.digest] if by_source else [])]
            for kind, m in record.methods.items()
        }
        groups[json.dumps(methods, sort_keys=True)].append(record)
    labels = method_labels({name: methods_of(group[0]) for name, group in groups.items()})
    present = [kind for kind in SHOWN_KINDS if any(kind in names for names in labels.values())]
    differing = tuple(k for k in present if len({names.get(k, "none") for names in labels.values()}) > 1)
    kinds = differing or tuple(present[-1:])
    # Of retrieval the first column says what is tested: that depends on the dataset and the evaluation protocol.
    default = "" if records[0].task == "retrieval" else DEFAULT_MEASURE[records[0].task]
    measure = (design.measure if design else "") or default
    columns, computed = _columns(records, groups, measure, cost=cost)
    first, told = records[0], _telling(records)
    return Board(
        task=first.task,
        dataset=label,
        kinds=kinds,
        common={kind: next(iter(labels.values())).get(kind, "none") for kind in present if kind not in kinds},
        columns=columns,
        rows=tuple(
            _row(name, group, {kind: labels[name].get(kind, "none") for kind in kinds}, columns, computed)
            for name, group in groups.items()
        ),
        provenance=(
            *_measure_sentences(columns, computed),
            *_absent(first.task, columns, measure),
            *sources_of(records),
        ),
        fingerprint=first.dataset.fingerprint,
        protocol_id=first.protocol_id,
        protocol=first.protocol,
        protocol_non_default=non_default_of(told, "protocol"),
        warnings=tuple(doubts(records)),
        data=Method(told.dataset.name, told.dataset.parameters, non_default_of(told, "dataset")),
    )


def _columns(
    records: Sequence[Record], groups: Mapping[str, Sequence[Record]], measure: str, *, cost: bool
) -> tuple[tuple[Column, ...], Computed]:
    """The columns of a board, and the numbers of those that are computed from whole curves."""
    if records[0].task == "retrieval":
        return board_columns(records, cost, measure), {}
    first = measured(groups, measure)
    chosen = measure_column(first.measure) if any(first.values.values()) else None
    columns = board_columns(records, cost, first.measure)
    computed = {} if chosen is None else {chosen.key: first}
    for column in columns:
        target = accuracy_of(column.key)
        if target is not None and column.key not in computed:
            computed[column.key] = measured(groups, f"{LABELS_TO}@{100 * target:g}")
    return columns, computed


def _absent(task: str, columns: Sequence[Column], measure: str) -> Iterator[str]:
    """That no record has the measure of the spec, which others would take for tested."""
    if task == "retrieval" and measure and columns and stated_key(measure, [column.key for column in columns]) is None:
        column = column_of(measure)
        yield (
            f"No record has {column.title if column else measure}, the measure of the spec, so that "
            f"{columns[0].title} is tested: protocol: {{evaluation: {measure}}} measures it."
        )


def _measure_sentences(columns: Sequence[Column], computed: Computed) -> Iterator[str]:
    """What the first column is, where it is an area; up to how many labels targets were looked for."""
    first = computed.get(columns[0].key) if columns else None
    if first is not None and first.first:
        along = "the logarithm of their number" if first.measure == AREA else "their number"
        yield f"{columns[0].title}: mean accuracy from {first.first:g} to {first.last:g} labels, along {along}."
    last = next((found.last for key, found in computed.items() if accuracy_of(key) is not None), None)
    if last is not None:
        yield (
            f"Labels to a target: mean over seeds of the labels until it is reached, cut at {last:g}; in brackets how "
            f"many seeds reached it."
        )


def _row(
    name: str, group: Sequence[Record], labels: dict[str, str], columns: Sequence[Column], computed: Computed
) -> Row:
    records = sorted(group, key=lambda record: (record.seed, record.id))
    notes = failure_notes(records)
    first = columns[0].key if columns else ""
    values = computed[first].values.get(name, {}) if first in computed else unit_values(records, first)
    units = sorted(values)
    return Row(
        rank=None,
        labels=labels,
        cells=cells(records, columns) | {key: _cell(found, name) for key, found in computed.items()},
        interval=None,
        runs=len(done(records)),
        expected=len(records),
        notes=notes,
        reason=notes[0] if notes else "",
        doubts=doubt_notes(records),
        measured_by=tuple(sorted({record.measured_by for record in records} - {""})),
        run_ids=tuple(record.id for record in records),
        units=tuple(units),
        values=tuple(values[unit] for unit in units),
        methods={kind: replace(method, source="") for kind, method in methods_of(_telling(records)).items()},
        records=tuple(records),
    )


def _cell(found: Measured, name: str) -> Cell | None:
    """The number of a method that is computed from its curves."""
    numbers = list(found.shown.get(name, {}).values())
    if not numbers:
        return None
    mean, std = mean_and_std(numbers)
    reached = found.reached.get(name)
    return Cell(mean, std if reached is None else None, len(numbers), reached=reached)


def _telling(records: Sequence[Record]) -> Record:
    """One that says which parameters are not at their default, where there is one."""
    return next((record for record in records if record.non_default is not None), records[0])


def _ranked(board: Board, design: Design) -> Board:
    """The board with ranks, intervals, Pareto fronts and what they are worth; best row first."""
    # By what the methods are: the order of the records does not count.
    rows = {_identity(row): row for row in board.rows}
    baseline = find_row(board, design.baseline) if design.baseline else None
    groups = query_groups_of([record for row in board.rows for record in row.records[:1]])
    units = paired_units(
        {key: dict(zip(row.units, row.values, strict=True)) for key, row in rows.items()},
        grouped=board.task == "retrieval",
        groups=groups,
    )
    compared = _identity(baseline) if baseline else None
    tests = pairwise_tests(units, compared) if units.values else None
    if design.rule is not None:
        # Results of others are no part of the test: it would wait for their seeds.
        own = {key: row.records for key, row in rows.items() if not row.measured_by or key == compared}
        tests = sequential_tests(own, compared, design.rule)
    # An interval of the logarithm of a number of labels is none of the number.
    intervals = {} if _is_censored(board) else units.intervals()
    ranked = []
    for key, row in rows.items():
        first, last = tests.ranks.get(key, (None, None)) if tests else (None, None)
        notes = (*row.notes, *unit_notes(row, board, intervals.get(key)))
        if first is None and row.units and not units.shared <= {*row.units} and design.rule is None:
            notes = (*notes, incomplete_note(len(units.shared), board.task))
        values = tuple(np.round(row.values, STORED_DIGITS).tolist())
        against = tests.against.get(key) if tests else None
        judged = replace(row, rank=first, rank_last=last, notes=notes, interval=intervals.get(key), against=against)
        ranked.append(replace(judged, values=values))
    if len(machines(record for row in board.rows for record in row.records)) <= 1:
        ranked = _with_fronts(ranked, board.columns)
    shown = replace(board, baseline=row_name(baseline, board.kinds) if baseline else "")
    sentences = [*(ranks_sentences(tests, shown) if tests else ()), *_added_seeds(board, design)]
    return replace(
        shown,
        rows=tuple(_best_first(ranked, board.columns)),
        provenance=(*sentences, *board.provenance),
        tests=tests,
        groups=tuple(groups[query] for query in sorted(groups)),
    )


def _added_seeds(board: Board, design: Design) -> Iterator[str]:
    """What is to be said of seeds that were added after a verdict was shown."""
    records = [record for row in board.rows for record in row.records]
    planned = design.seen.get(board_key(records[0])) if records and board.unit == "seed" else None
    if planned is not None and design.rule is None:
        yield from filter(None, [added_sentence([record.seed for record in done(records)], planned)])


def _is_censored(board: Board) -> bool:
    return bool(board.columns) and accuracy_of(board.columns[0].key) is not None


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
    sign = 1.0 if columns and columns[0].higher_is_better is False else -1.0

    def key(row: Row) -> tuple[bool, float, tuple[str, ...]]:
        cell = row.cells[columns[0].key] if columns else None
        return cell is None, sign * cell.mean if cell else 0.0, tuple(row.labels.values())

    return sorted(rows, key=key)
