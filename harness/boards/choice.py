"""Which columns of a board a table shows: those that are asked for, or a few that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.boards.board import Board
from harness.boards.columns import FULL_SUPERVISION, Column
from harness.core.errors import UnknownName, nearest

ALL: Final = "all"
"""In place of names: every column."""
_BESIDE: Final = 2
"""Columns of quality beside the headline, where none are asked for."""


def chosen_columns(board: Board, names: Sequence[str] = (), *, narrow: bool = False) -> tuple[Column, ...]:
    """The columns of a table: always the headline, by which rows are ranked, then those that are asked for.

    Args:
        board: its own choice (``shown``) counts where no names are given.
        names: keys or titles of columns in any case, or ``all``. Without any: on a board with published numbers these
            and what they are compared with, or these alone where nothing was measured; else two more columns of quality
            and one cost.
        narrow: one more column of quality in place of two.
    """
    wanted = [name.casefold() for name in names or board.shown]
    if not board.columns or ALL in wanted:
        return board.columns
    if not wanted and is_unmeasured(board):
        return tuple(column for column in board.columns if column.published and not column.signed)
    if not wanted:
        return _few(board.columns, 1 if narrow else _BESIDE)
    found = [column for name in wanted for column in board.columns if name in _names(column)]
    return tuple(dict.fromkeys([board.columns[0], *found]))


def is_unmeasured(board: Board) -> bool:
    """Whether a board has published numbers alone."""
    return any(column.published for column in board.columns) and not any(row.runs for row in board.rows)


def check_columns(boards: Sequence[Board], names: Sequence[str]) -> None:
    """Raises ``UnknownName`` for a name that is a column of none of the boards, if any has columns."""
    columns = {column.key: column for board in boards for column in board.columns}
    known = {name for column in columns.values() for name in _names(column)}
    for name in names:
        if columns and name.casefold() not in (ALL, *known):
            every = ", ".join([ALL, *columns])
            raise UnknownName(f'no board has a column "{name}"', fix=f"{nearest(name, columns)} columns: {every}")


def _names(column: Column) -> set[str]:
    return {column.key.casefold(), column.title.casefold()}


def _few(columns: Sequence[Column], beside: int) -> tuple[Column, ...]:
    first, *others = columns
    stated = {column.key.rpartition(" ")[0] for column in others if column.published}
    if stated:
        return first, *(column for column in others if column.published or column.key in stated)
    quality = [column for column in others if not column.is_cost]
    few = [*quality[:beside], *(column for column in quality[beside:] if column.key == FULL_SUPERVISION)]
    return first, *few, *[column for column in others if column.is_cost][:1]
