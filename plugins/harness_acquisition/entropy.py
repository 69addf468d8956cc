"""Uncertainty by entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_acquisition.budget import largest, require_budget

if TYPE_CHECKING:
    from harness.protocols import Ids, PoolView


@dataclass(frozen=True)
class Entropy:
    """Most uncertain examples: largest entropy of the prediction (thesis eq. 3.5-3.6). O(nc)."""

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by falling entropy; equal ones by position."""
        require_budget(pool, budget)
        p = pool.probabilities[pool.unlabelled].astype(np.float64)
        logarithm = np.log(p, out=np.zeros_like(p), where=p > 0)  # 0 ln 0 = 0
        return largest(-(p * logarithm).sum(axis=1), pool, budget)
