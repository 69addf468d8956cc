"""The ranked results of a query, each in a frame that says whether it is relevant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.core.errors import InvalidInput
from harness.studies.pictures import Format, saved

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Relevance = Literal["positive", "negative", "junk"]

# Green, red and grey of Okabe and Ito; the lines differ too, for print and for the colour-blind.
_FRAMES: Final = {"positive": ("#009E73", "-"), "negative": ("#D55E00", "--"), "junk": ("#999999", ":")}
_QUERY: Final = "#000000"
_INCHES: Final = 1.5


@dataclass(frozen=True)
class Result:
    """An image of the ranking: its pixels (H, W, 3) uint8, what it is, and its name."""

    image: NDArray[np.uint8]
    relevance: Relevance
    name: str


def draw_gallery(
    query: NDArray[np.uint8],
    results: Sequence[Result],
    box: tuple[float, float, float, float] | None = None,
    title: str = "",
    columns: int = 6,
    format: Format = "png",
) -> bytes:
    """The query and its results, best first: positives in green, negatives in red and dashed, junk in grey and dotted.

    Args:
        query: (H, W, 3) uint8.
        results: in the order of the ranking.
        box: x0, y0, x1, y1 in pixels of ``query``: what was asked for; None for the whole image.
        title: above all.
        columns: panels a row; the first is the query.
        format: ``png``, ``svg`` or ``pdf``.

    Raises:
        InvalidInput: no results.
    """
    if not results:
        raise InvalidInput("there are no results to draw", fix="one or more")
    columns = min(columns, len(results) + 1)
    rows = -(-(len(results) + 1) // columns)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        _draw_image(grid[0], query, "query", _QUERY, "-", box)
        for rank, (axes, result) in enumerate(zip(grid[1:], results, strict=False), start=1):
            _draw_image(axes, result.image, f"{rank}: {result.relevance}\n{result.name}", *_FRAMES[result.relevance])
        for axes in grid[len(results) + 1 :]:
            axes.axis("off")
        figure.suptitle(title)

    return saved(draw, (_INCHES * columns, (_INCHES + 0.35) * rows + 0.3), format)


def _draw_image(
    axes: Axes,
    image: NDArray[np.uint8],
    title: str,
    colour: str,
    line: str,
    box: tuple[float, float, float, float] | None = None,
) -> None:
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    axes.imshow(image, extent=(0, width, height, 0))
    if box is not None:
        x0, y0, x1, y1 = box
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=1.4))
    axes.set_title(title, fontsize=7, color=colour)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=3, linestyle=line)
