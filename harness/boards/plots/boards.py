"""Boards as pictures: learning curves, quality against cost, mean ranks with the critical difference.

SVG, PNG or PDF, legible in print, safe for the colour-blind. The same boards give the same bytes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.boards.across import Across, across, critical_difference, indistinct
from harness.boards.board import Board
from harness.boards.columns import Column
from harness.boards.plots.canvas import (
    COLOURS,
    MOST_NAMES,
    PLAIN,
    file_name,
    legend,
    picture,
    plain,
    written_out,
)
from harness.boards.plots.curves import PANELS, curve_columns, curves_size, draw_board, draw_boards
from harness.boards.plots.data import cost_data, curves_data, intervals_data, ranks_data
from harness.boards.plots.intervals import draw_intervals, intervals_size, ranked_rows
from harness.boards.plots.styles import picture_names, point_style, row_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[["Figure"], None]


def plots(boards: Sequence[Board], images: Sequence[str] = ("svg",), *, data: bool = False) -> dict[str, bytes]:
    """File name -> picture of all that the boards have data for.

    Args:
        boards: their curves and costs are drawn one by one; curves of several boards once more side by side, and mean
            ranks where there are enough boards for a test.
        images: ``svg``, ``png``, ``pdf``.
        data: add the numbers of each picture as CSV.

    Raises:
        UnknownName: no such kind of image.
    """
    drawings: dict[str, tuple[Draw, tuple[float, float]]] = {}
    tables: dict[str, bytes] = {}
    curved = [board for board in boards if board.task == "active-learning" and curve_columns(board)]
    for board in boards:
        name = _file_name(board, drawings)
        if board in curved:
            drawings[f"{name}-curves"] = functools.partial(draw_board, board=board), curves_size(board)
            tables[f"{name}-curves.csv"] = curves_data([board])
        if any(column.pareto for column in board.columns):
            drawings[f"{name}-cost"] = functools.partial(_cost, board=board), (6.4, 4.0)
            tables[f"{name}-cost.csv"] = cost_data(board)
        if len(ranked_rows(board)) > 1:
            drawings[f"{name}-intervals"] = functools.partial(draw_intervals, board=board), intervals_size(board)
            tables[f"{name}-intervals.csv"] = intervals_data(board)
    if len(curved) > 1:
        across_panels = min(PANELS, len(curved))
        size = 3.2 * across_panels, 2.8 * math.ceil(len(curved) / across_panels) + 0.8
        drawings["active-learning-curves"] = functools.partial(draw_boards, boards=curved), size
        tables["active-learning-curves.csv"] = curves_data(curved)
    pictures = {f"{name}.{image}": picture(*drawing, image) for name, drawing in drawings.items() for image in images}
    return pictures | rank_plots(across(boards), images, data=data) | (tables if data else {})


def rank_plots(ranks: Sequence[Across], images: Sequence[str] = ("svg",), *, data: bool = False) -> dict[str, bytes]:
    """Mean ranks with the critical difference of each task that has enough boards for the test, by file name."""
    pictures: dict[str, bytes] = {}
    for task in ranks:
        if task.p is not None:
            draw = functools.partial(_ranks, ranking=task)
            size = 6.4, 0.9 + 0.11 * (min(len(task.methods), MOST_NAMES) + 3)
            pictures |= {f"{task.task}-ranks.{image}": picture(draw, size, image) for image in images}
            pictures |= {f"{task.task}-ranks.csv": ranks_data(task)} if data else {}
    return pictures


def _file_name(board: Board, taken: Mapping[str, Any]) -> str:
    """A name for the files of a board that no other has."""
    name = file_name(board.dataset)
    names = {key.rpartition("-")[0] for key in taken}
    return next(free for n in range(len(taken) + 1) if (free := f"{name}-{n + 1}" if n else name) not in names)


def _cost(figure: Figure, board: Board) -> None:
    """Quality against time and against memory, best at the upper left; the front joins the rows that tables mark."""
    quality, costs = board.columns[0], [column for column in board.columns if column.pareto]
    named = _named(board, costs)
    names = picture_names(board, [row for row in board.rows if row_label(board, row) in named])
    entries: dict[str, Any] = {}
    for axes, column in zip(figure.subplots(1, len(costs), squeeze=False, sharey=True)[0], costs, strict=True):
        points, unnamed, front = [], [], []
        for row in board.rows:
            x, y = row.cells[column.key], row.cells[quality.key]
            if x is None or y is None:
                continue
            points.append((x.mean * column.scale, y.mean * quality.scale))
            front += [points[-1]] if column.key in row.front else []
            name = row_label(board, row)
            if name in named:
                entries.setdefault(names.shown[name], axes.scatter(*points[-1], zorder=3, **point_style(board, row)))
            else:
                unnamed.append(points[-1])
        if unnamed:
            axes.scatter(*zip(*unnamed, strict=True), color=PLAIN, marker=".", zorder=1)
        if front:
            axes.plot(*zip(*sorted(front), strict=True), color="#777777", linewidth=0.8, zorder=0)
        axes.set_xlabel(column.title)
        written_out(axes, [x for x, _ in points])
    figure.axes[0].set_ylabel(plain(f"{board.metric} (%)"))
    figure.suptitle(f"{plain(board.dataset)}{names.left_out}", fontsize=9)
    legend(figure, entries)


def _named(board: Board, costs: Sequence[Column]) -> list[str]:
    """Rows that get a colour and a name: all, or of many the first that are best for what they cost in some way."""
    if len(board.rows) <= len(COLOURS):
        return [row_label(board, row) for row in board.rows]
    keys = {column.key for column in costs}
    chosen = {row_label(board, row) for row in board.rows if keys & {*row.front}}
    return [name for row in board.rows if (name := row_label(board, row)) in chosen][:MOST_NAMES]


def _ranks(figure: Figure, ranking: Across) -> None:
    """Mean ranks on one axis; bars join methods that are not significantly different (Demšar 2006, Fig. 1)."""
    methods, ranks = ranking.methods[:MOST_NAMES], ranking.mean[:MOST_NAMES].tolist()
    difference = critical_difference(len(ranking.boards), len(ranking.methods))
    # Without a finding by Friedman's test no difference is significant.
    bars = [(0, len(ranks) - 1)] if ranking.critical is None else indistinct(ranks, difference)
    axes = figure.add_subplot()
    left, right = 1.0, max(math.ceil(ranks[-1]), 1 + difference)
    half, below = math.ceil(len(methods) / 2), 0.6 + 0.35 * len(bars)
    axes.set(xlim=(left - 0.02 * (right - left), right + 0.02 * (right - left)), ylim=(below + 0.6 * half, -1.2))
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.tick_params(top=True, bottom=False, left=False, labeltop=True, labelbottom=False, labelleft=False)
    axes.set_xticks(range(1, math.ceil(right) + 1, max(1, math.ceil((right - 1) / 12))))
    shown = "" if len(methods) == len(ranking.methods) else f", best {len(methods)} of {len(ranking.methods)} methods"
    p = "< 0.0001" if (ranking.p or 0.0) < 1e-4 else f"= {ranking.p:.2g}"
    axes.set_title(f"mean rank over {len(ranking.boards)} settings{shown}; Friedman p {p}", fontsize=8, pad=8)
    axes.plot([left, left + difference], [-0.6, -0.6], color="black", linewidth=1.2, marker="|")
    axes.text(
        left + 1.02 * difference,
        -0.6,
        f"critical difference {difference:.2f}",
        va="center",
        fontsize=7,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
    for position, (name, rank) in enumerate(zip(methods, ranks, strict=True)):
        on_left = position < half
        height = below + 0.6 * (position if on_left else len(methods) - 1 - position)
        end = axes.get_xlim()[0 if on_left else 1]
        axes.plot([rank, rank, end], [-1.2, height, height], color="#444444", linewidth=0.7, clip_on=False)
        align = "right" if on_left else "left"
        gap = -4 if on_left else 4
        text = f"{plain(name)}  {rank:.2f}"
        axes.annotate(text, (end, height), (gap, 0), textcoords="offset points", ha=align, va="center", fontsize=7)
    for number, (first, last) in enumerate(bars):
        axes.plot([ranks[first], ranks[last]], [0.1 + 0.35 * number] * 2, color=COLOURS[0], linewidth=3.5)
