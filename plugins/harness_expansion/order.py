"""From descriptors or scores to a ranking, the same for a query alone as for one among many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.plugin_api import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids


def search(queries: Floats, database: Floats, depth: int) -> Ranking:
    """The ``depth`` images (at most n) with the largest inner product, best first, equal ones by the lowest id."""
    from harness.search import top_k

    best = top_k(queries, database, depth)
    return Ranking(best.indices, best.scores)


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
