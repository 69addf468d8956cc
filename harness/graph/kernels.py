"""Compiled steps of conjugate gradient on groups of rows; each releases the interpreter's lock.

Every column is summed in the order of its rows and in float64, whatever stands beside it: a column gives the same
bytes alone and in a block. Positions are unsigned, or the compiled code would look for negative ones that count from
the end: with that a product took half as long again. Loads numba: import it where work is done.
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
        _subtract(indptr, indices, data, p, out, i)
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
        for e in range(indptr[i], indptr[i + 1]):
            weight, j = data[e], indices[e]
            for c in range(x.shape[1]):
                out[i, c] += weight * x[j, c]
        for c in range(x.shape[1]):
            sums[c] += np.float64(out[i, c]) ** 2
    return sums


@njit(nogil=True, cache=True)
def _subtract(indptr: Dense, indices: Dense, data: Dense, p: Dense, out: Dense, i: int) -> None:
    """``out[i] = (p - alpha S p)[i]``; one column alone is added up in a register, in the same order."""
    if p.shape[1] == 1:
        total = p[i, 0]
        for e in range(indptr[i], indptr[i + 1]):
            total -= data[e] * p[indices[e], 0]
        out[i, 0] = total
        return
    for c in range(p.shape[1]):
        out[i, c] = p[i, c]
    for e in range(indptr[i], indptr[i + 1]):
        weight, j = data[e], indices[e]
        for c in range(p.shape[1]):
            out[i, c] -= weight * p[j, c]


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
