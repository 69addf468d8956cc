"""What all acquisitions have in common: how much can be spent, and how ties are broken.

A budget of 0 gives no pick, one beyond what is left gives all that is left, a negative one is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


def spendable(pool: PoolView, budget: int) -> int:
    """``budget``, or the number of unlabelled examples where that is smaller.

    Raises:
        InvalidInput: the budget is negative.
    """
    if budget < 0:
        raise InvalidInput(f"budget {budget} should be at least 0")
    return min(int(budget), len(pool.unlabelled))


def largest(scores: NDArray[np.floating], candidates: Ids, budget: int) -> Ids:
    """The ``budget`` candidates with the largest scores, best first; equal ones by position.

    Args:
        scores: (len(candidates),) floats.
        candidates: positions, ascending.
        budget: how many, from 0 to all of them.
    """
    reaching = _reaching(scores, budget, 0)
    order = np.argsort(-scores[reaching], kind="stable")[:budget]
    return candidates[reaching[order]]


def largest_exact(
    score: Callable[[NDArray[Any]], NDArray[Any]], rows: NDArray[np.float32], error: float, candidates: Ids, budget: int
) -> Ids:
    """What ``largest`` gives for float64 scores, at the cost of float32 ones for most rows.

    Args:
        score: (m, c) rows -> (m,) scores, in the precision of the rows.
        rows: (len(candidates), c) float32.
        error: by how much a score of float32 rows may be wrong.
        candidates: positions, ascending.
        budget: how many, from 0 to all of them.
    """
    # Two scores that are both wrong by the error can swap places: twice the error decides who is looked at again.
    reaching = _reaching(score(rows), budget, 2 * error)
    return largest(score(rows[reaching].astype(np.float64)), candidates[reaching], budget)


def _reaching(scores: NDArray[np.floating], budget: int, error: float) -> Ids:
    """Places (ascending) of all scores that are not below the ``budget``-th largest by more than the error."""
    if budget == 0:
        return np.empty(0, dtype=np.int64)
    least = np.partition(scores, len(scores) - budget)[len(scores) - budget]
    return np.flatnonzero(scores >= least - error)
