"""Label savings as curves against the diagonal, and the penalty matrix as shades."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.boards.board import Board
from harness.boards.plots.canvas import MOST_NAMES, file_names, legend, picture, plain, plain_names
from harness.boards.plots.data import penalties_data, savings_data
from harness.boards.plots.styles import method_styles, named_style
from harness.boards.savings import PenaltyMatrix, Savings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_TICKS: Final = 8
"""Budgets that are all written at the axes."""


def saving_plots(
    found: Sequence[Savings], images: Sequence[str] = ("svg",), *, boards: Sequence[Board] = (), data: bool = False
) -> dict[str, bytes]:
    """File name -> picture of the savings of each board.

    Args:
        found: of ``harness.boards.savings``.
        images: ``svg``, ``png``, ``pdf``.
        boards: those of the savings: methods have their colours and marks.
        data: add the numbers of each picture as CSV.
    """
    pictures: dict[str, bytes] = {}
    for name, saving in zip(file_names([saving.dataset for saving in found], "savings"), found, strict=True):
        draw = functools.partial(_savings, found=saving, boards=boards)
        pictures |= {f"{name}.{image}": picture(draw, (6.4, 4.2), image) for image in images}
        if data:
            pictures[f"{name}.csv"] = savings_data(saving)
    return pictures


def penalty_plot(matrix: PenaltyMatrix, images: Sequence[str] = ("svg",), *, data: bool = False) -> dict[str, bytes]:
    """File name -> picture of the matrix; ``data``: CSV beside it."""
    side = 2.2 + 0.5 * len(matrix.methods)
    draw = functools.partial(_penalties, matrix=matrix)
    pictures = {f"penalties.{image}": picture(draw, (side, side), image) for image in images}
    return pictures | ({"penalties.csv": penalties_data(matrix)} if data else {})


def _savings(figure: Figure, found: Savings, boards: Sequence[Board]) -> None:
    axes = figure.add_subplot()
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    ends = [found.first, found.last]
    (same,) = axes.plot(ends, ends, color="#444444", linestyle="--", linewidth=1)
    entries: dict[str, Any] = {}
    styles = method_styles([found.reference, *found.methods])
    for name, row in list(found.methods.items())[:MOST_NAMES]:
        style = named_style(boards, found.dataset, name) or styles[name]
        points = [saving for saving in row if not saving.censored] or list(row)
        (entries[name],) = axes.plot(
            [saving.budget for saving in points], [saving.equivalent for saving in points], **style, markersize=4
        )
        for saving in points:
            if saving.has_interval:
                bounds = [saving.low or found.first, saving.high or found.last]
                axes.plot([saving.budget] * 2, bounds, color=style["color"], linewidth=1, alpha=0.5)
    entries[f"as {found.reference}"] = same
    budgets = sorted({saving.budget for row in found.methods.values() for saving in row})
    if len(budgets) <= _TICKS:
        axes.set_xticks(budgets)
        axes.set_yticks(budgets)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.set(xlabel="labelled images", ylabel=plain(f"labels that {found.reference} needs"))
    axes.set_title(plain(found.dataset))
    legend(figure, entries)


def _penalties(figure: Figure, matrix: PenaltyMatrix) -> None:
    axes, values = figure.add_subplot(), matrix.penalties.matrix
    most = max(float(matrix.penalties.settings), 1.0)
    axes.imshow(values, cmap="Greys", vmin=0, vmax=1.4 * most)
    axes.grid(False)
    names = plain_names(matrix.methods)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            if i != j:
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=6.5)
    axes.set_xlabel("is beaten")
    axes.set_ylabel("beats")
    count = matrix.penalties.settings
    axes.set_title(f"penalties over {count} setting{'s' if count != 1 else ''}: no verdict", fontsize=8)
