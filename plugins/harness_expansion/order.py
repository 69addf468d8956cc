"""From scores of the whole database to a ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.protocols import Ranking

if TYPE_CHECKING:
    from harness.protocols import Floats, Ids


def unit(vectors: NDArray[np.floating]) -> Floats:
    """Rows (n, d) with length 1, float32; zero rows stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0).astype(np.float32)
    return scaled


def ranked(scores: NDArray[np.floating], before: Ids) -> tuple[Ids, Floats]:
    """The best ``len(before)`` ids by falling score (n,) of one query; equal ones keep the order that they had.

    Ids that the ranking ``before`` does not hold come after those that it does, ascending.
    """
    missing = np.ones(len(scores), dtype=bool)
    missing[before] = False
    start = np.concatenate([before, np.flatnonzero(missing)])
    order = start[np.argsort(-scores[start], kind="stable")][: len(before)]
    return order.astype(np.int64), scores[order].astype(np.float32)


def reranked(scores: NDArray[np.floating], ranking: Ranking) -> Ranking:
    """One row of scores (n,) per query as a ranking of the same depth."""
    rows = [ranked(row, before) for row, before in zip(scores, ranking.indices, strict=True)]
    indices = np.array([ids for ids, _ in rows], dtype=np.int64).reshape(ranking.indices.shape)
    return Ranking(indices, np.array([values for _, values in rows], dtype=np.float32).reshape(indices.shape))
