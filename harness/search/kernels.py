"""Compiled parts of the exact search: scores and keys. Loads numba: import it where work is done.

A candidate is one number, its *key*: the score in the upper 32 bits, so that keys order as scores do, and the
complement of its index in the lower ones, so that of equal scores the lowest index is best. Keys are unique: whatever
order candidates come in, the k largest keys are the same.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from harness.search.keys import LAST

Dense = NDArray[Any]
Scalar = Any
"""A number of numpy's: compiled code is strict about their types, numpy's static types are not theirs."""

ANY_ORDER: Final = np.finfo(np.float32).tiny
"""Slack of products that are scores, where rows come in any order: least that is not taken for 0."""
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


@njit(nogil=True, cache=True, inline="always")
def key_of(value: Scalar, index: Scalar) -> Scalar:
    """The key of a score and the number of its image."""
    bits = np.float32(value + np.float32(0)).view(np.uint32)  # 0 for -0: they are equal
    upper = np.uint32(~bits if bits & _SIGN else bits | _SIGN)
    return (np.uint64(upper) << np.uint64(32)) | (LAST - np.uint64(index))


@njit(nogil=True, cache=True, inline="always")
def score_of(key: Scalar) -> Scalar:
    """The score of a key."""
    upper = np.uint32(key >> np.uint64(32))
    bits = np.uint32(upper ^ _SIGN if upper & _SIGN else ~upper)
    return bits.view(np.float32)
