"""Which detected regions become features: support of the ellipse, non-maximum suppression, limits; compiled.

Imports numba, which is slow: import this module where work is done.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]

_VERTICES: Final = 40  # released code, cmp_mser_regions.m:104
_TENTH: Final = 0.1  # MATLAB's poly2mask shifts a polygon with integer vertices by a tenth of a pixel


@njit(cache=True)
def ellipse_support(values: Singles, channels: Ints, ellipses: Doubles) -> tuple[Ints, Singles]:
    """Box and strongest activation of each ellipse of one standard deviation, drawn as a polygon of whole cells.

    Args:
        values: (C, H, W) float32.
        channels: (n,) int64.
        ellipses: (n, 5) float64: mean x, y, covariance xx, xy, yy.

    Returns:
        Boxes (n, 4) int64 left, top, right, bottom, inclusive, and maxima (n,) float32; the maximum is 0 where a side
        of the box is one cell or nothing inside is active.
    """
    height, width = values.shape[1:]
    boxes, maxima = np.zeros((len(channels), 4), np.int64), np.zeros(len(channels), np.float32)
    xs, ys = np.empty(_VERTICES), np.empty(_VERTICES)
    for i in range(len(channels)):
        _draw(ellipses[i], xs, ys)
        left, top = max(int(xs.min()), 0), max(int(ys.min()), 0)
        right, bottom = min(int(xs.max()), width - 1), min(int(ys.max()), height - 1)
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = left, top, right, bottom
        if right <= left or bottom <= top:
            continue
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                value = values[channels[i], y, x]
                if value > maxima[i] and _inside(x - _TENTH, y - _TENTH, xs, ys):
                    maxima[i] = value
    return boxes, maxima


@njit(cache=True)
def _draw(ellipse: Doubles, xs: Doubles, ys: Doubles) -> None:
    a = np.sqrt(ellipse[2])
    b = ellipse[3] / a
    c = np.sqrt(max(ellipse[4] - b * b, 0.0))
    for k in range(_VERTICES):
        angle = 2 * np.pi * k / (_VERTICES - 1)
        xs[k] = np.floor(ellipse[0] + a * np.cos(angle) + 0.5)
        ys[k] = np.floor(ellipse[1] + b * np.cos(angle) + c * np.sin(angle) + 0.5)


@njit(cache=True)
def _inside(x: float, y: float, xs: Doubles, ys: Doubles) -> bool:
    """Even-odd rule."""
    inside = False
    for k in range(len(xs)):
        j = k - 1 if k > 0 else len(xs) - 1
        if (ys[k] > y) != (ys[j] > y) and x < xs[k] + (y - ys[k]) * (xs[j] - xs[k]) / (ys[j] - ys[k]):
            inside = not inside
    return inside


@njit(cache=True)
def suppress(boxes: Doubles, strengths: Singles, overlap: float) -> Ints:
    """Greedy non-maximum suppression: positions of what is kept, strongest first; of equals the later one wins.

    Args:
        boxes: (n, 4) float64 left, top, right, bottom; the area is the product of the differences.
        strengths: (n,) float32.
        overlap: what overlaps something kept by more, intersection over union, is dropped.
    """
    kept, count = np.empty(len(boxes), np.int64), 0
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for i in np.argsort(strengths, kind="mergesort")[::-1]:
        free = True
        for j in kept[:count]:
            wide = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
            high = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
            if wide > 0 and high > 0:
                shared = wide * high
                if shared / (areas[i] + areas[j] - shared) > overlap:
                    free = False
                    break
        if free:
            kept[count] = i
            count += 1
    return kept[:count].copy()


def strongest_per_channel(channels: Ints, strengths: Singles, limit: int) -> Ints:
    """Positions of what is kept, by channel: the strongest ``limit`` of a fuller channel, else all in their order."""
    _, inverse, counts = np.unique(channels, return_inverse=True, return_counts=True)
    overfull = counts[inverse] > limit
    order = np.lexsort((np.where(overfull, -strengths, 0), channels))
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(order)) - starts[inverse[order]]
    kept: Ints = order[rank < limit]
    return kept
