"""Compiled pools of candidates for the best: what products leave over, scored once at the end. Loads numba.

A candidate is its key (``harness.search.kernels``), of a product until its score is computed.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from harness.search.kernels import ANY_ORDER, Dense, Scalar, key_of, score, score_of
from harness.search.keys import LAST
from harness.search.masks import WIDTH, lowest, reaching

_GROUPS: Final = 4
"""Groups of products for each of the best: the best k of n products fall into nearly k different ones."""
_ROOM: Final = 128
"""Least places of a pool beside those of the best: it is trimmed once for so many candidates."""
_ONE: Final = np.uint64(1)


@njit(nogil=True, cache=True)
def open_pools(best: Dense, slack: Dense, pools: Dense, counts: Dense, bounds: Dense) -> None:
    """Begin pools with the best so far.

    Args:
        best: (m, k) uint64 keys, the smallest first, the others in any order; 0 where there is none yet.
        slack: (m,) what a product may differ from the score.
        pools: (m, c) keys of candidates, c = ``pool_size(k)``; written.
        counts: (m,) how many; written.
        bounds: (m,) products below these cannot be among the best; written.
    """
    for i in range(len(best)):
        counts[i] = _copied(best[i], pools[i])
        bounds[i] = np.float32(-np.inf) if best[i, 0] == 0 else _bound(score_of(best[i, 0]), slack[i])


def pool_size(k: int) -> int:
    """Candidates that a pool for the best k holds."""
    return k + max(k // 2, _ROOM)


@njit(nogil=True, cache=True)
def push(
    products: Dense,
    place: int,
    queries: Dense,
    rows: Dense,
    first: int,
    slack: Dense,
    k: int,
    pools: Dense,
    counts: Dense,
    bounds: Dense,
) -> None:
    """Gather candidates by their products; whenever a pool is full those that cannot be among the best are dropped.

    Args:
        products: (m, w) approximate scores, wrong by at most ``slack``, of the rows from ``place`` on.
        place: of the first of them among ``rows``.
        queries: (m, d).
        rows: (r, d) a chunk of the database.
        first: index of its first row in the database.
        slack: as for ``open_pools``, as the others.
        k: how many are wanted.
        pools: candidates, those of this chunk with their products.
        counts: how many.
        bounds: least products.
    """
    width, same = products.shape[1], np.empty(WIDTH, np.float32)
    for i in range(len(products)):
        near, query, pool, count, bound = products[i], queries[i], pools[i], counts[i], bounds[i]
        if count == 0:
            bound = _reached(near, k, slack[i])
        same[:] = bound
        for start in range(0, width, WIDTH):
            bits = _reaching(near, start, width, same, 0, WIDTH)
            while bits:
                j, bits = start + lowest(bits), bits & (bits - _ONE)
                value, row = near[j], place + j
                if value < bound:  # it has grown since; False for NaN
                    continue
                # A product that overflowed says nothing.
                pool[count] = key_of(value if np.isfinite(value) else score(query, rows[row]), first + row)
                count += 1
                if count == len(pool):
                    count, bound = _trim(query, rows, first, slack[i], k, pool, count)
                    same[:] = bound
        counts[i], bounds[i] = count, bound


@njit(nogil=True, cache=True)
def push_columns(
    products: Dense,
    left: int,
    place: int,
    queries: Dense,
    rows: Dense,
    first: int,
    slack: Dense,
    k: int,
    pools: Dense,
    counts: Dense,
    bounds: Dense,
) -> None:
    """The same for products (w, c) whose columns from ``left`` on belong to the queries."""
    for start in range(0, len(queries), WIDTH):
        for i in range(len(products)):
            near, row = products[i], place + i
            bits = _reaching(near, left + start, left + len(queries), bounds, start, len(bounds))
            while bits:
                j, bits = lowest(bits), bits & (bits - _ONE)
                q, value = start + j, near[left + start + j]
                key = key_of(value if np.isfinite(value) else score(queries[q], rows[row]), first + row)
                pools[q, counts[q]] = key
                counts[q] += 1
                if counts[q] == pools.shape[1]:
                    counts[q], bounds[q] = _trim(queries[q], rows, first, slack[q], k, pools[q], counts[q])


@njit(nogil=True, cache=True)
def _reaching(values: Dense, at: int, end: int, bounds: Dense, first: int, last: int) -> Scalar:
    """``reaching`` of the numbers before ``end`` with the bounds before ``last``, however few are left."""
    if at + WIDTH <= end and first + WIDTH <= last:
        return reaching(values, at, bounds, first)
    bits = np.uint64(0)
    for j in range(min(end - at, last - first)):
        if not values[at + j] < bounds[first + j]:
            bits |= _ONE << np.uint64(j)
    return bits


@njit(nogil=True, cache=True)
def settle(queries: Dense, rows: Dense, first: int, slack: Dense, pools: Dense, counts: Dense, best: Dense) -> None:
    """The best of what was gathered: scores are computed for little more than them. Arguments as above."""
    k = best.shape[1]
    for i in range(len(queries)):
        if counts[i] > k:
            counts[i], _ = _trim(queries[i], rows, first, slack[i], k, pools[i], counts[i])
    _rescore_all(queries, rows, first, slack, pools, counts)
    for i in range(len(queries)):
        _store(pools[i], counts[i], best[i])


@njit(nogil=True, cache=True)
def _rescore_all(queries: Dense, rows: Dense, first: int, slack: Dense, pools: Dense, counts: Dense) -> None:
    """Scores instead of products, row after row: each is read once for all queries."""
    ends = np.zeros(len(rows) + 1, np.int64)
    for i in range(len(queries)):
        for p in range(counts[i] if slack[i] > ANY_ORDER else 0):
            index = np.int64(LAST - (pools[i, p] & LAST))
            if index >= first:
                ends[index - first + 1] += 1
    ends = np.cumsum(ends)
    query, place = np.empty(ends[-1], np.int32), np.empty(ends[-1], np.int32)
    for i in range(len(queries)):
        for p in range(counts[i] if slack[i] > ANY_ORDER else 0):
            index = np.int64(LAST - (pools[i, p] & LAST))
            if index >= first:
                at = ends[index - first]
                query[at], place[at] = i, p
                ends[index - first] += 1
    for row in range(len(rows)):
        for e in range(ends[row - 1] if row else 0, ends[row]):
            pools[query[e], place[e]] = key_of(score(queries[query[e]], rows[row]), first + row)


@njit(nogil=True, cache=True)
def _reached(near: Dense, k: Any, slack: Scalar) -> Scalar:
    """A bound that k products reach, and few more: of products in groups k of the groups have a maximum that does."""
    groups = WIDTH * (_GROUPS * k // WIDTH + 1)
    if len(near) < 2 * groups:
        return np.float32(-np.inf)
    maxima = near[:groups].copy()
    for start in range(groups, len(near) - groups + 1, groups):
        group = near[start : start + groups]
        for j in range(groups):
            maxima[j] = group[j] if group[j] > maxima[j] else maxima[j]
    _select(maxima, groups, k)
    # Its own score and that of the others may differ by the slack each.
    return np.nextafter(np.float32(maxima[k - 1] - np.float32(2) * slack), np.float32(-np.inf))


@njit(nogil=True, cache=True)
def _trim(query: Dense, rows: Dense, first: int, slack: Scalar, k: int, pool: Dense, count: int) -> tuple[int, Scalar]:
    """Drop what cannot be among the best k: the new size, and the bound of what products can still be."""
    _select(pool, count, k)
    bound = _bound(score_of(pool[k - 1]), np.float32(2) * slack)
    left = k
    for p in range(k, count):
        if not score_of(pool[p]) < bound:
            pool[left] = pool[p]
            left += 1
    if left <= (k + len(pool)) // 2:
        return left, bound
    # More than products can tell apart.
    _rescore(query, rows, first, pool, left)
    _select(pool, left, k)
    return k, _bound(score_of(pool[k - 1]), slack)


@njit(nogil=True, cache=True)
def _rescore(query: Dense, rows: Dense, first: int, pool: Dense, count: Scalar) -> None:
    """Scores instead of products, of those of this chunk."""
    for p in range(count):
        index = np.int64(LAST - (pool[p] & LAST))
        if index >= first:
            pool[p] = key_of(score(query, rows[index - first]), index)


@njit(nogil=True, cache=True)
def _copied(keys: Dense, pool: Dense) -> int:
    count = 0
    for key in keys:
        if key > 0:
            pool[count] = key
            count += 1
    return count


@njit(nogil=True, cache=True)
def _store(pool: Dense, count: int, keys: Dense) -> None:
    """Keep the largest keys (k,), the smallest of them first."""
    k = len(keys)
    if count < k:
        keys[: k - count] = 0
        keys[k - count :] = pool[:count]
    else:
        _select(pool, count, k)
        keys[0] = pool[k - 1]
        keys[1:] = pool[: k - 1]


@njit(nogil=True, cache=True)
def _select(pool: Dense, count: int, k: int) -> None:
    """Bring the k largest of the first ``count`` keys to the front, the smallest of them last (Hoare's quickselect)."""
    low, high = 0, count - 1
    while low < high:
        a, b, c = pool[low], pool[(low + high) // 2], pool[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while pool[i] > pivot:
                i += 1
            while pool[j] < pivot:
                j -= 1
            if i <= j:
                pool[i], pool[j] = pool[j], pool[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            return


@njit(nogil=True, cache=True)
def push_pairs(queries: Dense, rows: Dense, query: Dense, row: Dense, first: int, best: Dense) -> None:
    """Update the best with pairs of a query and a row of a chunk: positions (p,) each, query after query."""
    start = 0
    while start < len(query):
        i, end = query[start], start
        while end < len(query) and query[end] == i:
            end += 1
        pool = np.empty(best.shape[1] + end - start, np.uint64)
        count = _copied(best[i], pool)
        for p in range(start, end):
            pool[count] = key_of(score(queries[i], rows[row[p]]), first + row[p])
            count += 1
        _store(pool, count, best[i])
        start = end


@njit(nogil=True, cache=True, inline="always")
def _bound(value: Scalar, slack: Scalar) -> Scalar:
    """Products below this belong to scores below ``value``; an equal score that comes later is worse (no slack)."""
    least = np.float32(value - slack)
    return np.nextafter(least, np.float32(np.inf if slack == 0 else -np.inf))
