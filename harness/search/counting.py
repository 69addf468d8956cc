"""Compiled counting of the images that are better than some of a database. Loads numba."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from harness.search.kernels import Dense, key_of, score, score_of

_TILE: Final = 512
_BUCKETS: Final = 4


@njit(nogil=True, cache=True)
def marked(keys: Dense, ends: Dense) -> tuple[Dense, Dense, Dense, Dense, Dense]:
    """The images that ``count`` asks about, ready to be looked up.

    Args:
        keys: (e,) query after query, ascending within a query.
        ends: (q + 1,) where those of a query begin and end.

    Returns:
        Both, the scores (e,), and a table: the range of a query's scores is cut into ``_BUCKETS`` buckets an image, for
        each of which it says how many scores lie in those before it; of how many a unit is, by query.
    """
    marks, table, scales = (
        np.empty(len(keys), np.float32),
        np.zeros(_BUCKETS * len(keys), np.int64),
        np.zeros(len(ends)),
    )
    for e in range(len(keys)):
        marks[e] = score_of(keys[e])
    for i in range(len(ends) - 1):
        own, buckets = marks[ends[i] : ends[i + 1]], table[_BUCKETS * ends[i] : _BUCKETS * ends[i + 1]]
        if len(own):
            scales[i] = len(buckets) / max(own[-1] - own[0], 1e-30)
            for mark in own:
                place = _bucket(mark, own[0], scales[i], len(buckets)) + 1
                if place < len(buckets):
                    buckets[place] += 1
            buckets[:] = np.cumsum(buckets)
    return keys, ends, marks, table, scales


@njit(nogil=True, cache=True, inline="always")
def _bucket(value: float, low: float, scale: float, count: int) -> Any:
    """Where a score belongs: never before that of a lower one, whatever is rounded."""
    return int(min(max((value - low) * scale, 0.0), count - 1.0))


@njit(nogil=True, cache=True)
def count(
    products: Dense, queries: Dense, rows: Dense, first: int, slack: Dense, whose: int, marked: Any, counts: Dense
) -> None:
    """Count the rows of a block that are better than some images of the database.

    Args:
        products: as for ``push``.
        queries: as for ``push``.
        rows: as for ``push``.
        first: as for ``push``.
        slack: as for ``push``.
        whose: number of the first query.
        marked: the images asked about.
        counts: (e,) so far: rows better than this image and not than the query's next.
    """
    keys, ends, marks, table, scales = marked
    width = products.shape[1]
    for start in range(0, width, _TILE):  # rows that stay in the cache for all queries
        for i in range(len(products)):
            low, high = ends[whose + i], ends[whose + i + 1]
            if low == high:
                continue
            own, buckets, scale = marks[low:high], table[_BUCKETS * low : _BUCKETS * high], scales[whose + i]
            for j in range(start, min(start + _TILE, width)):
                least, most = products[i, j] - slack[i], products[i, j] + slack[i]
                if most < own[0]:
                    continue
                beaten = buckets[_bucket(least, own[0], scale, len(buckets))]
                while beaten < len(own) and own[beaten] < least:
                    beaten += 1
                if beaten < len(own) and not own[beaten] > most:
                    beaten = np.searchsorted(keys[low:high], key_of(score(queries[i], rows[j]), first + j))
                if beaten > 0:
                    counts[low + beaten - 1] += 1
