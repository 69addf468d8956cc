"""Compiled selection of the largest scores of each row, block by block. Loads numba: import it where work is done.

Scores above the bound of a row gather in a buffer; when that is full the k best of it stay, and the worst of them is
the new bound. Best is the highest score, and of equal scores the lowest index: a strict order, so that what is kept is
that of a full sort, whatever the blocks. The work for a score that is kept for a while does not grow with k.
"""

from __future__ import annotations

from typing import Any, Final

from numba import njit
from numpy.typing import NDArray

Dense = NDArray[Any]

_CHUNK: Final = 32
"""Scores whose maximum is taken at once (the compiler uses vector instructions): most hold nothing to keep."""


@njit(nogil=True, cache=True, fastmath={"nnan"})
def push(scores: Dense, first: int, k: int, values: Dense, indices: Dense, counts: Dense, bounds: Dense) -> None:
    """Push the scores (m, w), whose columns are ``first``, ``first + 1``, ..., into the buffers.

    Args:
        scores: one block of scores; the blocks of a row come in the order of their columns.
        first: index of the block's first column.
        k: how many are to be kept.
        values: buffers (m, more than k, or all columns).
        indices: those of the scores in them.
        counts: (m,) entries in each buffer.
        bounds: (m,) scores that are not above it are not among the k best; at first minus infinity.
    """
    width, room = scores.shape[1], values.shape[1]
    for i in range(scores.shape[0]):
        row, count, bound = scores[i], counts[i], bounds[i]
        for start in range(0, width, _CHUNK):
            end = min(start + _CHUNK, width)
            largest = row[start]
            for j in range(start + 1, end):
                largest = max(largest, row[j])
            if largest > bound:
                for j in range(start, end):
                    # A score equal to the bound has a higher index than the k that are there: columns come in order.
                    if row[j] > bound:
                        if count == room:
                            _select(values[i], indices[i], count, k)
                            count, bound = k, values[i, k - 1]
                            if row[j] <= bound:
                                continue
                        values[i, count], indices[i, count] = row[j], first + j
                        count += 1
        counts[i], bounds[i] = count, bound


@njit(nogil=True, cache=True)
def finish(values: Dense, indices: Dense, counts: Dense, best: Dense, places: Dense) -> None:
    """Write the best (m, k) of the buffers and their indices, in any order."""
    k = best.shape[1]
    for i in range(best.shape[0]):
        _select(values[i], indices[i], counts[i], k)
        best[i], places[i] = values[i, :k], indices[i, :k]


@njit(nogil=True, cache=True)
def _select(values: Dense, ids: Dense, count: int, k: int) -> None:
    """Move the k best of the first ``count`` entries to the front, the worst of them to place k - 1 (Hoare 1961)."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        value, place = values[middle], ids[middle]
        i, j = low, high
        while i <= j:
            while _worse(value, place, values[i], ids[i]):
                i += 1
            while _worse(values[j], ids[j], value, place):
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                ids[i], ids[j] = ids[j], ids[i]
                i, j = i + 1, j - 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break


@njit(nogil=True, cache=True, inline="always")
def _worse(value: float, place: int, other: float, other_place: int) -> bool:
    return value < other or (value == other and place > other_place)
