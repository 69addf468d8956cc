"""Which detected regions become features: support of the ellipse, non-maximum suppression, limits; compiled.

Imports numba, which is slow: import this module where work is done.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]

_VERTICES: Final = 40  # released code, cmp_mser_regions.m:104
_FINE: Final = 5  # MATLAB, poly2mask: parts of a cell


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
        mask = polygon_mask(xs, ys, left, top, right, bottom)
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                value = values[channels[i], y, x]
                if value > maxima[i] and mask[y - top, x - left]:
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
def polygon_mask(xs: Doubles, ys: Doubles, left: int, top: int, right: int, bottom: int) -> Bools:
    """Cells (bottom - top + 1, right - left + 1) inside a polygon of whole cells, as MATLAB's ``poly2mask`` has them.

    Edges are drawn on a grid five times as fine, rounded to it, which decides on the cells of a thin tilted polygon; a
    cell is inside if an odd number of edges cross the middle of its column above it.
    """
    mask = np.zeros((bottom - top + 1, right - left + 1), np.bool_)
    for k in range(len(xs)):
        j = k - 1 if k > 0 else len(xs) - 1
        xa, ya, xb, yb = _fine(xs[j]), _fine(ys[j]), _fine(xs[k]), _fine(ys[k])
        steep = abs(yb - ya) > abs(xb - xa)
        if (ya > yb) if steep else (xa > xb):
            xa, ya, xb, yb = xb, yb, xa, ya
        steps = int(yb - ya if steep else xb - xa)
        for step in range(steps):
            if steep:
                slope = (xb - xa) / (yb - ya)
                x, other = _rounded(xa + slope * step), _rounded(xa + slope * (step + 1))
                y = ya + step
                if x == other:
                    continue
                x = min(x, other)
            else:
                slope = (yb - ya) / (xb - xa)
                x = xa + step
                y = min(_rounded(ya + slope * step), _rounded(ya + slope * (step + 1)))
            _toggle(mask, x, y, left, top)
    for row in range(1, len(mask)):
        mask[row] ^= mask[row - 1]
    return mask


@njit(cache=True)
def _toggle(mask: Bools, x: float, y: float, left: int, top: int) -> None:
    """Where an edge at (x, y) of the fine grid crosses the middle of a column: from which cell on it counts."""
    shift = (_FINE - 1) // 2
    column = (x + shift) / _FINE
    row = max(int(np.ceil((y + shift) / _FINE)) - 1 - top, 0)
    place = int(column) - 1 - left
    if column == np.floor(column) and 0 <= place < mask.shape[1] and row < mask.shape[0]:
        mask[row, place] = not mask[row, place]


@njit(cache=True)
def _fine(cell: float) -> float:
    """A coordinate on the fine grid, both counted as MATLAB does: cells from 0 here, from 1 there."""
    return _rounded(_FINE * (cell + 1 - 0.5) + 1)


@njit(cache=True)
def _rounded(value: float) -> float:
    """To the nearest whole number, halves away from 0."""
    return float(np.floor(value + 0.5) if value >= 0 else np.ceil(value - 0.5))


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
