"""Uncertainty by confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_acquisition.budget import largest, spendable

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class LeastConfidence:
    """Examples whose most probable class is least probable (Lewis and Gale 1994). O(nc).

    Formula:
        the b smallest max_k p_ik
    """

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by rising confidence; equal ones by position."""
        budget = spendable(pool, budget)
        return largest(-pool.probabilities[pool.unlabelled].max(axis=1), pool.unlabelled, budget)
