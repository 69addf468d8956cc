"""Compiled steps of conjugate gradient on groups of rows; each releases the interpreter's lock.

Every column is summed in the order of its rows and in float64, whatever stands beside it: a column gives the same
bytes alone and in a block. Loads numba: import it where work is done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Dense = NDArray[Any]


@njit(nogil=True, cache=True)
def multiply(indptr: Dense, indices: Dense, data: Dense, p: Dense, out: Dense, first: int, last: int) -> Dense:
    """``out = p - alpha S p`` for rows [first, last); returns their part of the columns' inner products (m,)."""
    sums = np.zeros(p.shape[1])
    for i in range(first, last):
        _row(indptr, indices, data, p, p, out, i, -1)
        for c in range(p.shape[1]):
            sums[c] += np.float64(p[i, c]) * np.float64(out[i, c])
    return sums


@njit(nogil=True, cache=True)
def residual(
    indptr: Dense, indices: Dense, data: Dense, b: Dense, x: Dense, out: Dense, first: int, last: int
) -> Dense:
    """``out = b - (x - alpha S x)`` for rows [first, last); returns their part of the columns' squared norms (m,)."""
    sums = np.zeros(x.shape[1])
    for i in range(first, last):
        for c in range(x.shape[1]):
            out[i, c] = b[i, c] - x[i, c]
        _row(indptr, indices, data, x, out, out, i, 1)
        for c in range(x.shape[1]):
            sums[c] += np.float64(out[i, c]) ** 2
    return sums


@njit(nogil=True, cache=True)
def _row(indptr: Dense, indices: Dense, data: Dense, x: Dense, start: Dense, out: Dense, i: int, sign: int) -> None:
    """``out[i] = start[i] + sign (alpha S x)[i]``; one column alone is added up in a register, in the same order."""
    if x.shape[1] == 1:
        total = start[i, 0]
        for e in range(indptr[i], indptr[i + 1]):
            weight = data[e] if sign > 0 else -data[e]  # a product with an integer would be in double precision
            total += weight * x[indices[e], 0]
        out[i, 0] = total
        return
    for c in range(x.shape[1]):
        out[i, c] = start[i, c]
    for e in range(indptr[i], indptr[i + 1]):
        j = indices[e]
        weight = data[e] if sign > 0 else -data[e]
        for c in range(x.shape[1]):
            out[i, c] += weight * x[j, c]


@njit(nogil=True, cache=True)
def advance(x: Dense, r: Dense, p: Dense, q: Dense, step: Dense, first: int, last: int) -> Dense:
    """``x += step p`` and ``r -= step q`` for rows [first, last); returns their part of r's squared norms (m,)."""
    sums = np.zeros(x.shape[1])
    for i in range(first, last):
        for c in range(x.shape[1]):
            x[i, c] += step[c] * p[i, c]
            r[i, c] -= step[c] * q[i, c]
            sums[c] += np.float64(r[i, c]) ** 2
    return sums


@njit(nogil=True, cache=True)
def redirect(p: Dense, r: Dense, ratio: Dense, first: int, last: int) -> None:
    """``p = r + ratio p`` for rows [first, last)."""
    for i in range(first, last):
        for c in range(p.shape[1]):
            p[i, c] = r[i, c] + ratio[c] * p[i, c]
