"""Saliency precision: how much of a saliency map lies on the object (thesis 5.4.2). Only numpy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from harness.plugin_api import Box


@dataclass(frozen=True)
class SaliencyPrecision:
    """Precision of many maps.

    Attributes:
        values: (n,) float64 in [0, 1], NaN for maps without any saliency.
        mean: over the maps that have saliency; NaN if none has.
        excluded: number of maps without any saliency.
    """

    values: NDArray[np.float64]
    mean: float
    excluded: int


def saliency_precision(saliency: ArrayLike, box: Box, stride: float) -> float:
    """Share of the saliency that lies inside the box; NaN where there is no saliency at all.

    A cell that the border of the box cuts counts by the share of its area inside.

    Args:
        saliency: (H, W), not negative, finite.
        box: x0, y0, x1, y1 in pixels of the full image.
        stride: pixels of the full image per cell. For an image that was resized before the network saw it: the
            network's stride divided by the factor of the resizing.

    Raises:
        InvalidInput: a map that is not two-dimensional, negative or not finite; a box without area; a bad stride.
    """
    values = np.asarray(saliency, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all() or (values < 0).any():
        raise InvalidInput(f"no saliency map: shape {values.shape}", fix="(H, W), finite, nowhere negative")
    x0, y0, x1, y1 = box
    if not (x0 < x1 and y0 < y1):
        raise InvalidInput(f"box {tuple(box)} has no area", fix="x0, y0, x1, y1 with x0 < x1 and y0 < y1")
    if not 0 < stride < np.inf:
        raise InvalidInput(f"stride is {stride}", fix="pixels of the image per cell, above 0")
    total = values.sum()
    if total == 0:
        return float("nan")
    rows, columns = (
        _covered(n, a / stride, b / stride) for n, a, b in zip(values.shape, (y0, x0), (y1, x1), strict=True)
    )
    return float(np.clip(rows @ (values / total) @ columns, 0, 1))


def saliency_precisions(maps: Iterable[ArrayLike], boxes: Iterable[Box], stride: float) -> SaliencyPrecision:
    """The precision of every map with its box, and their mean.

    Raises:
        InvalidInput: as ``saliency_precision``.
        ValueError: another number of boxes than of maps.
    """
    pairs = zip(maps, boxes, strict=True)
    values = np.array([saliency_precision(saliency, box, stride) for saliency, box in pairs], np.float64)
    salient = values[~np.isnan(values)]
    mean = float(salient.mean()) if len(salient) else float("nan")
    return SaliencyPrecision(values, mean, len(values) - len(salient))


def _covered(cells: int, start: float, stop: float) -> NDArray[np.float64]:
    """Share of each cell [i, i + 1) inside [start, stop)."""
    edges = np.clip(np.arange(cells + 1), start, stop)
    return np.diff(edges)
