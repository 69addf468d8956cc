"""Uncertainty by margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_acquisition.budget import largest, require_budget

if TYPE_CHECKING:
    from harness.protocols import Ids, PoolView


@dataclass(frozen=True)
class Margin:
    """Smallest gap between the two most probable classes (Scheffer et al. 2001). O(nc)."""

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by rising margin; equal ones by position. One class: all margins are 0."""
        require_budget(pool, budget)
        p = pool.probabilities[pool.unlabelled].astype(np.float64)
        if p.shape[1] < 2:
            return pool.unlabelled[:budget].copy()
        two = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:]
        return largest(two[:, 0] - two[:, 1], pool, budget)
