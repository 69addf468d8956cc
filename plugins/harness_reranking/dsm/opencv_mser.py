"""OpenCV's MSER in the place of ``mser``: faster to call, but other regions (specification, section 0).

Imports OpenCV: import this module where work is done.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]

_LEAST = 3
"""OpenCV finds nothing in images with a side below this."""


def stable_regions(
    quantised: Bytes, values: Singles, delta: int, max_variation: float, min_diversity: float, limit: int
) -> tuple[Ints, Doubles]:
    """Bright regions of every channel, in the tables of ``mser.stable_regions``; areas bounded as there.

    The seed is the region's weakest cell, the last of several.
    """
    _, height, width = quantised.shape
    area = height * width
    integers, numbers = [np.empty((0, 7), np.int64)], [np.empty((0, 6))]
    if min(height, width) < _LEAST:
        return integers[0], numbers[0]
    finder = cv2.MSER.create(max(delta, 1), max(int(np.ceil(0.001 * area)), 1), int(0.75 * area))
    finder.setMaxVariation(max_variation)
    finder.setMinDiversity(min_diversity)
    finder.setPass2Only(True)
    for channel in np.flatnonzero(quantised.any(axis=(1, 2))):
        regions = [_describe(region, int(channel), quantised, values) for region in _find(finder, quantised[channel])]
        regular = [region for region in regions if region is not None]
        if 0 < len(regular) <= limit:
            integers.append(np.array([region[0] for region in regular], np.int64))
            numbers.append(np.array([region[1] for region in regular]))
    return np.concatenate(integers), np.concatenate(numbers)


def _find(finder: cv2.MSER, image: Bytes) -> list[Ints]:
    """(k, 2) x, y of every region, by the position of its first cell, then by size: OpenCV documents no order."""
    regions = [np.asarray(region, np.int64) for region in finder.detectRegions(np.ascontiguousarray(image))[0]]
    return sorted(regions, key=lambda region: (region[:, ::-1].min(axis=0).tolist(), len(region)))


def _describe(region: Ints, channel: int, quantised: Bytes, values: Singles) -> tuple[list[int], list[float]] | None:
    x, y = region.T
    covariance = np.cov(region.T, bias=True) if len(region) > 1 else np.zeros((2, 2))
    if covariance[0, 0] * covariance[1, 1] - covariance[0, 1] ** 2 <= 1e-9:
        return None
    cells = y * values.shape[2] + x
    weakest = quantised[channel, y, x].min()
    seed = int(cells[quantised[channel, y, x] == weakest].max())
    integers = [channel, seed, 0, int(x.min()), int(y.min()), int(x.max()), int(y.max())]
    moments = [float(x.mean()), float(y.mean()), covariance[0, 0], covariance[0, 1], covariance[1, 1]]
    return integers, [*moments, float(values[channel, y, x].max())]
