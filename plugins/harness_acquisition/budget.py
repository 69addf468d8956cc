"""What all acquisitions check and how they break ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput

if TYPE_CHECKING:
    from harness.protocols import Ids, PoolView


def require_budget(pool: PoolView, budget: int) -> None:
    """Raises ``InvalidInput`` for a negative budget or one larger than the number of unlabelled examples."""
    if not 0 <= budget <= len(pool.unlabelled):
        raise InvalidInput(f"budget {budget} should be from 0 to the {len(pool.unlabelled)} unlabelled examples")


def largest(scores: NDArray[np.float64], pool: PoolView, budget: int) -> Ids:
    """The ``budget`` unlabelled positions with the largest scores, best first; equal ones by position.

    Args:
        scores: (len(pool.unlabelled),) float64 in the order of ``pool.unlabelled``.
        pool: the pool.
        budget: how many.
    """
    if budget == 0:
        return np.empty(0, dtype=np.int64)
    # Only what reaches the budget-th score has to be sorted.
    least = np.partition(scores, len(scores) - budget)[len(scores) - budget]
    reaching = np.flatnonzero(scores >= least)
    order = np.argsort(-scores[reaching], kind="stable")[:budget]
    return pool.unlabelled[reaching[order]]
