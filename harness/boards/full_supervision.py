"""Rows that stand beside a board for comparison: what a model reaches that is trained on all labels."""

from __future__ import annotations

from harness.boards.board import Board, Row
from harness.boards.columns import ALL_LABELS, FULL_SUPERVISION, Cell


def reference_rows(board: Board) -> list[Row]:
    """A row for each way of training whose accuracy with all labels is known; only beside other accuracies."""
    if not board.columns or board.columns[0].scale != 100:
        return []
    found: dict[tuple[str, ...], tuple[Row, Cell]] = {}
    for row in board.rows:
        cell = row.cells.get(FULL_SUPERVISION)
        training = tuple(row.labels.get(kind, "none") for kind in board.kinds if kind != "acquisition")
        # Seeds decide the model, acquisitions do not.
        if cell is not None and (training not in found or cell.n > found[training][1].n):
            found[training] = row, cell
    return [_reference(row, cell, board) for row, cell in found.values()]


def _reference(row: Row, cell: Cell, board: Board) -> Row:
    labels = {**row.labels, "acquisition": ALL_LABELS}
    if "acquisition" not in board.kinds:
        labels[board.kinds[-1]] = f"{row.labels.get(board.kinds[-1], 'none')}, {ALL_LABELS}"
    cells = dict.fromkeys((column.key for column in board.columns), None) | {board.columns[0].key: cell}
    return Row(None, labels, cells, None, cell.n, cell.n, ())
