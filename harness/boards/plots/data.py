"""The numbers of each picture of a board as CSV, in the units of the picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from harness.boards.across import Across
from harness.boards.board import Board
from harness.boards.columns import Cell
from harness.boards.comparison.pairs import RowDifference
from harness.boards.plots.curves import curve_columns, mean_interval
from harness.boards.plots.intervals import ranked_rows
from harness.boards.plots.styles import row_label
from harness.boards.render.data import no_formula
from harness.boards.savings import PenaltyMatrix, Savings

Value = str | float | int | None


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """A table with its header; missing values are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(
        [[no_formula(value) if isinstance(value, str) else _number(value) for value in row] for row in rows]
    )
    return out.getvalue().encode()


def _number(value: float | int | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.6g}"


def cost_data(board: Board) -> bytes:
    """Quality and costs of each row, and on which fronts it is."""
    quality, costs = board.columns[0], [column for column in board.columns if column.pareto]
    header = ["method", quality.title, *(c.title for c in costs), *(f"on the front of {c.title}" for c in costs)]

    def shown(cell: Cell | None, scale: float) -> float | None:
        return None if cell is None else scale * cell.mean

    return csv_bytes(
        header,
        (
            [
                row_label(board, row),
                shown(row.cells[quality.key], quality.scale),
                *(shown(row.cells[column.key], column.scale) for column in costs),
                *(int(column.key in row.front) for column in costs),
            ]
            for row in board.rows
        ),
    )


def curves_data(boards: Sequence[Board]) -> bytes:
    """Accuracy in percent by labels, with the 95% interval of the mean."""
    return csv_bytes(
        ["dataset", "method", "labels", "accuracy", "low", "high"],
        (
            [
                board.dataset,
                row_label(board, row),
                size,
                *(100 * accuracy for accuracy in (cell.mean, *mean_interval(cell))),
            ]
            for board in boards
            for row in board.rows
            for size, key in curve_columns(board)
            if (cell := row.cells.get(key)) is not None
        ),
    )


def intervals_data(board: Board) -> bytes:
    """Headline with its interval, and rank interval."""
    column = board.columns[0]
    rows: list[list[Value]] = []
    for row in ranked_rows(board):
        cell, bounds = row.cells[column.key], row.interval or (None, None)
        scaled = [None if value is None else column.scale * value for value in (cell and cell.mean, *bounds)]
        rows.append([row_label(board, row), *scaled, row.rank, row.rank_last])
    return csv_bytes(["method", column.title, "low", "high", "first rank", "last rank"], rows)


def ranks_data(ranking: Across) -> bytes:
    """Mean ranks over the boards."""
    return csv_bytes(["method", "mean rank"], zip(ranking.methods, ranking.mean.tolist(), strict=True))


def difference_data(difference: RowDifference) -> bytes:
    """The difference on each query or seed."""
    rows = zip(difference.units, (difference.scale * value for value in difference.values), strict=True)
    return csv_bytes([difference.unit, f"difference in {difference.measured_in}"], rows)


def savings_data(found: Savings) -> bytes:
    """Labels that the reference needs for the accuracy of each method at each budget."""
    return csv_bytes(
        ["method", "labels", f"labels that {found.reference} needs", "low", "high", "beyond the curve"],
        (
            [name, saving.budget, saving.equivalent, saving.low, saving.high, saving.censored]
            for name, row in found.methods.items()
            for saving in row
        ),
    )


def penalties_data(matrix: PenaltyMatrix) -> bytes:
    """The penalty of each pair: how often the row beats the column."""
    values = matrix.penalties.matrix.tolist()
    return csv_bytes(
        ["beats", *matrix.methods], ([name, *row] for name, row in zip(matrix.methods, values, strict=True))
    )
