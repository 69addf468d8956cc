"""Exact search by inner product. Loads faiss."""

from __future__ import annotations

from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from harness.plugin_api import Ranking

_QUERIES: Final = 16
"""Queries searched at once. From 20 on faiss multiplies matrices, whose rounding depends on the position in the block:
below, equal vectors get equal scores and one query alone the same answer as among others."""


def search(queries: NDArray[np.float32], database: NDArray[np.float32], depth: int = 0) -> Ranking:
    """The database images with the largest inner product, best first; exact.

    Of equal scores the lowest id comes first, also where only some of them are within ``depth``. Memory beyond the
    answer does not grow with the number of queries.

    Args:
        queries: (q, d) float32, finite.
        database: (n, d) float32, finite.
        depth: images per query; 0, or more than there are, ranks all.

    Returns:
        ``indices`` (q, k) int64 and ``scores`` (q, k) float32.
    """
    n, depth = len(database), min(depth or len(database), len(database))
    indices = np.empty((len(queries), depth), np.int64)
    scores = np.empty((len(queries), depth), np.float32)
    for start in range(0, len(queries), _QUERIES):
        rows = slice(start, start + _QUERIES)
        found = _sorted(*_nearest(queries[rows], database, min(depth + 1, n)))
        scores[rows], indices[rows] = found[0][:, :depth], found[1][:, :depth]
        if depth < n:
            # Equal scores on both sides of the cut: which of them faiss returned is chance.
            for row in np.flatnonzero(found[0][:, depth - 1] == found[0][:, depth]):
                all_scores, all_indices = _sorted(*_nearest(queries[start + row][None], database, n))
                scores[start + row], indices[start + row] = all_scores[0, :depth], all_indices[0, :depth]
    return Ranking(indices, scores)


def _nearest(
    queries: NDArray[np.float32], database: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What ``IndexFlatIP`` answers, without its copy of the database."""
    scores, indices = faiss.knn(
        np.ascontiguousarray(queries), np.ascontiguousarray(database), k, metric=faiss.METRIC_INNER_PRODUCT
    )
    return scores, indices


def _sorted(scores: NDArray[np.float32], indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Equal scores by the lowest id; rows without any are left alone."""
    for row in np.flatnonzero((scores[:, 1:] == scores[:, :-1]).any(axis=1)):
        order = np.lexsort((indices[row], -scores[row]))
        scores[row], indices[row] = scores[row][order], indices[row][order]
    return scores, indices
