"""Maximally stable extremal regions of quantised maps, compiled: VLFeat's definition (specification 1.10, step 3).

An extremal region is a connected component (8 neighbours) of the pixels of at most some *depth*; depth is 255 - value
where bright regions are sought, the value itself for dark ones. Pixels of depth 255 can only join the whole map, so
they are never visited: in a sparse map almost nothing is left to do.

Imports numba, which is slow: import this module where work is done.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

_DEEPEST: Final = 255
_AREA, _X, _Y, _XX, _XY, _YY, _X0, _Y0, _X1, _Y1 = range(10)

CHANNEL, SEED, DARK, LEFT, TOP, RIGHT, BOTTOM = range(7)
"""Columns of a region's integers; ``SEED``: y * W + x of its last pixel of its own depth; borders are inclusive."""
MEAN_X, MEAN_Y, COV_XX, COV_XY, COV_YY, PEAK = range(6)
"""Columns of a region's numbers: mean and biased covariance of its pixels in cells, maximum activation in it."""


@njit(cache=True)
def quantise(values: Singles, gain: float) -> Bytes:
    """``values`` (C, H, W) times ``gain``, rounded half up, saturated to 0..255."""
    flat = values.ravel()
    result = np.empty(flat.size, np.uint8)
    for i in range(flat.size):
        result[i] = np.uint8(min(max(np.floor(np.float64(flat[i]) * gain + 0.5), 0.0), 255.0))
    return result.reshape(values.shape)


@njit(cache=True)
def stable_regions(
    quantised: Bytes,
    values: Singles,
    delta: int,
    max_variation: float,
    min_diversity: float,
    min_area: float,
    max_area: float,
    dark: bool,
    limit: int,
) -> tuple[Ints, Doubles]:
    """The stable regions of every channel whose covariance is regular.

    Order: by channel; dark ones before bright ones; then by depth; then by seed.

    Args:
        quantised: (C, H, W) uint8.
        values: (C, H, W) float32, the activations behind ``quantised``.
        delta: steps of depth over which a region's growth is its variation.
        max_variation: regions that vary as much or more are dropped.
        min_diversity: least relative difference in area to the nearest stable region around it.
        min_area: least area as a share of the map.
        max_area: largest area as a share of the map.
        dark: look for dark regions too.
        limit: a channel with more regions is left out whole.

    Returns:
        (n, 7) int64 and (n, 6) float64; columns as named by the constants of this module.
    """
    channels, height, width = quantised.shape
    padded, pixels = (height + 2) * (width + 2), height * width
    depth, order = np.full(padded, _DEEPEST, np.uint8), np.empty(pixels, np.int64)
    parent, root = np.empty(padded, np.int64), np.full(padded, -1, np.int64)
    sums, peaks = np.empty((padded, 10), np.int64), np.empty(padded, np.float32)
    integers, numbers = np.empty((channels + 1, 7), np.int64), np.empty((channels + 1, 6), np.float64)
    total = 0
    for channel in range(channels):
        if quantised[channel].max() == 0:
            continue
        first = total
        for polarity in range(1 if dark else 0, -1, -1):
            count = _sort_by_depth(quantised[channel], polarity == 1, depth, order)
            _grow_tree(order[:count], depth, parent, root, width + 2)
            _sum_up(order[:count], parent, values[channel], sums, peaks)
            seeds, above = _list_regions(order[:count], depth, parent, root, count < pixels)
            levels, areas = _levels_and_areas(seeds, depth, sums, pixels)
            stable = _most_stable(levels, areas, above, delta)
            _filter(stable[0], stable[1], areas, above, pixels, max_variation, min_diversity, min_area, max_area)
            for region in np.flatnonzero(stable[0]):
                if total == len(integers):
                    integers, numbers = np.concatenate((integers, integers)), np.concatenate((numbers, numbers))
                seed = seeds[region]
                # The root of a map with pixels of the last depth has no seed of its own; it is never kept below.
                if seed >= 0 and _describe(sums[seed], peaks[seed], integers[total], numbers[total]):
                    row, column = seed // (width + 2) - 1, seed % (width + 2) - 1
                    integers[total, CHANNEL], integers[total, DARK] = channel, polarity
                    integers[total, SEED] = row * width + column
                    total += 1
        if total - first > limit:
            total = first
    return integers[:total].copy(), numbers[:total].copy()


@njit(cache=True)
def _sort_by_depth(image: Bytes, dark: bool, depth: Bytes, order: Ints) -> int:
    """Fill the padded ``depth``; ``order`` gets the pixels above the last depth by (depth, position). Their number."""
    height, width = image.shape
    starts = np.zeros(257, np.int64)
    for y in range(height):
        for x in range(width):
            value = image[y, x] if dark else np.uint8(255) - image[y, x]
            depth[(y + 1) * (width + 2) + x + 1] = value
            starts[np.int64(value) + 1] += 1
    for value in range(256):
        starts[value + 1] += starts[value]
    count: int = starts[_DEEPEST]
    for y in range(height):
        base = (y + 1) * (width + 2) + 1
        for pixel in range(base, base + width):
            value = depth[pixel]
            if value != _DEEPEST:
                order[starts[value]] = pixel
                starts[value] += 1
    return count


@njit(cache=True)
def _grow_tree(order: Ints, depth: Bytes, parent: Ints, root: Ints, stride: int) -> None:
    """Component tree by union-find: afterwards a pixel's parent is the seed of its region or of the next one around.

    ``root`` must hold -1 where no pixel was visited; it is reset by ``_list_regions``.
    """
    neighbours = np.array([-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1])
    for pixel in order:
        parent[pixel] = pixel
        root[pixel] = pixel
        for step in neighbours:
            other = pixel + step
            if root[other] < 0:
                continue
            while root[other] != other:  # path halving
                root[other] = root[root[other]]
                other = root[other]
            if other != pixel:
                parent[other] = pixel
                root[other] = pixel
    for k in range(len(order) - 1, -1, -1):
        above = parent[order[k]]
        if depth[parent[above]] == depth[above]:
            parent[order[k]] = parent[above]


@njit(cache=True)
def _sum_up(order: Ints, parent: Ints, values: Singles, sums: Ints, peaks: Singles) -> None:
    """Area, sums of coordinates and products, borders and maximum of every region, at its seed."""
    width = values.shape[1]
    for pixel in order:
        y, x = pixel // (width + 2) - 1, pixel % (width + 2) - 1
        row = sums[pixel]
        row[_AREA], row[_X], row[_Y], row[_XX], row[_XY], row[_YY] = 1, x, y, x * x, x * y, y * y
        row[_X0], row[_Y0], row[_X1], row[_Y1] = x, y, x, y
        peaks[pixel] = values[y, x]
    for pixel in order:  # a parent always comes later
        above = parent[pixel]
        if above != pixel:
            row, target = sums[pixel], sums[above]
            for k in range(_YY + 1):
                target[k] += row[k]
            target[_X0], target[_Y0] = min(target[_X0], row[_X0]), min(target[_Y0], row[_Y0])
            target[_X1], target[_Y1] = max(target[_X1], row[_X1]), max(target[_Y1], row[_Y1])
            peaks[above] = max(peaks[above], peaks[pixel])


@njit(cache=True)
def _list_regions(order: Ints, depth: Bytes, parent: Ints, root: Ints, open_root: bool) -> tuple[Ints, Ints]:
    """Seeds of the regions by depth, and each region's parent among them; the root is its own parent.

    With ``open_root`` one more region, the whole map, comes last: its seed is -1.
    """
    seeds = np.empty(len(order) + 1, np.int64)
    count = 0
    for pixel in order:
        if parent[pixel] == pixel or depth[parent[pixel]] != depth[pixel]:
            seeds[count] = pixel
            root[pixel] = count
            count += 1
    above = np.empty(count + 1, np.int64)
    for region in range(count):
        pixel = seeds[region]
        is_root = parent[pixel] == pixel
        above[region] = (count if open_root else region) if is_root else root[parent[pixel]]
    seeds[count], above[count] = -1, count
    for pixel in order:
        root[pixel] = -1
    count += 1 if open_root else 0
    return seeds[:count], above[:count]


@njit(cache=True)
def _levels_and_areas(seeds: Ints, depth: Bytes, sums: Ints, pixels: int) -> tuple[Ints, Ints]:
    """Depth and number of pixels of every region."""
    levels, areas = np.full(len(seeds), _DEEPEST, np.int64), np.full(len(seeds), pixels, np.int64)
    for region in range(len(seeds)):
        if seeds[region] >= 0:
            levels[region], areas[region] = depth[seeds[region]], sums[seeds[region], _AREA]
    return levels, areas


@njit(cache=True)
def _most_stable(levels: Ints, areas: Ints, above: Ints, delta: int) -> tuple[Flags, Singles]:
    """Which regions vary less than both neighbours in depth, and how much each varies (float32, as VLFeat)."""
    count = len(levels)
    variation, stable = np.empty(count, np.float32), np.ones(count, np.bool_)
    for region in range(count):
        top = region
        while above[top] != top and levels[above[top]] <= levels[region] + delta:
            top = above[top]
        variation[region] = np.float32(areas[top] - areas[region]) / np.float32(areas[region])
    for region in range(count):
        parent = above[region]
        if levels[parent] <= levels[region] + 1:
            stable[parent if variation[region] < variation[parent] else region] = False
    return stable, variation


@njit(cache=True)
def _filter(
    stable: Flags,
    variation: Singles,
    areas: Ints,
    above: Ints,
    pixels: int,
    max_variation: float,
    min_diversity: float,
    min_area: float,
    max_area: float,
) -> None:
    """Clear what varies too much, is too small or too large, or too like the nearest stable region around it."""
    for region in range(len(areas) - 1, -1, -1):  # a region's ancestors are settled before it
        if not stable[region]:
            continue
        area, parent = areas[region], above[region]
        fits = min_area * pixels <= area <= max_area * pixels
        if variation[region] >= np.float32(max_variation) or not fits:
            stable[region] = False
        elif parent != region:
            while not stable[parent] and above[parent] != parent:
                parent = above[parent]
            stable[region] = np.float32(areas[parent] - area) / np.float32(areas[parent]) >= np.float32(min_diversity)


@njit(cache=True)
def _describe(sums: Ints, peak: float, integers: Ints, numbers: Doubles) -> bool:
    """Fill one row of either table, but for channel, seed and polarity. False if the covariance is singular."""
    area = np.float64(sums[_AREA])
    xx = np.float64(sums[_AREA] * sums[_XX] - sums[_X] * sums[_X])
    xy = np.float64(sums[_AREA] * sums[_XY] - sums[_X] * sums[_Y])
    yy = np.float64(sums[_AREA] * sums[_YY] - sums[_Y] * sums[_Y])
    if xx * yy - xy * xy <= 0:
        return False
    numbers[MEAN_X], numbers[MEAN_Y] = sums[_X] / area, sums[_Y] / area
    numbers[COV_XX], numbers[COV_XY], numbers[COV_YY] = xx / (area * area), xy / (area * area), yy / (area * area)
    numbers[PEAK] = peak
    integers[LEFT], integers[TOP] = sums[_X0], sums[_Y0]
    integers[RIGHT], integers[BOTTOM] = sums[_X1], sums[_Y1]
    return True
