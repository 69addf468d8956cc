"""The largest inner products of each query with a database: exact, in blocks.

A product of matrices gives a block of scores, a compiled pass keeps the largest of each row. Both are bound by what the
processor can multiply and read; a search that keeps a list for each query while it multiplies is several times slower.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.core.errors import InvalidInput
from harness.core.threads import shared_threads, threads_here

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]

_QUERIES: Final = 1024
_COLUMNS: Final = 4096
"""Scores held at a time: 16 MB."""
_ROWS: Final = 64
"""Queries that a thread selects for at a time."""
_LEAST_ROOM: Final = 64
_BUFFERED: Final = 1 << 22
"""Scores that wait in buffers at a time: 50 MB with their indices."""


def largest_products(queries: Floats, database: Floats, k: int) -> tuple[Floats, Ids]:
    """The k rows of the database with the largest inner product with each query, best first; exact.

    Of equal scores the lowest index comes first, also where only some of them fit into the list. Scores are products of
    float32 matrices: their last bit can depend on the block in which a row lies, so that equal rows may differ in it.
    Time O(q n d); memory beyond the answer about 70 MB (more where 128 k is more than 4 million).

    Args:
        queries: (q, d) float32, finite.
        database: (n, d) float32, finite.
        k: length of the lists, at least 0; at most n.

    Returns:
        Scores (q, min(k, n)) float32 and indices (q, min(k, n)) int64.

    Raises:
        InvalidInput: the shapes do not fit, or k is negative.
    """
    if queries.ndim != 2 or database.ndim != 2 or queries.shape[1] != database.shape[1] or k < 0:
        raise InvalidInput(
            f"queries {queries.shape}, database {database.shape}, k = {k}", fix="(q, d) and (n, d), and k >= 0"
        )
    n = len(database)
    k = min(k, n)
    scores, indices = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    room = min(n, max(2 * k, _LEAST_ROOM))
    step = min(_QUERIES, max(_ROWS, _BUFFERED // max(room, 1)))
    for start in range(0, len(queries) if k else 0, step):
        rows = slice(start, start + step)
        _fill(queries[rows], database, room, scores[rows], indices[rows])
    return scores, indices


def _fill(queries: Floats, database: Floats, room: int, scores: Floats, indices: Ids) -> None:
    """Lists (m, k) of one block of queries, in place."""
    from harness.search import selection

    m, k = scores.shape
    values, places = np.empty((m, room), np.float32), np.empty((m, room), np.int64)
    counts, bounds = np.zeros(m, np.int64), np.full(m, -np.inf, np.float32)
    for first in range(0, len(database), _COLUMNS):
        products = queries @ database[first : first + _COLUMNS].T

        def push(rows: slice, products: Floats = products, first: int = first) -> None:
            selection.push(products[rows], first, k, values[rows], places[rows], counts[rows], bounds[rows])

        _each(m, push)

    def finish(rows: slice) -> None:
        selection.finish(values[rows], places[rows], counts[rows], scores[rows], indices[rows])
        _sort(scores[rows], indices[rows])

    _each(m, finish)


def _sort(scores: Floats, indices: Ids) -> None:
    """Best first, of equal scores the lowest index, in place. numpy sorts without regard to ties, and much faster."""
    order = np.argsort(-scores, axis=1)
    scores[:], indices[:] = np.take_along_axis(scores, order, axis=1), np.take_along_axis(indices, order, axis=1)
    for row in np.flatnonzero((scores[:, 1:] == scores[:, :-1]).any(axis=1)):
        indices[row] = indices[row][np.lexsort((indices[row], -scores[row]))]


def _each(n: int, work: Callable[[slice], None]) -> None:
    """``work`` on every group of rows, on as many threads as this process may use."""
    groups = [slice(start, start + _ROWS) for start in range(0, n, _ROWS)]
    threads = min(threads_here(), len(groups))
    if threads == 1:
        for rows in groups:
            work(rows)
        return
    for done in [shared_threads(threads, os.getpid()).submit(work, rows) for rows in groups]:
        done.result()
