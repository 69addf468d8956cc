"""Diffusion inside small parts of a graph, compiled: one system per part, each solved on its own.

A part is a set of kept points. Only points that a path inside the part joins to a seed can get a value, so the local
matrix is grown from the seeds: breadth first, which also puts neighbours near each other in memory.

Imports numba, which is slow: import this module where work is done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Unsigned = NDArray[np.uint32]
Sparse = tuple[NDArray[np.uint64], Unsigned, NDArray[Any]]
"""Ends of the rows, columns and values. Unsigned: compiled code needs no test for indices that count from the end,
which makes the product with the matrix twice as fast."""

_OUTSIDE, _KEPT = np.uint32(2**32 - 1), np.uint32(2**32 - 2)


def unsigned(matrix: Any) -> Sparse:
    """A scipy CSR array as the functions below take it."""
    return matrix.indptr.astype(np.uint64), matrix.indices.astype(np.uint32), matrix.data


@njit(cache=True, nogil=True)
def solve_parts(
    graph: Sparse,
    kept: NDArray[np.int64],
    seeds: NDArray[Any],
    early: bool,
    alpha: float,
    tol: float,
    max_iter: int,
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float64]]:
    """Conjugate gradient for ``(I - alpha S) x = y`` restricted to every part.

    Args:
        graph: symmetric (n, n): the normalised graph, or the affinity if ``early``. Its precision is the solve's.
        kept: (m, t) points of each part, unique in a row.
        seeds: (m, t) y at these points, in the precision of the graph.
        early: whether a part is normalised by its own degrees.
        alpha: how far similarity spreads.
        tol: relative residual at which a solve ends.
        max_iter: iterations after which it ends.

    Returns:
        Solutions (m, t), iterations (m,) and relative residuals (m,), these computed from the solutions.
    """
    m, t = kept.shape
    room = t * np.max(np.diff(graph[0].astype(np.int64)))
    local = (np.zeros(t + 1, np.uint64), np.empty(room, np.uint32), np.empty(room, graph[2].dtype))
    place = np.full(len(graph[0]) - 1, _OUTSIDE, np.uint32)
    members, vectors = np.empty(t, np.int64), np.empty((5, t), graph[2].dtype)
    solutions = np.zeros((m, t), graph[2].dtype)
    iterations, residuals = np.zeros(m, np.int64), np.zeros(m, np.float64)
    for part in range(m):
        ids = kept[part]
        for point in ids:
            place[point] = _KEPT
        count = _grow(graph, ids, seeds[part], place, members, vectors[0], local)
        if early:
            _normalise(local, count)
        iterations[part], residuals[part] = _solve(local, vectors[:, :count], alpha, tol, max_iter)
        for i in range(t):
            if place[ids[i]] != _KEPT:
                solutions[part, i] = vectors[1, place[ids[i]]]
            place[ids[i]] = _OUTSIDE
    return solutions, iterations, residuals


@njit(cache=True, nogil=True)
def _grow(
    graph: Sparse,
    ids: NDArray[np.int64],
    y: NDArray[Any],
    place: Unsigned,
    members: NDArray[np.int64],
    b: NDArray[Any],
    local: Sparse,
) -> int:
    """The matrix and right-hand side ``b`` of the points that seeds reach; ``place`` says where each went."""
    ends, columns, values = graph
    local_ends, local_columns, local_values = local
    b[:] = 0
    count, edges, row = 0, 0, 0
    for i in range(len(ids)):
        if y[i] != 0:
            place[ids[i]], members[count], b[count] = count, ids[i], y[i]
            count += 1
    while row < count:
        for e in range(ends[members[row]], ends[members[row] + 1]):
            point = columns[e]
            if place[point] == _OUTSIDE:
                continue
            if place[point] == _KEPT:
                place[point], members[count] = count, point
                count += 1
            local_columns[edges], local_values[edges] = place[point], values[e]
            edges += 1
        row += 1
        local_ends[row] = edges
    return count


@njit(cache=True, nogil=True)
def _normalise(local: Sparse, count: int) -> None:
    """Symmetric normalisation in place; every point with an edge has a degree above 0."""
    ends, columns, values = local
    scale = np.zeros(count)
    for i in range(count):
        for e in range(ends[i], ends[i + 1]):
            scale[i] += values[e]
        if scale[i] > 0:
            scale[i] = 1 / np.sqrt(scale[i])
    for i in range(count):
        for e in range(ends[i], ends[i + 1]):
            values[e] *= scale[i] * scale[columns[e]]


@njit(cache=True, nogil=True)
def _solve(local: Sparse, vectors: NDArray[Any], alpha: float, tol: float, max_iter: int) -> tuple[int, float]:
    """Conjugate gradient from 0 (Hestenes and Stiefel 1952): ``vectors`` are b, x, r, p and a product."""
    b, x, r, p, q = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    x[:] = 0
    r[:] = b
    p[:] = b
    power = 0.0
    for i in range(len(b)):
        power += b[i] * b[i]
    size, done = np.sqrt(power), 0
    while done < max_iter and np.sqrt(power) > tol * size:
        curvature = _multiply(local, p, q, alpha)
        if curvature <= 0:
            break
        step, before, power = power / curvature, power, 0.0
        for i in range(len(b)):
            x[i] += step * p[i]
            r[i] -= step * q[i]
            power += r[i] * r[i]
        for i in range(len(b)):
            p[i] = r[i] + power / before * p[i]
        done += 1
    _multiply(local, x, q, alpha)
    left = 0.0
    for i in range(len(b)):
        left += (b[i] - q[i]) ** 2
    return done, np.sqrt(left) / size if size > 0 else 0.0


@njit(cache=True, nogil=True)
def _multiply(local: Sparse, p: NDArray[Any], q: NDArray[Any], alpha: float) -> float:
    """``q = (I - alpha S) p``; the inner product of the two."""
    ends, columns, values = local
    product = 0.0
    for i in range(len(p)):
        total = 0.0
        for e in range(ends[i], ends[i + 1]):
            total += values[e] * p[columns[e]]
        q[i] = p[i] - alpha * total
        product += p[i] * q[i]
    return product
