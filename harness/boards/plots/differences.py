"""The difference of two rows on each query or seed as a picture."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.boards.board import plural
from harness.boards.comparison.pairs import RowDifference
from harness.boards.plots.canvas import COLOURS, file_name, picture, plain
from harness.boards.plots.data import difference_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def difference_plots(
    differences: Sequence[RowDifference], images: Sequence[str] = ("svg",), *, data: bool = False
) -> dict[str, bytes]:
    """File name -> picture of the differences on one board, sorted, with mean and interval; ``data``: CSV beside it."""
    pictures: dict[str, bytes] = {}
    for difference in differences:
        name = file_name(difference.dataset)
        name = f"{name}-difference" if f"{name}-difference.{images[0]}" not in pictures else f"{name}-{len(pictures)}"
        for image in images:
            pictures[f"{name}.{image}"] = picture(functools.partial(_draw, difference=difference), (6.4, 3.2), image)
        if data:
            pictures[f"{name}.csv"] = difference_data(difference)
    return pictures


def _draw(figure: Figure, difference: RowDifference) -> None:
    axes = figure.add_subplot()
    order = sorted(zip(difference.values, difference.units, strict=True))
    values = [difference.scale * value for value, _ in order]
    positions = range(1, len(values) + 1)
    colours = [COLOURS[0] if value > 0 else COLOURS[1] for value in values]
    # Hatched below zero: the side can be told in print without colours.
    for position, value, colour in zip(positions, values, colours, strict=True):
        axes.bar(
            position, value, width=0.8, color=colour, hatch="" if value > 0 else "////", edgecolor="white", linewidth=0
        )
    mean = difference.scale * difference.mean
    axes.grid(axis="x", visible=False)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axhline(mean, color="black", linewidth=1, linestyle="--", label=f"mean {mean:+.1f}")
    if difference.interval is not None:
        low, high = (difference.scale * bound for bound in difference.interval)
        axes.axhspan(
            low, high, color="#777777", alpha=0.25, linewidth=0, label=f"95% interval {low:+.1f} to {high:+.1f}"
        )
    axes.set(
        xlabel=f"{len(values)} {plural(difference.unit)}, sorted",
        ylabel=f"difference in {difference.measured_in}\n{plain(difference.metric)}",
    )
    if len(values) <= 20:
        axes.set_xticks(list(positions), [str(unit) for _, unit in order])
    axes.set_title(
        f"{plain(difference.a)} (above 0)\nagainst {plain(difference.b)} (below 0), {plain(difference.dataset)}",
        fontsize=8,
    )
    axes.legend(loc="upper left", fontsize=7)
