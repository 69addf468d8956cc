"""From descriptors or scores to a ranking, the same for a query alone as for one among many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.ties import tie_numbers
from harness.plugin_api import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids


def search(queries: Floats, database: Floats, depth: int, left_out: Ids | None = None) -> Ranking:
    """The ``depth`` images (at most n) with the largest inner product, best first, equal ones by the lowest id.

    Images (m,) that are left out are in no row; there have to be ``depth`` others.
    """
    from harness.search import top_k

    if left_out is None or not len(left_out):
        best = top_k(queries, database, depth)
        return Ranking(best.indices, best.scores)
    best = top_k(queries, database, depth + len(left_out))
    order = np.argsort(np.isin(best.indices, left_out), axis=1, kind="stable")[:, :depth]
    return Ranking(np.take_along_axis(best.indices, order, axis=1), np.take_along_axis(best.scores, order, axis=1))


def reordered(scores: NDArray[np.float64], before: Ids, tied: NDArray[Any]) -> tuple[Ids, Floats, Ids]:
    """The ``len(before)`` best ids by the scores (n,) of one query, their scores as float32, and numbers of their ties.

    Scores are compared as float32. Equal ones keep the order of the ranking ``before`` (k,), so that what no score
    reaches stays as it was; ids that it does not hold come after those that it does, ascending. Tied are images with
    equal scores that were tied before (``tied`` (k,), as ``Ranking.tied``), or that it did not hold.
    """
    # Compared as they are returned: rounding in the last place of float64 must not decide between equals.
    values = scores.astype(np.float32)
    ids, earlier = before, tie_numbers(tied)
    if len(before) < len(values):
        missing = np.ones(len(values), bool)
        missing[before] = False
        ids = np.concatenate([before, np.flatnonzero(missing)])
        earlier = np.concatenate([earlier, np.full(len(ids) - len(before), len(before))])
    order = np.argsort(-values[ids], kind="stable")[: len(before)]
    best = values[ids[order]]
    return ids[order], best, tie_numbers(best, earlier[order])


def stacked(rows: Sequence[tuple[Ids, Floats, Ids]], like: Ranking) -> Ranking:
    """Rows as one ranking of the shape of ``like``."""
    shape = like.indices.shape
    indices, scores, ties = zip(*rows, strict=True) if rows else ((), (), ())
    return Ranking(
        np.array(indices, np.int64).reshape(shape),
        np.array(scores, np.float32).reshape(shape),
        ties=np.array(ties, np.int64).reshape(shape),
    )


def top_reordered(
    keys: Sequence[NDArray[Any]], before: Ids, scores: Floats, tied: NDArray[Any]
) -> tuple[Ids, Floats, Ids]:
    """A ranking (k,) whose first m <= k images are ordered by ``keys``, each (m,) in its order; below nothing moves.

    Keys are compared as float32, larger ones first; where the first are equal the second decides, and the ranking
    ``before`` where all are. Scores of the top are the first key, lifted above those below. Tied are images with equal
    keys that were tied before (``tied`` (k,), as ``Ranking.tied``).
    """
    values, groups = [np.asarray(key).astype(np.float32) for key in keys], tie_numbers(tied)
    m = len(values[0])
    if m == 0:
        return before, scores, groups
    order = np.lexsort([-value for value in reversed(values)])
    best = values[0][order]
    ties = tie_numbers(*(value[order] for value in values), groups[:m][order])
    return (
        np.concatenate([before[:m][order], before[m:]]),
        np.concatenate([best - best[-1] + scores[min(m, len(scores) - 1)], scores[m:]]).astype(np.float32),
        np.concatenate([ties, ties[-1] + 1 + groups[m:]]),
    )
