"""Colour, mark and line of a row: the same in every picture of its board."""

from __future__ import annotations

from typing import Any

from harness.boards.board import Board, Row
from harness.boards.plots.canvas import COLOURS, LINES, MARKS, mark


def row_label(board: Board, row: Row) -> str:
    """``random · supervised``, without kinds that a row lacks."""
    return " · ".join(row.labels[kind] for kind in board.kinds if row.labels[kind] != "none") or "none"


def line_style(board: Board, row: Row, position: int | None = None) -> dict[str, Any]:
    """Colour, mark and line: one colour an acquisition and one line a scheme where both differ.

    Args:
        board: of the row.
        row: which is drawn.
        position: counts in place of the row's place on its board, where several boards are in one picture.
    """
    kinds = ("acquisition", "learning")
    chosen = [kind for kind in kinds if kind in board.kinds]
    places = [sorted({other.labels[k] for other in board.rows}).index(row.labels[k]) for k in chosen]
    if len(places) < len(kinds) or places[0] >= len(COLOURS) or places[1] >= len(LINES):
        place = [id(other) for other in board.rows].index(id(row)) if position is None else position
        return {**mark(place), "linestyle": LINES[place // len(COLOURS) % len(LINES)]}
    return {"color": COLOURS[places[0]], "marker": MARKS[places[0]], "linestyle": LINES[places[1]]}


def point_style(board: Board, row: Row) -> dict[str, Any]:
    """Colour and mark of a row where it is a point."""
    return {key: value for key, value in line_style(board, row).items() if key != "linestyle"}
