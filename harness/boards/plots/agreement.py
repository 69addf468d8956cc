"""Ranks of an agreement study as a scatter (thesis Fig. 3.6)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.boards.agreement import Compared
from harness.boards.plots.canvas import file_name, picture, plain
from harness.boards.plots.data import csv_bytes
from harness.boards.plots.styles import method_styles
from harness.metrics.selections import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS: Final = 4
"""Cycles side by side: more would not fit the width of a page."""

_PANEL: Final = 1.75
"""Inches of a panel: four of them are as wide as a page of text."""

Ranked = Mapping[str, Sequence[Comparison]]
"""Label of an acquisition -> its comparisons of one seed that have ranks."""


def agreement_plots(
    title: str, reference: str, compared: Compared, name: str, images: Sequence[str] = ("svg",), *, data: bool = False
) -> dict[str, bytes]:
    """File name -> picture of ranks by the reference against ranks by each acquisition (row), after cycles (column).

    Of the first seed. Empty where nothing was ranked. The points are the random subset that the comparisons hold.

    Args:
        title: of the study.
        reference: label of the reference.
        compared: what was measured.
        name: of the files, before ``-ranks``.
        images: ``svg``, ``png``, ``pdf``.
        data: add the points of all cycles as CSV.
    """
    seed = min((c.seed for comparisons in compared.values() for c in comparisons), default=0)
    ranked = {
        label: found
        for label, comparisons in compared.items()
        if (found := [c for c in comparisons if c.seed == seed and c.ranks.size])
    }
    if not ranked:
        return {}
    shown = {label: _spread(comparisons) for label, comparisons in ranked.items()}
    few = ", some of the cycles" if any(len(shown[label]) < len(ranked[label]) for label in ranked) else ""
    title = f"{plain(title)}, seed {seed}{few}"
    styles = method_styles([reference, *compared])
    draw = functools.partial(_draw, title=title, reference=reference, shown=shown, styles=styles)
    columns = max(map(len, shown.values()))
    size = _PANEL * columns + 0.5, (_PANEL + 0.2) * len(shown) + 0.5
    files = {f"{file_name(name)}-ranks.{image}": picture(draw, size, image) for image in images}
    return files | ({f"{file_name(name)}-ranks.csv": _points(reference, ranked)} if data else {})


def _spread(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The first, the last, and cycles between them."""
    last, most = len(comparisons) - 1, min(len(comparisons), _ACROSS)
    return [comparisons[round(at * last / max(most - 1, 1))] for at in range(most)]


def _draw(figure: Figure, title: str, reference: str, shown: Ranked, styles: Mapping[str, Any]) -> None:
    grid = figure.subplots(len(shown), max(map(len, shown.values())), squeeze=False)
    for row, (label, comparisons) in enumerate(shown.items()):
        for axes in grid[row]:
            axes.set_visible(False)
        for axes, comparison in zip(grid[row], comparisons, strict=False):
            _scatter(axes, comparison, styles[label])
        grid[row, 0].set_ylabel(f"rank by {plain(label)}", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel(f"rank by {plain(reference)}", fontsize=8)
    figure.suptitle(title)


def _scatter(axes: Axes, comparison: Comparison, style: Mapping[str, Any]) -> None:
    first, second = comparison.ranks
    axes.set_visible(True)
    axes.scatter(first, second, s=5, alpha=0.6, linewidths=0, **style)
    n, rho = comparison.n_unlabelled, comparison.values["spearman"]
    axes.set(xlim=(-0.03 * n, 1.03 * n), ylim=(-0.03 * n, 1.03 * n), box_aspect=1)
    correlation = "" if math.isnan(rho) else f"\nSpearman {rho:.2f}"
    axes.set_title(f"{comparison.n_labelled} labels: {len(first)} of {n}{correlation}", fontsize=7)


def _points(reference: str, ranked: Ranked) -> bytes:
    """A line a point."""
    return csv_bytes(
        ["acquisition", "cycle", "labels", f"rank by {reference}", "rank by the acquisition"],
        (
            [label, comparison.cycle, comparison.n_labelled, *map(int, ranks)]
            for label, comparisons in ranked.items()
            for comparison in comparisons
            for ranks in comparison.ranks.T
        ),
    )
