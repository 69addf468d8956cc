"""The headline with its interval, and the rank interval, of each row: what a board can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.boards.board import Board, Row
from harness.boards.plots.canvas import plain
from harness.boards.plots.styles import picture_names, point_style, row_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS: Final = 24
"""Rows that are drawn, best first."""
_HALF: Final = 0.35
"""By how much a bar covers its first and last rank: one rank is a bar too."""

_LINE: Final = 42
"""Letters of a line of a name."""
_BETWEEN: Final = " · "
_STEPS: Final = (1, 2, 5, 10, 20, 50, 100)
_MOST_TICKS: Final = 6


def ranked_rows(board: Board) -> list[Row]:
    """The rows that have a rank interval and a headline."""
    if not board.columns:
        return []
    key = board.columns[0].key
    return [r for r in board.rows if r.rank is not None and r.rank_last is not None and r.cells.get(key) is not None]


def intervals_size(board: Board) -> tuple[float, float]:
    """Size in inches."""
    return 6.4, 1.1 + 0.24 * min(len(ranked_rows(board)), _MOST_ROWS)


def draw_intervals(figure: Figure, board: Board) -> None:
    """Left the mean with its 95% interval, if it has one, right the ranks that remain, best row on top."""
    rows, column = ranked_rows(board), board.columns[0]
    shown = rows[:_MOST_ROWS]
    values, ranks = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, row in enumerate(shown):
        style, cell = point_style(board, row), row.cells[column.key]
        if row.interval is not None:
            bounds = [column.scale * bound for bound in row.interval]
            values.plot(bounds, [place, place], color=style["color"], linewidth=1.6)
        if cell is not None:
            values.plot([column.scale * cell.mean], [place], markersize=5, linestyle="", **style)
        ends = [(row.rank or 0) - _HALF, (row.rank_last or 0) + _HALF]
        ranks.plot(ends, [place, place], color=style["color"], linewidth=5, solid_capstyle="butt")
    names = picture_names(board, shown, lines=2)
    values.set_yticks(range(len(shown)), [_in_lines(names.shown[row_label(board, row)]) for row in shown], fontsize=7)
    values.set_ylim(len(shown) - 0.5, -0.5)
    drawn = any(row.interval is not None for row in shown)
    values.set_xlabel(plain(f"{board.metric}, 95% interval" if drawn else board.metric), fontsize=8)
    ranks.set_xlabel("rank interval", fontsize=8)
    ranks.set_xlim(0.5, len(rows) + 0.5)
    ranks.set_xticks(_ticks(len(rows)))
    ranks.tick_params(left=False)
    few = f", best {len(shown)} of {len(rows)}" if len(shown) < len(rows) else ""
    figure.suptitle(f"{plain(board.dataset)}{few}{names.left_out}", fontsize=9)


def _in_lines(name: str) -> str:
    """A long name in two lines, of which each has whole methods."""
    ends = [place for place in range(len(name)) if name.startswith(_BETWEEN, place)]
    if len(name) <= _LINE or not ends:
        return name
    middle = min(ends, key=lambda place: abs(place - len(name) / 2))
    return f"{name[:middle]}{_BETWEEN.rstrip()}\n{name[middle + len(_BETWEEN) :]}"


def _ticks(last: int) -> list[int]:
    """The first rank and round ones."""
    step = next(step for step in (*_STEPS, last) if last <= _MOST_TICKS * step)
    return [1, *range(step if step > 1 else 2, last + 1, step)]
