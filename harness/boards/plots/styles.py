"""Colour, mark and name of a method: the same in every picture of its board, whatever its rank is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.boards import names
from harness.boards.board import Board, Row, row_name
from harness.boards.plots.canvas import COLOURS, LINES, LONGEST, MARKS, mark, plain, plain_names


@dataclass(frozen=True)
class PictureNames:
    """Names of rows in a picture.

    Attributes:
        shown: row label -> name.
        left_out: a line for a title that says which methods names leave out; empty where names are whole.
    """

    shown: Mapping[str, str]
    left_out: str


def row_label(board: Board, row: Row) -> str:
    """The methods of a row in one name."""
    return names.row_label(board.kinds, row)


def picture_names(board: Board, rows: Sequence[Row], lines: int = 1) -> PictureNames:
    """Names of rows, in up to ``lines`` lines; long ones leave out the methods that most rows share."""
    short = names.short_names(board.kinds, rows)
    shown = zip([row_label(board, row) for row in rows], plain_names(short.names, lines * LONGEST), strict=True)
    left_out = f"\nwhere no other is named: {plain(short.left_out)}" if short.left_out else ""
    return PictureNames(dict(shown), left_out)


def method_styles(methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and mark of each name, by its place among the sorted ones: ranks and the order of a spec do not count."""
    return {name: mark(place) for place, name in enumerate(sorted({*methods}))}


def line_style(board: Board, row: Row, among: Collection[str] = ()) -> dict[str, Any]:
    """Colour, mark and line: one colour an acquisition and one line a scheme where both differ.

    Args:
        board: of the row.
        row: which is drawn.
        among: row labels of all boards of a picture, where it has several.
    """
    kinds = ("acquisition", "learning")
    chosen = [kind for kind in kinds if kind in board.kinds]
    places = [sorted({other.labels[k] for other in board.rows}).index(row.labels[k]) for k in chosen]
    if len(places) < len(kinds) or places[0] >= len(COLOURS) or places[1] >= len(LINES):
        labels = sorted({*among} or {row_label(board, other) for other in board.rows})
        place = labels.index(row_label(board, row))
        return {**mark(place), "linestyle": LINES[place // len(COLOURS) % len(LINES)]}
    return {"color": COLOURS[places[0]], "marker": MARKS[places[0]], "linestyle": LINES[places[1]]}


def point_style(board: Board, row: Row) -> dict[str, Any]:
    """Colour and mark of a row where it is a point."""
    return {key: value for key, value in line_style(board, row).items() if key != "linestyle"}


def named_style(boards: Sequence[Board], dataset: str, name: str) -> dict[str, Any] | None:
    """Colour and mark of a row that is known by its name and the label of its board; None where no board has it."""
    for board in boards:
        for row in board.rows if board.dataset == dataset else ():
            if row_name(row, board.kinds) == name:
                return point_style(board, row)
    return None
