"""Published numbers on a board: per metric the published value and the difference, measured minus published.

Nothing published ever becomes a measurement: where nothing was measured the cell stays empty, and so does the
difference. Lines that no run of the board stands for have a row of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from harness.boards.board import Board, Row
from harness.boards.columns import Cell, Column, column_of
from harness.boards.columns import cells as measured_cells
from harness.boards.reference import PublishedColumn, PublishedRow, Reference, fits_options
from harness.runs.record import Record

Published = Sequence[tuple[int, PublishedColumn]]
"""The published columns of one dataset with their positions in a row."""

KIND = "published as"
"""The column of labels that says under which name a row was published."""


def with_published(board: Board, reference: Reference) -> Board:
    """A board with the published numbers of its dataset: rows that were measured first, the rest as published.

    Args:
        board: made of records; one of another dataset, or read from a ``results.json``, stays as it is.
        reference: published numbers.
    """
    examples = [row.records[0] for row in board.rows if row.records]
    published = reference.of_dataset(examples[0].dataset.name) if examples else []
    if not published:
        return board
    other = reference.other_setting(examples[0].dataset.name, examples[0].protocol)
    warnings = (*board.warnings, *([other] if other else []))
    columns = _measured(reference, published, board.columns)
    lines = [reference.row_of(example) for example in examples]
    alone = [line for line in reference.rows if line not in lines and _belongs(published, line, examples[0])]
    rows = [
        _row(reference, published, row, line, differences=not warnings)
        for row, line in [
            *zip(board.rows, lines, strict=True),
            *((_alone(reference, line, board.rows[0]), line) for line in alone),
        ]
    ]
    order = {line.name: number for number, line in enumerate(reference.rows)}
    source = reference.source
    differences = difference_note(warnings) if warnings or any(row.runs for row in rows) else ""
    note = f"Published: {source.table} of {source.work}. {differences}".rstrip()
    return dataclasses.replace(
        board,
        kinds=(*board.kinds, KIND),
        columns=tuple(_columns(reference, published, columns, differences=not warnings)),
        warnings=warnings,
        rows=tuple(sorted(rows, key=lambda row: _order(row, columns, order))),
        provenance=(note, *reference.notes, *board.provenance),
    )


def difference_note(warnings: Sequence[str]) -> str:
    """What differences are, or why there are none."""
    if not warnings:
        return "Differences: measured minus published."
    reasons = "; ".join(f"{text[0].lower()}{text[1:]}".rstrip(".") for text in warnings)
    return f"No differences: {reasons}."


def _belongs(published: Published, line: PublishedRow, example: Record) -> bool:
    """Whether a line that no run stands for belongs on this board: it has a number here, under these options."""
    numbers = any(line.values[position] is not None for position, _ in published)
    return numbers and fits_options(line.protocol, example.protocol)


def _alone(reference: Reference, line: PublishedRow, pattern: Row) -> Row:
    """The row of a line that no run stands for."""
    methods = reference.methods(line)
    labels = {kind: next(iter(methods[kind]), "none") if kind in methods else "none" for kind in pattern.labels}
    return Row(None, labels, dict.fromkeys(pattern.cells), None, 0, 0, ())


def _row(reference: Reference, published: Published, row: Row, line: PublishedRow | None, *, differences: bool) -> Row:
    cells: dict[str, Cell | None] = dict(row.cells)
    for position, column in published:
        value = line.values[position] if line else None
        mean, std = value if isinstance(value, tuple) else (value, None)
        scale = reference.scale(column)
        stated = None if mean is None else Cell(mean / scale, None if std is None else std / scale, 0)
        measured = cells.setdefault(column.key, _measured_cell(row.records, column))
        cells[_published(column)] = stated
        if differences:
            cells[_difference(column)] = (
                None if stated is None or measured is None else Cell(measured.mean - stated.mean, None, measured.n)
            )
    return dataclasses.replace(row, cells=cells, labels={**row.labels, KIND: line.name if line else "–"})


def _measured_cell(records: Sequence[Record], column: PublishedColumn) -> Cell | None:
    """What records hold of a metric that is no column of their board, such as mAP Medium where all is one set-up."""
    key = column.key
    return measured_cells(records, [column_of(key) or Column(key, column.title)])[key] if records else None


def _measured(reference: Reference, published: Published, columns: Sequence[Column]) -> list[Column]:
    """The columns of the board, and those of published metrics of which nothing was measured."""
    there = {column.key for column in columns}
    wanted = [column for _, column in published if column.key not in there]
    added = [column_of(c.key) or Column(c.key, c.title, reference.scale(c)) for c in wanted]
    return [*added, *columns] if not there or all(column.is_cost for column in columns) else [*columns, *added]


def _columns(
    reference: Reference, published: Published, columns: Sequence[Column], *, differences: bool
) -> Iterator[Column]:
    """Each column, then the published one and the difference, if it means anything."""
    known = {column.key: column for _, column in published}
    for column in columns:
        yield column
        if (stated := known.get(column.key)) is not None:
            scale, digits = reference.scale(stated), reference.decimals(stated)
            yield Column(_published(stated), f"{column.title}, published", scale, digits, None, published=True)
            if not differences:
                continue
            title = f"{column.title}, difference"
            yield Column(_difference(stated), title, scale, digits, None, published=True, signed=True)


def _published(column: PublishedColumn) -> str:
    return f"{column.key} published"


def _difference(column: PublishedColumn) -> str:
    return f"{column.key} difference"


def _order(row: Row, columns: Sequence[Column], order: Mapping[str, int]) -> tuple[bool, float, int]:
    """What was measured, the best first; then the order of the published table."""
    cell = row.cells.get(columns[0].key) if columns else None
    return cell is None, -cell.mean if cell else 0.0, order.get(row.labels[KIND], len(order))
