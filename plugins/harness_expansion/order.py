"""From descriptors or scores to a ranking, the same for a query alone as for one among many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.plugin_api import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids

_QUERIES: Final = 16
"""Queries searched at once. From 20 on faiss multiplies matrices, whose rounding depends on the position in the block:
below, equal vectors get equal scores and one query alone the same answer as among others."""


def unit(vectors: NDArray[Any]) -> Floats:
    """Rows (n, d) with length 1, float32; rows of zeros stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)


def search(queries: Floats, database: Floats, depth: int) -> Ranking:
    """The ``depth`` images (at most n) with the largest inner product, best first, equal ones by the lowest id."""
    n = len(database)
    indices, scores = np.empty((len(queries), depth), np.int64), np.empty((len(queries), depth), np.float32)
    for start in range(0, len(queries), _QUERIES):
        block = queries[start : start + _QUERIES]
        found_scores, found = _nearest(block, database, min(depth + 1, n))
        for row, query in enumerate(block):
            values, ids = found_scores[row], found[row]
            if 0 < depth < n and values[depth - 1] == values[depth]:
                # Which of the equals at the cut faiss returned is chance.
                values, ids = (whole[0] for whole in _nearest(query[None], database, n))
            order = np.lexsort((ids, -values))[:depth]
            indices[start + row], scores[start + row] = ids[order], values[order]
    return Ranking(indices, scores)


def _nearest(queries: Floats, database: Floats, k: int) -> tuple[Floats, Ids]:
    import faiss

    scores, indices = faiss.knn(
        np.ascontiguousarray(queries), np.ascontiguousarray(database), k, metric=faiss.METRIC_INNER_PRODUCT
    )
    return scores, indices


def reordered(scores: NDArray[np.float64], before: Ids) -> tuple[Ids, Floats]:
    """The ``len(before)`` best ids by the scores (n,) of one query, and their scores as float32.

    Scores are compared as float32. Equal ones keep the order of the ranking ``before`` (k,), so that what no score
    reaches stays as it was; ids that it does not hold come after those that it does, ascending.
    """
    # Compared as they are returned: rounding in the last place of float64 must not decide between equals.
    values = scores.astype(np.float32)
    ids = before
    if len(before) < len(values):
        missing = np.ones(len(values), bool)
        missing[before] = False
        ids = np.concatenate([before, np.flatnonzero(missing)])
    order = ids[np.argsort(-values[ids], kind="stable")[: len(before)]]
    return order, values[order]


def stacked(rows: Sequence[tuple[Ids, Floats]], like: Ranking) -> Ranking:
    """Rows as one ranking of the shape of ``like``."""
    indices = np.array([ids for ids, _ in rows], np.int64).reshape(like.indices.shape)
    return Ranking(indices, np.array([values for _, values in rows], np.float32).reshape(like.indices.shape))
