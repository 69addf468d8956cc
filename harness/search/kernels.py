"""Compiled parts of the exact search. Loads numba: import it where work is done.

A candidate is one number, its *key*: the score in the upper 32 bits, so that keys order as scores do, and the
complement of its index in the lower ones, so that of equal scores the lowest index is best. Keys are unique: whatever
order candidates come in, the k largest keys are the same.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Dense = NDArray[Any]
Scalar = Any
"""A number of numpy's: compiled code is strict about their types, numpy's static types are not theirs."""

_CHUNK: Final = 32
"""Products compared at once with vector instructions: most chunks hold no candidate."""
_TILE: Final = 512
_BUCKETS: Final = 4
_LAST: Final = np.uint64(2**32 - 1)
_SIGN: Final = np.uint32(2**31)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def score(a: Dense, b: Dense) -> Scalar:
    """The inner product of two vectors, added up in float64: it depends on nothing but the two."""
    total = 0.0
    for j in range(len(a)):
        total += np.float64(a[j]) * np.float64(b[j])
    return np.float32(total)


@njit(nogil=True, cache=True)
def scores(queries: Dense, rows: Dense, out: Dense) -> None:
    """All scores (m, w) of queries (m, d) and rows (w, d)."""
    for j in range(len(rows)):
        for i in range(len(queries)):
            out[i, j] = score(queries[i], rows[j])


@njit(nogil=True, cache=True)
def lengths(rows: Dense) -> Dense:
    """Euclidean length (w,) of each row (w, d)."""
    result = np.empty(len(rows))
    for i in range(len(rows)):
        result[i] = np.sqrt(np.float64(score(rows[i], rows[i])))
    return result


@njit(nogil=True, cache=True)
def score_pairs(queries: Dense, rows: Dense, query: Dense, row: Dense, out: Dense) -> None:
    """Scores (p,) of pairs: positions of a query and of a row (p,)."""
    for p in range(len(query)):
        out[p] = score(queries[query[p]], rows[row[p]])


@njit(nogil=True, cache=True)
def push(products: Dense, queries: Dense, rows: Dense, first: int, slack: Dense, heaps: Dense) -> None:
    """Push the rows of a block that may be among the best into the heap of each query.

    Args:
        products: (m, w) approximate scores, wrong by at most ``slack``.
        queries: (m, d).
        rows: (w, d) the block.
        first: index of its first row in the database.
        slack: (m,) what a product may differ from the score.
        heaps: (m, k) uint64 keys, the smallest first; 0 at the beginning.
    """
    width = products.shape[1]
    for i in range(len(products)):
        near, query, heap = products[i], queries[i], heaps[i]
        bound = _bound(heap, slack[i])
        for chunk in range(width // _CHUNK):
            start = chunk * _CHUNK
            below = np.int32(0)
            for j in range(_CHUNK):
                below += np.int32(near[start + j] < bound)
            if below < _CHUNK:
                bound = _push(near, start, start + _CHUNK, query, rows, first, slack[i], heap, bound)
        bound = _push(near, width - width % _CHUNK, width, query, rows, first, slack[i], heap, bound)


@njit(nogil=True, cache=True)
def _push(
    near: Dense, start: int, end: int, query: Dense, rows: Dense, first: int, slack: Scalar, heap: Dense, bound: Scalar
) -> Scalar:
    for j in range(start, end):
        # False for NaN: where a product overflowed the score is computed.
        if not near[j] < bound and _put(heap, _key(score(query, rows[j]), first + j)):
            bound = _bound(heap, slack)
    return bound


@njit(nogil=True, cache=True)
def push_pairs(queries: Dense, rows: Dense, query: Dense, row: Dense, first: int, heaps: Dense) -> None:
    """Push pairs of a query and a row of the block: positions (p,) each."""
    for p in range(len(query)):
        _put(heaps[query[p]], _key(score(queries[query[p]], rows[row[p]]), first + row[p]))


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
        marks[e] = _score(keys[e])
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
                    beaten = np.searchsorted(keys[low:high], _key(score(queries[i], rows[j]), first + j))
                if beaten > 0:
                    counts[low + beaten - 1] += 1


@njit(nogil=True, cache=True, inline="always")
def _key(value: Scalar, index: int) -> Scalar:
    bits = np.float32(value + np.float32(0)).view(np.uint32)  # 0 for -0: they are equal
    upper = np.uint32(~bits if bits & _SIGN else bits | _SIGN)
    return (np.uint64(upper) << np.uint64(32)) | (_LAST - np.uint64(index))


@njit(nogil=True, cache=True, inline="always")
def _score(key: Scalar) -> Scalar:
    upper = np.uint32(key >> np.uint64(32))
    bits = np.uint32(upper ^ _SIGN if upper & _SIGN else ~upper)
    return bits.view(np.float32)


@njit(nogil=True, cache=True, inline="always")
def _bound(heap: Dense, slack: Scalar) -> Scalar:
    """Products below this cannot be among the best; of a query of zeros all products are right and later ones lose."""
    if heap[0] == 0:
        return np.float32(-np.inf)
    least = np.float32(_score(heap[0]) - slack)
    return np.nextafter(least, np.float32(np.inf if slack == 0 else -np.inf))


@njit(nogil=True, cache=True)
def _put(heap: Dense, key: Scalar) -> bool:
    """Replace the smallest key of a heap, if it is smaller, and restore the order of the heap."""
    if key <= heap[0]:
        return False
    place, size = 0, len(heap)
    child = 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if key <= heap[child]:
            break
        heap[place] = heap[child]
        place, child = child, 2 * child + 1
    heap[place] = key
    return True
