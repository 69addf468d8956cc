"""The largest inner products of each query with a database: exact, in blocks.

A product of matrices gives a block of scores, a compiled pass keeps the largest of each row. Both are bound by what the
processor can multiply and read; a search that keeps a list for each query while it multiplies is several times slower.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import InvalidInput
from harness.graph.engines import shared_threads, threads_here

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]

_QUERIES: Final = 1024
_COLUMNS: Final = 4096
"""Scores held at a time: 16 MB."""
_ROWS: Final = 64
"""Queries that a thread selects for at a time."""


def largest_products(queries: Floats, database: Floats, k: int) -> tuple[Floats, Ids]:
    """The k rows of the database with the largest inner product with each query, best first; exact.

    Of equal scores the lowest index comes first, also where only some of them fit into the list. Scores are products of
    float32 matrices: their last bit can depend on the block in which a row lies, so that equal rows may differ in it.
    Time O(q n d); memory beyond the answer 16 MB.

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
    k = min(k, len(database))
    scores = np.full((len(queries), k), -np.inf, np.float32)
    indices = np.full((len(queries), k), len(database), np.int64)
    if k:
        for start in range(0, len(queries), _QUERIES):
            rows = slice(start, start + _QUERIES)
            _fill(queries[rows], database, scores[rows], indices[rows])
    return scores, indices


def _fill(queries: Floats, database: Floats, scores: Floats, indices: Ids) -> None:
    """Lists (m, k) of one block of queries, in place."""
    from harness.graph import selection

    for first in range(0, len(database), _COLUMNS):
        products = queries @ database[first : first + _COLUMNS].T
        _each(len(queries), lambda rows: selection.push(products[rows], first, scores[rows], indices[rows]))  # noqa: B023
    _each(len(queries), lambda rows: selection.sort(scores[rows], indices[rows]))


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
