"""Uncertainty by margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness_acquisition.budget import largest_exact, spendable

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class Margin:
    """Smallest gap between the two most probable classes (Scheffer et al. 2001). O(nc).

    Formula:
        the b smallest p_i(1) - p_i(2), where p_i(k) is the k-th largest probability
    """

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by rising margin; equal ones by position. One class: all margins are 0."""
        budget = spendable(pool, budget)
        p = pool.probabilities[pool.unlabelled]
        if p.shape[1] < 2:
            return pool.unlabelled[:budget].copy()
        error = float(np.finfo(np.float32).eps) * max(1.0, float(p.max(initial=0.0)))
        return largest_exact(negative_margins, p, error, pool.unlabelled, budget)


def negative_margins(p: NDArray[Any]) -> NDArray[Any]:
    """Second largest value of each row of ``p`` (n, c) less the largest, in the precision of ``p``; c at least 2."""
    # Column by column: numpy is slow at many short rows.
    columns = np.ascontiguousarray(p.T)
    first, second = np.maximum(columns[0], columns[1]), np.minimum(columns[0], columns[1])
    for column in columns[2:]:
        np.maximum(second, np.minimum(first, column), out=second)
        np.maximum(first, column, out=first)
    result: NDArray[Any] = second - first
    return result
