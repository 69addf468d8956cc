"""Saliency maps and regions on them (thesis Fig. 5.3, 5.9), and their precision (Fig. 5.6, 5.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import InvalidInput
from harness.studies.pictures import Format, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Region = tuple[int, int, int, int]

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
_REGION: Final = "#FF2020"
_INCHES: Final = 2.2
"""Width of a panel."""


@dataclass(frozen=True)
class Panel:
    """One view of an image.

    Attributes:
        title: above the panel.
        image: (H, W, 3) uint8.
        saliency: (h, w), laid over the image; None shows the image alone.
        regions: first row, first column, height, width in cells.
        stride: pixels of the image per cell.
        box: x0, y0, x1, y1 in pixels: where the object is.
    """

    title: str
    image: NDArray[np.uint8]
    saliency: NDArray[Any] | None = None
    regions: Sequence[Region] = field(default_factory=tuple)
    stride: float = 1.0
    box: tuple[float, float, float, float] | None = None


def draw_panels(rows: Sequence[Sequence[Panel]], title: str = "", format: Format = "png") -> bytes:
    """A row of panels per image.

    Args:
        rows: as many panels in each row.
        title: above all.
        format: ``png``, ``svg`` or ``pdf``.

    Raises:
        InvalidInput: no panels, or rows of different lengths.
    """
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise InvalidInput("there are no panels to draw, or rows of different lengths", fix="one row an image")
    heights = [max(panel.image.shape[0] / panel.image.shape[1] for panel in row) for row in rows]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(rows), len(rows[0]), squeeze=False, height_ratios=heights)
        for axes_row, row in zip(grid, rows, strict=True):
            for axes, panel in zip(axes_row, row, strict=True):
                _draw_panel(axes, panel)
        if title:
            figure.suptitle(title)

    size = (_INCHES * len(rows[0]), sum(_INCHES * height + 0.3 for height in heights) + (0.3 if title else 0))
    return saved(draw, size, format)


def draw_precision(
    precisions: Mapping[str, NDArray[Any]], chance: float, title: str = "", format: Format = "svg"
) -> bytes:
    """Mean saliency precision of each kind of map, and how it is distributed over the images.

    Args:
        precisions: name -> (n,) share of the saliency that lies on the object; NaN where there is no saliency.
        chance: that of a map without any preference.
        title: above both.
        format: ``png``, ``svg`` or ``pdf``.
    """
    values = {name: found[~np.isnan(found)] for name, found in precisions.items()}

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
        for place, (name, found) in enumerate(values.items()):
            colour = _COLOURS[place % len(_COLOURS)]
            left.barh(place, found.mean(), color=colour)
            left.text(found.mean() + 0.01, place, f"{found.mean():.3f}", va="center")
            right.plot(np.sort(found), 100 * np.arange(1, len(found) + 1) / len(found), color=colour, label=name)
        left.axvline(chance, color="#777777", linewidth=0.8, linestyle=":")
        left.set_title(f"dotted: a uniform map, {chance:.3f}", fontsize=8)
        left.set_yticks(range(len(values)), list(values))
        left.invert_yaxis()
        left.set(xlim=(0, 1.0), xlabel="mean saliency precision")
        right.set(xlim=(0, 1), ylim=(0, 100), xlabel="saliency precision of an image", ylabel="% of images below")
        right.legend(frameon=False, fontsize=8, loc="upper left")
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
        figure.suptitle(title)

    return saved(draw, (8.4, 3.6), format)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    from matplotlib.patches import Rectangle

    height, width = panel.image.shape[:2]
    axes.imshow(panel.image, extent=(0, width, height, 0))
    if panel.saliency is not None:
        rows, columns = panel.saliency.shape
        extent = (0, columns * panel.stride, rows * panel.stride, 0)
        peak = float(panel.saliency.max()) or 1.0
        axes.imshow(
            panel.saliency, extent=extent, cmap="inferno", vmin=0, vmax=peak, alpha=0.65, interpolation="bilinear"
        )
    for y, x, h, w in (tuple(panel.stride * side for side in region) for region in panel.regions):
        axes.add_patch(Rectangle((x, y), w, h, fill=False, edgecolor=_REGION, linewidth=1.4))
    if panel.box is not None:
        x0, y0, x1, y1 = panel.box
        axes.add_patch(
            Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=1.2, linestyle="--")
        )
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_title(panel.title, fontsize=8)
    axes.axis("off")
