"""Ranks of an agreement study as a scatter (thesis Fig. 3.6)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.boards.agreement import Compared
from harness.boards.plots.canvas import COLOURS, picture
from harness.metrics.selections import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def agreement_plot(title: str, reference: str, compared: Compared) -> bytes | None:
    """SVG of ranks by the reference against ranks by each acquisition (row), after each cycle (column); first seed.

    None where nothing was ranked. The points are the random subset that the comparisons hold.
    """
    seed = min((c.seed for comparisons in compared.values() for c in comparisons), default=0)
    drawn = {
        label: ranked
        for label, comparisons in compared.items()
        if (ranked := [c for c in comparisons if c.seed == seed and c.ranks.size])
    }
    if not drawn:
        return None
    columns = max(len(comparisons) for comparisons in drawn.values())

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(drawn), columns, squeeze=False)
        for row, (label, comparisons) in enumerate(drawn.items()):
            for axes in grid[row]:
                axes.set_visible(False)
            for axes, comparison in zip(grid[row], comparisons, strict=False):
                _scatter(axes, comparison, COLOURS[row % len(COLOURS)])
            grid[row, 0].set_ylabel(f"rank by {label}")
        for axes in grid[-1]:
            axes.set_xlabel(f"rank by {reference}")
        figure.suptitle(f"{title}, seed {seed}")

    return picture(draw, (2.5 * columns + 0.5, 2.4 * len(drawn) + 0.7))


def _scatter(axes: Axes, comparison: Comparison, colour: str) -> None:
    first, second = comparison.ranks
    axes.set_visible(True)
    axes.scatter(first, second, s=5, color=colour, alpha=0.6, linewidths=0)
    n, rho = comparison.n_unlabelled, comparison.values["spearman"]
    axes.set(xlim=(-0.03 * n, 1.03 * n), ylim=(-0.03 * n, 1.03 * n), box_aspect=1)
    correlation = "" if math.isnan(rho) else f", Spearman {rho:.2f}"
    axes.set_title(f"{comparison.n_labelled} labels: {len(first)} of {n}{correlation}", fontsize=7.5)
