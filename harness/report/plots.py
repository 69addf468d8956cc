"""Boards as pictures: learning curves, quality against cost. SVG, legible in print, safe for the colour-blind.

matplotlib is imported when a picture is drawn. The same records give the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.report.board import Board, Column
from harness.report.columns import pareto_front

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito: distinguishable with every kind of colour blindness; marks differ too, for print.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
_PLAIN: Final[Mapping[str, Any]] = {"color": "#BBBBBB", "marker": ".", "zorder": 1}
_MARKS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES: Final = ("-", "--", ":", "-.")
_MOST_NAMES: Final = 12
"""Rows that get a colour and a name, best first: nobody can tell more apart, and each name takes its time to draw."""
_RC: Final[Mapping[str, Any]] = {
    "svg.hashsalt": "harness",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # A name that a plugin chose must not be read as a formula.
    "text.parse_math": False,
}


def plots(boards: Sequence[Board]) -> dict[str, bytes]:
    """File name -> SVG of every picture that the boards have data for."""
    pictures: dict[str, bytes] = {}
    for board in boards:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", board.dataset)
        if board.task == "active-learning" and _curve_columns(board):
            pictures[f"{name}-curves.svg"] = _picture(board, _curves)
        if any(column.is_cost for column in board.columns):
            pictures[f"{name}-cost.svg"] = _picture(board, _cost)
    return pictures


def _picture(board: Board, draw: Any) -> bytes:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = dict(_RC)  # the stub names every key; ours are checked by matplotlib itself
    with mpl.rc_context(settings):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        draw(figure, board)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _curves(figure: Figure, board: Board) -> None:
    """Accuracy against number of labels, band of one standard deviation (thesis Fig. 3.2-3.5)."""
    axes = figure.add_subplot()
    columns = _curve_columns(board)
    for position, row in enumerate(board.rows):
        points = [(size, cell) for size, key in columns if (cell := row.cells.get(key)) is not None]
        if not points:
            continue
        sizes = [size for size, _ in points]
        mean = [100 * cell.mean for _, cell in points]
        band = [100 * (cell.std or 0.0) for _, cell in points]
        if position >= _MOST_NAMES:
            axes.plot(sizes, mean, color=_PLAIN["color"], linewidth=0.7, zorder=_PLAIN["zorder"])
            continue
        colour, mark, line = _style(board, row.labels, position)
        axes.plot(sizes, mean, color=colour, marker=mark, linestyle=line, label=_label(board, row.labels))
        low = [m - b for m, b in zip(mean, band, strict=True)]
        high = [m + b for m, b in zip(mean, band, strict=True)]
        axes.fill_between(sizes, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set(xlabel="labelled images", ylabel="test accuracy (%)", title=board.dataset)
    axes.set_xticks([size for size, _ in columns])
    handles, names = axes.get_legend_handles_labels()
    _legend(figure, handles, names)


def _style(board: Board, labels: Mapping[str, str], position: int) -> tuple[str, str, str]:
    """Colour, mark and line of a curve: one colour an acquisition and one line a scheme where both differ."""
    kinds = ("acquisition", "learning")
    if not set(kinds) <= set(board.kinds):
        return _COLOURS[position % len(_COLOURS)], _MARKS[position % len(_MARKS)], "-"
    places = [sorted({row.labels[kind] for row in board.rows}).index(labels[kind]) for kind in kinds]
    return _COLOURS[places[0] % len(_COLOURS)], _MARKS[places[0] % len(_MARKS)], _LINES[places[1] % len(_LINES)]


def _cost(figure: Figure, board: Board) -> None:
    """Quality against each cost, best at the upper left; the Pareto front is drawn."""
    quality = board.columns[0]
    costs = [column for column in board.columns if column.is_cost]
    named = _named(board, quality, costs)
    styles = {
        name: {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKS[place % len(_MARKS)], "label": name}
        for place, name in enumerate(named)
    }
    for axes, column in zip(figure.subplots(1, len(costs), squeeze=False, sharey=True)[0], costs, strict=True):
        points, plain = [], []
        for row in board.rows:
            x, y = row.cells[column.key], row.cells[quality.key]
            if x is None or y is None:
                continue
            points.append((x.mean * column.scale, y.mean * quality.scale))
            if style := styles.get(_label(board, row.labels)):
                axes.scatter(*points[-1], **style)
            else:
                plain.append(points[-1])
        if plain:
            axes.scatter(*zip(*plain, strict=True), **_PLAIN)
        front = pareto_front(points)
        axes.plot(*zip(*front, strict=True), color="#777777", linewidth=0.8, zorder=0) if front else None
        axes.set_xlabel(column.title)
        if points and min(x for x, _ in points) > 0 and max(x for x, _ in points) > 10 * min(x for x, _ in points):
            axes.set_xscale("log")
            # matplotlib writes powers as formulas, which are not parsed here.
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
            axes.tick_params(axis="x", labelrotation=45)
    figure.axes[0].set_ylabel(quality.title)
    figure.suptitle(board.dataset)
    handles, names = figure.axes[0].get_legend_handles_labels()
    _legend(figure, handles, names)


def _legend(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Below the axes, in as many columns as fit."""
    columns = max(1, min(4, 100 // (max(map(len, names), default=1) + 6)))
    figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=7, frameon=False)


def _named(board: Board, quality: Column, costs: Sequence[Column]) -> list[str]:
    """Rows that get a colour and a name: all, or of many the first that are best for what they cost in some way."""
    if len(board.rows) <= len(_COLOURS):
        return [_label(board, row.labels) for row in board.rows]
    chosen: set[str] = set()
    for column in costs:
        points = {
            (x.mean, y.mean): _label(board, row.labels)
            for row in reversed(board.rows)
            if (x := row.cells[column.key]) is not None and (y := row.cells[quality.key]) is not None
        }
        chosen |= {points[point] for point in pareto_front(list(points))}
    return [name for row in board.rows if (name := _label(board, row.labels)) in chosen][:_MOST_NAMES]


def _curve_columns(board: Board) -> list[tuple[int, str]]:
    """Numbers of labels and the keys of their accuracies."""
    keys = [column.key for column in board.columns if column.key.startswith("accuracy@")]
    return sorted((int(key.partition("@")[2]), key) for key in keys)


def _label(board: Board, labels: Mapping[str, str]) -> str:
    return " · ".join(labels[kind] for kind in board.kinds if labels[kind] != "none") or "none"
