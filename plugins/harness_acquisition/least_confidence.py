"""Uncertainty by confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_acquisition.budget import largest, require_budget

if TYPE_CHECKING:
    from harness.protocols import Ids, PoolView


@dataclass(frozen=True)
class LeastConfidence:
    """Examples whose most probable class is least probable (Lewis and Gale 1994). O(nc)."""

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by rising confidence; equal ones by position."""
        require_budget(pool, budget)
        p = pool.probabilities[pool.unlabelled].astype(np.float64)
        return largest(1 - p.max(axis=1), pool, budget)
