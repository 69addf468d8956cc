"""Compiled selection of the largest scores of each row, block by block. Loads numba: import it where work is done.

The kept scores of a row are a heap with the worst on top: the lowest score, and of equal scores the highest index. So
what is kept, and its order at the end, is that of a full sort by score and then index, whatever the blocks.
"""

from __future__ import annotations

from typing import Any, Final

from numba import njit
from numpy.typing import NDArray

Dense = NDArray[Any]

_CHUNK: Final = 32
"""Scores whose maximum is taken at once (the compiler uses vector instructions): most hold nothing to keep."""


@njit(nogil=True, cache=True, fastmath={"nnan"})
def push(scores: Dense, first: int, kept: Dense, indices: Dense) -> None:
    """Push the scores (m, w), whose columns are ``first``, ``first + 1``, ..., into the heaps (m, k)."""
    width = scores.shape[1]
    for i in range(scores.shape[0]):
        row, values, ids = scores[i], kept[i], indices[i]
        for start in range(0, width, _CHUNK):
            end = min(start + _CHUNK, width)
            largest = row[start]
            for j in range(start + 1, end):
                largest = max(largest, row[j])
            if largest > values[0]:
                for j in range(start, end):
                    # An equal score has a higher index than what is kept: columns come in order.
                    if row[j] > values[0]:
                        _sift(values, ids, len(values), row[j], first + j)


@njit(nogil=True, cache=True)
def sort(kept: Dense, indices: Dense) -> None:
    """Turn the heaps (m, k) into lists, best first."""
    for i in range(kept.shape[0]):
        values, ids = kept[i], indices[i]
        for end in range(len(values) - 1, 0, -1):
            value, place = values[end], ids[end]
            values[end], ids[end] = values[0], ids[0]
            _sift(values, ids, end, value, place)


@njit(nogil=True, cache=True)
def _sift(values: Dense, ids: Dense, size: int, value: float, place: int) -> None:
    """Put an entry in place of the heap's top and let it sink."""
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and _worse(values[child + 1], ids[child + 1], values[child], ids[child]):
            child += 1
        if not _worse(values[child], ids[child], value, place):
            break
        values[hole], ids[hole] = values[child], ids[child]
        hole = child
    values[hole], ids[hole] = value, place


@njit(nogil=True, cache=True, inline="always")
def _worse(value: float, place: int, other: float, other_place: int) -> bool:
    return value < other or (value == other and place > other_place)
