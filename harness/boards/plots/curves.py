"""Learning curves with the 95% interval of the mean: every line has its name.

Up to six methods stand in one panel with their names at the ends of the lines; more in a panel each, beside the
reference (the baseline of the board, else random).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.boards.board import Board, Row
from harness.boards.columns import ALL_LABELS, FULL_SUPERVISION, Cell
from harness.boards.plots.canvas import MOST_NAMES, legend, plain
from harness.boards.plots.styles import line_style, point_style, row_label
from harness.boards.rows import reference_row
from harness.metrics.distributions import t_quantile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS: Final = 3
"""Boards side by side."""
_DIRECT: Final = 6
"""Methods in one panel with their names at the lines."""
_ACROSS: Final = 4
"""Panels of methods side by side."""
_MOST_PANELS: Final = 16
_REFERENCE: Final = "#444444"
_LOG_FROM: Final = 8
"""Last over first number of labels from which the axis is logarithmic."""


def curve_columns(board: Board) -> list[tuple[int, str]]:
    """Numbers of labels and the keys of their accuracies."""
    sizes = [(re.fullmatch(r"accuracy@(\d+)", column.key), column.key) for column in board.columns]
    return sorted((int(size[1]), key) for size, key in sizes if size)


def curves_size(board: Board) -> tuple[float, float]:
    """Size in inches of the picture of one board."""
    rows = len(_drawn(board))
    return (6.4, 4.0) if rows <= _DIRECT else (7.6, 1.75 * math.ceil(min(rows, _MOST_PANELS) / _ACROSS) + 0.6)


def draw_board(figure: Figure, board: Board) -> None:
    """The curves of one board: in one panel with names at the lines, or a panel a method."""
    rows = _drawn(board)
    if len(rows) <= _DIRECT:
        axes = figure.add_subplot()
        _one_panel(axes, board, rows)
        _label_axes([axes], [axes], board)
        axes.set_title(plain(board.dataset))
    else:
        _small_multiples(figure, board, rows)


def draw_boards(figure: Figure, boards: Sequence[Board]) -> None:
    """The curves of the best methods of several boards, one panel a board."""
    columns = min(PANELS, len(boards))
    grid = figure.subplots(math.ceil(len(boards) / columns), columns, squeeze=False).ravel()
    names = list(dict.fromkeys(row_label(board, row) for board in boards for row in board.rows[:MOST_NAMES]))
    names = names[:MOST_NAMES]
    every = {row_label(board, row) for board in boards for row in board.rows}
    entries: dict[str, Any] = {}
    for axes in grid[len(boards) :]:
        axes.set_visible(False)
    for axes, board in zip(grid, boards, strict=False):
        for row in _drawn(board):
            name = row_label(board, row)
            if name in names:
                style = line_style(board, row, every)
                entries.setdefault(name, _curve(axes, board, row, style, band=len(board.rows) <= _DIRECT))
        for line in _full_lines(axes, _drawn(board)).values():
            entries.setdefault(ALL_LABELS, line)
        _label_axes([axes], [], board)
        axes.set_title(plain(board.dataset))
    for axes in grid[::columns]:
        axes.set_ylabel("test accuracy (%)")
    legend(figure, {name: entries[name] for name in [*names, ALL_LABELS] if name in entries})


def _drawn(board: Board) -> list[Row]:
    """Rows with any point."""
    return [row for row in board.rows if any(row.cells.get(key) for _, key in curve_columns(board))]


def _one_panel(axes: Axes, board: Board, rows: Sequence[Row]) -> None:
    ends: list[tuple[float, float, str, str]] = []
    for row in rows:
        style = line_style(board, row)
        line = _curve(axes, board, row, style, band=True)
        x, y = (float(values[-1]) for values in line.get_data())
        ends.append((x, y, row_label(board, row), style["color"]))
    ends += [(ends[0][0], level, ALL_LABELS, _REFERENCE) for level in _full_lines(axes, rows)]
    _names_at_ends(axes, ends)


def _names_at_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names to the right of the lines, pushed apart where they would overlap."""
    low, high = axes.get_ylim()
    gap, ordered = 0.055 * (high - low), sorted(ends, key=lambda end: (end[1], end[2]))
    places = [y for _, y, _, _ in ordered]
    for at in range(1, len(places)):
        places[at] = max(places[at], places[at - 1] + gap)
    places[-1] = min(places[-1], high)  # and not above the axes
    for at in range(len(places) - 2, -1, -1):
        places[at] = min(places[at], places[at + 1] - gap)
    for (x, y, name, colour), place in zip(ordered, places, strict=True):
        axes.annotate(
            plain(name),
            (x, y),
            xytext=(1.02, (place - low) / (high - low)),
            textcoords="axes fraction",
            color=colour,
            fontsize=7.5,
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "shrinkA": 0,
                "shrinkB": 2,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )


def _small_multiples(figure: Figure, board: Board, rows: Sequence[Row]) -> None:
    shown = rows[:_MOST_PANELS]
    reference = reference_row(board)
    lines = math.ceil(len(shown) / _ACROSS)
    grid = figure.subplots(lines, _ACROSS, squeeze=False, sharex=True, sharey=True)
    panels = list(grid.ravel())
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    for axes, row in zip(panels, shown, strict=False):
        style = {**point_style(board, row), "linestyle": "-"}
        if reference is not None and row is not reference:
            dashed = {"color": _REFERENCE, "marker": "", "linestyle": "--", "linewidth": 1.0}
            _curve(axes, board, reference, dashed, band=False)
        _curve(axes, board, row, style, band=True)
        _full_lines(axes, [row])
        axes.set_title(plain(row_label(board, row)), fontsize=7.5)
    below = [panels[at] for at in range(len(shown)) if at + _ACROSS >= len(shown)]
    for axes in below:
        axes.tick_params(labelbottom=True)
    _label_axes(below, list(grid[:, 0]), board)
    dashed_name = f"; dashed: {plain(row_label(board, reference))}" if reference is not None else ""
    full = f"; dotted: {ALL_LABELS}" if any(row.cells.get(FULL_SUPERVISION) for row in shown) else ""
    few = f", best {len(shown)} of {len(rows)} methods" if len(shown) < len(rows) else ""
    figure.suptitle(f"{plain(board.dataset)}{few}{dashed_name}{full}", fontsize=9)


def _full_lines(axes: Axes, rows: Sequence[Row]) -> dict[float, Any]:
    """Dotted lines at the accuracies in points with all labels; methods that train alike have one."""
    levels = {round(100 * cell.mean, 2) for row in rows if (cell := row.cells.get(FULL_SUPERVISION)) is not None}
    return {y: axes.axhline(y, color=_REFERENCE, linestyle=":", linewidth=1) for y in sorted(levels)}


def _curve(axes: Axes, board: Board, row: Row, style: dict[str, Any], *, band: bool) -> Any:
    """The line of a row, with the 95% interval of its mean."""
    points = [(size, cell) for size, key in curve_columns(board) if (cell := row.cells.get(key)) is not None]
    sizes, mean = [size for size, _ in points], [100 * cell.mean for _, cell in points]
    (line,) = axes.plot(sizes, mean, **{"markersize": 3.5, **style})
    if band:
        ends = [mean_interval(cell) for _, cell in points]
        low, high = [100 * end for end, _ in ends], [100 * end for _, end in ends]
        axes.fill_between(sizes, low, high, color=style["color"], alpha=0.15, linewidth=0)
    return line


def mean_interval(cell: Cell) -> tuple[float, float]:
    """The 95% t interval of a mean accuracy in [0, 1], which it does not leave; twice the mean for one run."""
    if cell.std is None or cell.n < 2:
        return cell.mean, cell.mean
    half = t_quantile(cell.n - 1, 0.975) * cell.std / math.sqrt(cell.n)
    return max(0.0, cell.mean - half), min(1.0, cell.mean + half)


def _label_axes(below: Sequence[Axes], left: Sequence[Axes], board: Board) -> None:
    """Titles of axes, and the numbers of labels where they are few."""
    sizes = [size for size, _ in curve_columns(board)]
    for axes in below:
        axes.set_xlabel("labelled images (mean, 95% interval)" if len(below) == 1 and left else "labelled images")
        if sizes[-1] >= _LOG_FROM * sizes[0] > 0:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_minor_formatter("")
            axes.xaxis.set_major_formatter("{x:g}")
        if len(sizes) <= 6:
            axes.set_xticks(sizes)
    for axes in left:
        axes.set_ylabel("test accuracy (%)", fontsize=8)
