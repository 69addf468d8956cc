"""What a re-ranker matched: two images with their inliers (thesis Fig. 4.5), and the counts of many (Fig. 4.6)."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import InvalidInput
from harness.studies.pictures import Format, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from numpy.typing import NDArray

_POSITIVE, _NEGATIVE = "#0072B2", "#D55E00"  # Okabe and Ito
_GAP: Final = 0.04
"""Between the images, as a share of the width of both."""
_INCHES: Final = 9.0
_DEVIATIONS: Final = 2.0  # an evenly filled ellipse ends at two standard deviations
_GOLDEN: Final = 0.6180339887498949


def draw_matches(
    query_image: NDArray[np.uint8],
    database_image: NDArray[np.uint8],
    query: NDArray[Any],
    image: NDArray[Any],
    query_shapes: NDArray[Any] | None = None,
    image_shapes: NDArray[Any] | None = None,
    words: NDArray[np.int64] | None = None,
    title: str = "",
    format: Format = "png",
) -> bytes:
    """Both images side by side, the query on the left; every inlier a line, with the ellipse at each end.

    Args:
        query_image: (H, W, 3) uint8.
        database_image: (H, W, 3) uint8.
        query: (m, 2) x, y in pixels of the query.
        image: (m, 2) x, y in pixels of the database image.
        query_shapes: (m, 3) covariances xx, xy, yy of the ellipses in pixels squared; None draws dots.
        image_shapes: the same in the database image.
        words: (m,) what gives lines of one word one colour (the channel); None: each line its own.
        title: above the images.
        format: ``png``, ``svg`` or ``pdf``.

    Raises:
        InvalidInput: as many positions on one side as on the other are needed.
    """
    if query.shape != image.shape or query.ndim != 2 or query.shape[1] != 2:
        raise InvalidInput(f"positions of shapes {query.shape} and {image.shape}", fix="(m, 2) both")
    left_width, right_width = query_image.shape[1], database_image.shape[1]
    offset = left_width + round(_GAP * (left_width + right_width))
    height, width = max(query_image.shape[0], database_image.shape[0]), offset + right_width
    colours = _colours(np.arange(len(query)) if words is None else words)

    def draw(figure: Figure) -> None:
        from matplotlib.patches import Rectangle

        axes = figure.add_subplot()
        frames = []
        for picture, x in ((query_image, 0), (database_image, offset)):
            axes.imshow(picture, extent=(x - 0.5, x + picture.shape[1] - 0.5, picture.shape[0] - 0.5, -0.5))
            frames.append(Rectangle((x - 0.5, -0.5), picture.shape[1], picture.shape[0], transform=axes.transData))
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), title=title)
        axes.axis("off")
        shift = np.array([offset, 0])
        for start, end, colour in zip(query, image + shift, colours, strict=True):
            axes.plot(*zip(start, end, strict=True), color=colour, linewidth=0.8, alpha=0.8)
        _draw_ends(axes, query, query_shapes, colours, frames[0])
        _draw_ends(axes, image + shift, image_shapes, colours, frames[1])

    return saved(draw, (_INCHES, _INCHES * height / width + 0.4), format)


def draw_inliers(positives: NDArray[Any], negatives: NDArray[Any], title: str = "", format: Format = "png") -> bytes:
    """Histogram of the inliers of positive and negative images, each as a share of its kind.

    Args:
        positives: (p,) inliers of database images that show the query's object.
        negatives: (n,) inliers of those that do not.
        title: above the histogram.
        format: ``png``, ``svg`` or ``pdf``.
    """
    highest = int(max(positives.max(initial=0), negatives.max(initial=0)))
    step = max(1, -(-(highest + 1) // 40))
    edges = np.arange(0, highest + 1 + step, step) - 0.5

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for counts, colour, label in ((positives, _POSITIVE, "positive"), (negatives, _NEGATIVE, "negative")):
            share = np.histogram(counts, edges)[0] / max(len(counts), 1)
            text = f"{label}: {len(counts)} pairs, median {np.median(counts):g}" if len(counts) else f"{label}: none"
            axes.stairs(100 * share, edges, color=colour, fill=True, alpha=0.35)
            axes.stairs(100 * share, edges, color=colour, linewidth=1.2, label=text)
        axes.set(xlabel="inliers", ylabel="% of the pairs", title=title, xlim=(-0.5, edges[-1]))
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)

    return saved(draw, (6.4, 3.6), format)


def _draw_ends(
    axes: Axes, positions: NDArray[Any], shapes: NDArray[Any] | None, colours: list[Any], frame: Patch
) -> None:
    """Ellipses, cut off where their image ends, or dots."""
    from matplotlib.patches import Ellipse

    if shapes is None:
        axes.scatter(positions[:, 0], positions[:, 1], s=6, c=colours or None, linewidths=0)
        return
    for (x, y), (xx, xy, yy), colour in zip(positions, shapes, colours, strict=True):
        lengths, directions = np.linalg.eigh([[xx, xy], [xy, yy]])
        wide, high = 2 * _DEVIATIONS * np.sqrt(np.maximum(lengths, 0))
        angle = float(np.degrees(np.arctan2(directions[1, 0], directions[0, 0])))
        ellipse = Ellipse((x, y), wide, high, angle=angle, fill=False, edgecolor=colour, linewidth=1.2)
        axes.add_patch(ellipse)
        ellipse.set_clip_path(frame)


def _colours(words: NDArray[np.int64]) -> list[Any]:
    """One colour a word; hues a golden ratio apart, so that words that are near each other differ."""
    _, positions = np.unique(words, return_inverse=True)
    return [colorsys.hsv_to_rgb(float(p * _GOLDEN % 1), 0.9, 0.65 + 0.35 * float(p % 3) / 2) for p in positions]
