"""Colour, mark and name of a method: the same in every picture of its board, whatever its rank is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.boards.board import Board, Row, row_name
from harness.boards.plots.canvas import COLOURS, LINES, MARKS, mark, plain, plain_names

_LONG_NAME: Final = 48
"""Letters from which names leave out what nearly all rows share, and if need be what most share."""
_SHARES: Final = (0.8, 0.5)


@dataclass(frozen=True)
class PictureNames:
    """What rows are called in a picture.

    Attributes:
        shown: row label -> its name, as short as tells the rows apart.
        left_out: methods that a name without one of their kind leaves out; empty where names are whole.
    """

    shown: Mapping[str, str]
    left_out: str = ""


def left_out_line(names: PictureNames) -> str:
    """A line for a title that says what names leave out."""
    return f"\nwhere no other is named: {plain(names.left_out)}" if names.left_out else ""


def row_label(board: Board, row: Row) -> str:
    """``random · supervised``, without kinds that a row lacks."""
    return _joined(board.kinds, row) or "none"


def picture_names(board: Board, rows: Sequence[Row]) -> PictureNames:
    """Names of rows; where some are long, all of them without the methods that nearly all rows share."""
    labels = names = [row_label(board, row) for row in rows]
    shared: dict[str, str] = {}
    for share in _SHARES:
        if max(map(len, names), default=0) > _LONG_NAME:
            shared = _shared(board.kinds, rows, share)
            # A row of nothing but shared methods has its whole name, and nothing is left out of one that lacks a kind.
            names = [_differing(board.kinds, row, shared) or label for row, label in zip(rows, labels, strict=True)]
    left_out = " · ".join(usual for usual in shared.values() if usual != "none")
    return PictureNames(dict(zip(labels, plain_names(names), strict=True)), left_out)


def _shared(kinds: Sequence[str], rows: Sequence[Row], share: float) -> dict[str, str]:
    """Kind -> the method that this share of the rows has."""
    most = {kind: Counter(row.labels[kind] for row in rows).most_common(1)[0] for kind in kinds}
    return {kind: name for kind, (name, count) in most.items() if count >= share * len(rows)}


def _differing(kinds: Sequence[str], row: Row, shared: Mapping[str, str]) -> str:
    parts = [(kind, row.labels[kind]) for kind in kinds if row.labels[kind] != shared.get(kind)]
    # Of a kind that nearly all rows have, none is a difference that must be named.
    return " · ".join(
        f"no {kind}" if name == "none" else name for kind, name in parts if name != "none" or kind in shared
    )


def _joined(kinds: Iterable[str], row: Row) -> str:
    return " · ".join(row.labels[kind] for kind in kinds if row.labels[kind] != "none")


def method_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and mark of each name, by its place among the sorted ones: ranks and the order of a spec do not count."""
    return {name: mark(place) for place, name in enumerate(sorted({*names}))}


def line_style(board: Board, row: Row, names: Collection[str] = ()) -> dict[str, Any]:
    """Colour, mark and line: one colour an acquisition and one line a scheme where both differ.

    Args:
        board: of the row.
        row: which is drawn.
        names: row labels of all boards of a picture, where it has several.
    """
    kinds = ("acquisition", "learning")
    chosen = [kind for kind in kinds if kind in board.kinds]
    places = [sorted({other.labels[k] for other in board.rows}).index(row.labels[k]) for k in chosen]
    if len(places) < len(kinds) or places[0] >= len(COLOURS) or places[1] >= len(LINES):
        labels = sorted({*names} or {row_label(board, other) for other in board.rows})
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
