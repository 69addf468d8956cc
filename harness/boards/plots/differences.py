"""The difference of two rows on each query or seed as a picture."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.boards.board import Board, plural, row_name
from harness.boards.comparison.pairs import RowDifference
from harness.boards.plots.canvas import COLOURS, file_names, picture, plain
from harness.boards.plots.data import difference_data
from harness.boards.plots.styles import picture_names, point_style, row_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def difference_plots(
    differences: Sequence[RowDifference],
    images: Sequence[str] = ("svg",),
    *,
    boards: Sequence[Board] = (),
    data: bool = False,
) -> dict[str, bytes]:
    """File name -> picture of the differences on one board, sorted, with mean and interval.

    Args:
        differences: of ``harness.boards.comparison.pairs``.
        images: ``svg``, ``png``, ``pdf``.
        boards: those of the differences: a bar has the colour of the method that is better there.
        data: add the numbers of each picture as CSV.
    """
    pictures: dict[str, bytes] = {}
    names = file_names([difference.dataset for difference in differences], "difference")
    for name, difference in zip(names, differences, strict=True):
        draw = functools.partial(_draw, difference=difference, boards=boards)
        pictures |= {f"{name}.{image}": picture(draw, (6.4, 3.2), image) for image in images}
        if data:
            pictures[f"{name}.csv"] = difference_data(difference)
    return pictures


def _draw(figure: Figure, difference: RowDifference, boards: Sequence[Board]) -> None:
    axes = figure.add_subplot()
    order = sorted(zip(difference.values, difference.units, strict=True))
    values = [difference.scale * value for value, _ in order]
    positions = range(1, len(values) + 1)
    (a, b), colours, both = _sides(difference, boards)
    # Below zero hatches instead of areas: the side can be told without colours, in print and where both have one.
    for colour, hatch in zip(colours, ("", "/////"), strict=True):
        side = [(at, value) for at, value in zip(positions, values, strict=True) if (value > 0) == (hatch == "")]
        places, heights = [at for at, _ in side], [value for _, value in side]
        axes.bar(places, heights, width=0.8, color=colour, fill=not hatch, hatch=hatch, linewidth=0)
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
    axes.set_title(f"{a} (above 0)\nagainst {b} (below 0), {plain(difference.dataset)}{both}", fontsize=8)
    axes.legend(loc="upper left", fontsize=7)


def _sides(difference: RowDifference, boards: Sequence[Board]) -> tuple[list[str], list[str], str]:
    """Names and colours of both methods as on their board, and a line that says what the names leave out."""
    names = [difference.a, difference.b]
    for board in boards:
        rows = [row for name in names for row in board.rows if row_name(row, board.kinds) == name]
        if board.dataset == difference.dataset and len(rows) == len(names):
            short = picture_names(board, rows)
            shown = [short.shown[row_label(board, row)] for row in rows]
            return shown, [point_style(board, row)["color"] for row in rows], short.left_out
    return [plain(name) for name in names], list(COLOURS[:2]), ""
