"""Compiled parts of ``k-reciprocal``. Loads numba: import it where work is done.

Nodes of the graph are the n images and, as node n, one query. ``lists`` (n + 1, l) holds of each node itself and then
its nearest, best first.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_FIRST: Final = 1 << 16
"""Entries for which memory is taken at first."""


@njit(nogil=True, cache=True)
def joined(lists: Array, similarities: Array, to_query: Array, own: Array) -> Array:
    """Lists (n + 1, l) with the query in them, ``own`` (l,) being its own; of equals the query comes first.

    Args:
        lists: (n, l) or, of fewer images than that, (n, n): the lists without the query.
        similarities: of ``lists``, infinite for the image itself.
        to_query: (n,) similarities of the images to the query.
        own: (l,) the query, n, and its nearest.
    """
    n, length = len(lists), len(own)
    result = np.empty((n + 1, length), np.int32)
    result[n] = own
    for i in range(n):
        place = 0
        while place < lists.shape[1] and similarities[i, place] > to_query[i]:
            place += 1
        for a in range(length):
            if a == place:
                result[i, a] = n
            else:
                result[i, a] = lists[i, a - (a > place)]
    return result


@njit(nogil=True, cache=True)
def reciprocal(lists: Array, i: int, k: int, out: Array) -> int:
    """Write R(i, k) into ``out``, and return how many they are."""
    count, end = 0, min(k + 1, lists.shape[1])
    for a in range(end):
        j = lists[i, a]
        for b in range(end):
            if lists[j, b] == i:
                out[count] = j
                count += 1
                break
    return count


@njit(nogil=True, cache=True)
def neighbourhood(lists: Array, i: int, k1: int, half: int, all_of_them: bool, marks: Array, out: Array) -> int:
    """Write E_i into ``out``, and return its size; with ``all_of_them`` every R(j, half) is taken in.

    ``marks`` (2, n + 1) are of one's own and never equal to i + 1 before: who is in R(i, k1), who is in E_i.
    """
    near, half_near = np.empty(k1 + 1, np.int32), np.empty(half + 1, np.int32)
    m = reciprocal(lists, i, k1, near)
    count = 0
    for a in range(m):
        marks[0, near[a]] = marks[1, near[a]] = i + 1
        out[count] = near[a]
        count += 1
    for a in range(m):
        members = reciprocal(lists, near[a], half, half_near)
        shared = 0
        for b in range(members):
            shared += marks[0, half_near[b]] == i + 1
        if all_of_them or 3 * shared > 2 * members:
            for b in range(members):
                j = half_near[b]
                if marks[1, j] != i + 1:
                    marks[1, j] = i + 1
                    out[count] = j
                    count += 1
    return count


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def product(a: Array, b: Array) -> float:
    """The inner product of two vectors, added up in float64."""
    total = 0.0
    for j in range(len(a)):
        total += np.float64(a[j]) * np.float64(b[j])
    return total


@njit(nogil=True, cache=True)
def known_pairs(lists: Array, x: Array, k1: int, half: int) -> tuple[Array, Array, Array]:
    """Of each image (n, d) the images that can be in its neighbourhood without a query in it, ascending.

    A query only takes members out of the sets R of the lists (n, l), so no other pair of images meets, but where the
    query itself is their link.

    Returns:
        Ends (n + 1,), ids and similarities (m,).
    """
    n, marks = len(lists), np.zeros((2, len(lists)), np.int32)
    members = np.empty((k1 + 1) * (half + 2), np.int32)
    ends, count = np.zeros(n + 1, np.int64), 0
    ids, values = np.empty(_FIRST, np.int32), np.empty(_FIRST)
    for i in range(n):
        size = neighbourhood(lists, i, k1, half, True, marks, members)
        if count + size > len(ids):
            ids = np.concatenate((ids, np.empty(len(ids) + size, np.int32)))
            values = np.concatenate((values, np.empty(len(values) + size)))
        ids[count : count + size] = np.sort(members[:size])
        for p in range(count, count + size):
            values[p] = product(x[i], x[ids[p]])
        count += size
        ends[i + 1] = count
    return ends, ids[:count], values[:count]


@njit(nogil=True, cache=True)
def weights(
    nodes: Array, furthest: Array, pairs: tuple[Array, Array, Array], i: int, members: Array, out: Array
) -> None:
    """Write exp(-D_ij) of the members j of E_i, with sum 1, into ``out``."""
    ends, ids, values = pairs
    total = 0.0
    for a in range(len(members)):
        j, similarity = members[a], np.nan
        if i < len(ends) - 1 and j < len(ends) - 1:
            p = ends[i] + np.searchsorted(ids[ends[i] : ends[i + 1]], j)
            if p < ends[i + 1] and ids[p] == j:
                similarity = values[p]
        if np.isnan(similarity):
            similarity = product(nodes[i], nodes[j])
        apart = 0.0 if i == j else max(2 - 2 * similarity, 0.0)
        out[a] = np.exp(-apart / furthest[i]) if furthest[i] > 0 else 1.0
        total += out[a]
    for a in range(len(members)):
        out[a] /= total


@njit(nogil=True, cache=True)
def row_of_query(
    lists: Array, nodes: Array, furthest: Array, pairs: tuple[Array, Array, Array], sizes: tuple[int, int, int]
) -> Array:
    """The row (n + 1,) of V of the query, averaged."""
    k1, half, k2 = sizes
    n = len(lists) - 1
    marks, members = np.zeros((2, n + 1), np.int32), np.empty((k1 + 1) * (half + 2), np.int32)
    part, row = np.empty(len(members)), np.zeros(n + 1)
    for i in lists[n, :k2]:
        size = neighbourhood(lists, i, k1, half, False, marks, members)
        weights(nodes, furthest, pairs, i, members[:size], part)
        for b in range(size):
            row[members[b]] += part[b] / k2
    return row


@njit(nogil=True, cache=True)
def columns_of(
    row: Array,
    lists: Array,
    nodes: Array,
    furthest: Array,
    pairs: tuple[Array, Array, Array],
    sizes: tuple[int, int, int],
) -> tuple[Array, Array, Array]:
    """V before its average, in the columns where ``row`` (n + 1,) is above 0: ends (n + 2,), columns and values."""
    k1, half, _ = sizes
    n = len(lists) - 1
    marks, members = np.zeros((2, n + 1), np.int32), np.empty((k1 + 1) * (half + 2), np.int32)
    part, ends, count = np.empty(len(members)), np.zeros(n + 2, np.int64), 0
    columns, values = np.empty(_FIRST, np.int32), np.empty(_FIRST)
    for i in range(n + 1):
        size = neighbourhood(lists, i, k1, half, False, marks, members)
        meets = False
        for b in range(size):
            meets = meets or row[members[b]] > 0
        if meets:
            weights(nodes, furthest, pairs, i, members[:size], part)
            if count + size > len(columns):
                columns = np.concatenate((columns, np.empty(len(columns) + size, np.int32)))
                values = np.concatenate((values, np.empty(len(values) + size)))
            for b in range(size):
                if row[members[b]] > 0:
                    columns[count], values[count] = members[b], part[b]
                    count += 1
        ends[i + 1] = count
    return ends, columns, values


@njit(nogil=True, cache=True)
def jaccard(
    lists: Array, nodes: Array, furthest: Array, pairs: tuple[Array, Array, Array], sizes: tuple[int, int, int]
) -> Array:
    """Jaccard distances (n,) of the query to all images.

    Args:
        lists: (n + 1, l) with the query in them.
        nodes: (n + 1, d) images and query.
        furthest: (n + 1,) largest distance of each node.
        pairs: what ``known_pairs`` gives.
        sizes: k1, half of it, and k2, which is l at most.
    """
    n, k2 = len(lists) - 1, sizes[2]
    of_query = row_of_query(lists, nodes, furthest, pairs, sizes)
    ends, columns, values = columns_of(of_query, lists, nodes, furthest, pairs, sizes)
    result, row = np.empty(n), np.zeros(n + 1)
    for i in range(n):
        for near in lists[i, :k2]:
            for p in range(ends[near], ends[near + 1]):
                row[columns[p]] += values[p] / k2
        shared = 0.0
        for near in lists[i, :k2]:
            for p in range(ends[near], ends[near + 1]):
                shared += min(of_query[columns[p]], row[columns[p]])
                row[columns[p]] = 0.0
        result[i] = 1 - shared / (2 - shared)
    return result
