"""The grid of R-MAC: square regions of several sizes, evenly spread over a map."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

Region = tuple[int, int, int, int]
"""First row, first column, height, width, in cells."""

_OVERLAP: Final = np.float32(0.4)  # Tolias et al. 2016, §3.2: neighbouring regions overlap by about 40%
_STEPS: Final = range(2, 8)  # cirtorch, functional.py: number of regions tried along the longer side


@lru_cache(maxsize=256)
def region_grid(height: int, width: int, levels: int) -> tuple[Region, ...]:
    """The regions of a map, the whole map first, then level by level, row by row.

    Origins are computed in float32 as the released code does, whose rounding decides on which cell a region begins.

    Args:
        height: rows of the map, at least 1.
        width: columns of the map, at least 1.
        levels: number of sizes; on level l a side is ``2 * min(height, width) / (l + 1)`` cells, rounded down.
    """
    extra = _extra_steps(height, width)
    more_rows, more_columns = (extra, 0) if height > width else (0, extra)
    regions: list[Region] = [(0, 0, height, width)]
    for level in range(1, levels + 1):
        side = 2 * min(height, width) // (level + 1)
        if side == 0:
            continue
        tops = _origins(height, side, level + more_rows)
        lefts = _origins(width, side, level + more_columns)
        regions += [(top, left, side, side) for top in tops for left in lefts]
    return tuple(regions)


def _extra_steps(height: int, width: int) -> int:
    """How many regions more fit along the longer side, for an overlap next to the wanted one."""
    short, long = np.float32(min(height, width)), np.float32(max(height, width))
    if short == long:
        return 0
    # The released code divides a number by a tensor: torch multiplies by the reciprocal, whose rounding decides between
    # two numbers of regions that are equally good.
    gaps = [(long - short) * (np.float32(1) / np.float32(steps - 1)) for steps in _STEPS]
    misses = [abs((short * short - short * gap) / (short * short) - _OVERLAP) for gap in gaps]
    return int(np.argmin(misses)) + 1


def _origins(length: int, side: int, count: int) -> list[int]:
    half = np.floor(np.float32(side) / np.float32(2) - np.float32(1))
    gap = np.float32(length - side) / np.float32(count - 1) if count > 1 else np.float32(0)
    return [int(np.floor(half + np.float32(i) * gap) - half) for i in range(count)]
