"""Stable regions the slow way: every threshold labelled anew, regions as sets of pixels, one rule after the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from harness_evidence import Array

Region = tuple[int, int, frozenset[int]]
"""Whether it is dark, or its depth; its seed; its pixels."""

EIGHT = np.ones((3, 3), int)


def stable_regions(
    image: Array, delta: int, max_variation: float, min_diversity: float, min_area: float, max_area: float, dark: bool
) -> list[Region]:
    """Sets of pixels (y * W + x) of one (H, W) uint8 channel: [(dark, seed, pixels), ...] as ``mser`` lists them.

    Without those of singular covariance.
    """
    if not image.any():
        return []
    found = []
    for polarity in (1, 0) if dark else (0,):
        depth = (image if polarity else 255 - image).astype(int)
        kept = _stable(depth, delta, max_variation, min_diversity, min_area, max_area)
        found += [(polarity, seed, pixels) for seed, pixels in kept if moments(pixels, image.shape[1]) is not None]
    return found


def _stable(
    depth: Array, delta: int, max_variation: float, min_diversity: float, min_area: float, max_area: float
) -> list[tuple[int, frozenset[int]]]:
    regions = _extremal(depth)  # by (depth, seed), the last is the whole map
    n, total = len(regions), depth.size
    parent: list[int] = []
    for i, (_, _, pixels) in enumerate(regions):
        around = [j for j in range(i + 1, n) if pixels < regions[j][2]]
        parent.append(min(around, key=lambda j: len(regions[j][2]), default=i))
    variation = []
    for i, (level, _, pixels) in enumerate(regions):
        top = i
        while parent[top] != top and regions[parent[top]][0] <= level + delta:
            top = parent[top]
        variation.append(np.float32(len(regions[top][2]) - len(pixels)) / np.float32(len(pixels)))
    stable = [True] * n
    for i in range(n):
        if regions[parent[i]][0] <= regions[i][0] + 1:
            loser = parent[i] if variation[i] < variation[parent[i]] else i
            stable[loser] = False
    for i in reversed(range(n)):
        area = len(regions[i][2])
        if variation[i] >= max_variation or area > max_area * total or area < min_area * total:
            stable[i] = False
        if stable[i] and parent[i] != i:
            j = parent[i]
            while not stable[j] and parent[j] != j:
                j = parent[j]
            outer = len(regions[j][2])
            stable[i] = bool(np.float32(outer - area) / np.float32(outer) >= np.float32(min_diversity))
    return [(seed, pixels) for keep, (_, seed, pixels) in zip(stable, regions, strict=True) if keep]


def _extremal(depth: Array) -> list[Region]:
    """(depth, last pixel of that depth, pixels) of every component of every threshold that is new there."""
    regions = list[Region]()
    for level in np.unique(depth):
        labels, count = ndimage.label(depth <= level, EIGHT)
        of_level = []
        for label in range(1, count + 1):
            inside = labels == label
            own = np.flatnonzero(inside & (depth == level))
            if len(own):
                of_level.append((int(level), int(own[-1]), frozenset(np.flatnonzero(inside).tolist())))
        regions += sorted(of_level, key=lambda region: region[1])
    return regions


def moments(pixels: frozenset[int], width: int) -> tuple[float, float, float, float, float] | None:
    """(mean x, mean y, xx, xy, yy) with the biased covariance, or None where it is singular; exact in integers."""
    xs, ys = [p % width for p in pixels], [p // width for p in pixels]
    n = len(pixels)
    xx = n * sum(x * x for x in xs) - sum(xs) ** 2
    xy = n * sum(x * y for x, y in zip(xs, ys, strict=True)) - sum(xs) * sum(ys)
    yy = n * sum(y * y for y in ys) - sum(ys) ** 2
    if xx * yy == xy * xy:
        return None
    return sum(xs) / n, sum(ys) / n, xx / n**2, xy / n**2, yy / n**2


def suppress(boxes: Any, strengths: Any, overlap: float) -> list[int]:
    """Take the strongest (the last of equals), drop what overlaps it, repeat."""
    waiting, kept = sorted(range(len(boxes)), key=lambda i: strengths[i]), []
    while waiting:
        best = waiting.pop()
        kept.append(best)
        waiting = [i for i in waiting if _overlap(boxes[best], boxes[i]) <= overlap]
    return kept


def _overlap(a: Any, b: Any) -> float:
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return wide * high / (sum(areas) - wide * high) if wide * high else 0.0


def polygon_mask(xs: Sequence[float], ys: Sequence[float], shape: tuple[int, int], scale: int = 5) -> Array:
    """MATLAB's ``poly2mask``, point by point: edges on a grid five times as fine, parity down each column."""
    mask = np.zeros(shape, int)
    fine = [[rounded(scale * (v + 1 - 0.5) + 1) for v in values] for values in (xs, ys)]
    points = list[tuple[int, int]]()
    for j, k in zip([-1, *range(len(xs) - 1)], range(len(xs)), strict=True):
        points += _line(fine[0][j], fine[1][j], fine[0][k], fine[1][k])
    for (xa, ya), (xb, yb) in itertools.pairwise(points):
        column = (min(xa, xb) + (scale - 1) / 2) / scale
        row = max(1, int(np.ceil((min(ya, yb) + (scale - 1) / 2) / scale)))
        if xa != xb and column == int(column) and 1 <= column <= shape[1] and row <= shape[0]:
            mask[row - 1, int(column) - 1] += 1
    return np.asarray(np.cumsum(mask, axis=0) % 2 == 1)


def _line(xa: int, ya: int, xb: int, yb: int) -> list[tuple[int, int]]:
    """Whole points from a to b, always drawn from left to right, or from the top where it is steep."""
    steep = abs(yb - ya) > abs(xb - xa)
    turned = (ya > yb) if steep else (xa > xb)
    (x, y), (u, v) = ((xb, yb), (xa, ya)) if turned else ((xa, ya), (xb, yb))
    if steep:
        line = [(rounded(x + (u - x) / (v - y) * (t - y)), t) for t in range(y, v + 1)]
    else:
        line = [(t, rounded(y + ((v - y) / (u - x) if u > x else 0) * (t - x))) for t in range(x, u + 1)]
    return line[::-1] if turned else line


def rounded(value: float) -> int:
    """To the nearest whole number, halves away from 0."""
    return int(np.floor(value + 0.5)) if value >= 0 else int(np.ceil(value - 0.5))
