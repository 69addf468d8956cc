"""Random acquisition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class Random:
    """Uniformly random examples (thesis §3.3.1): the baseline that is hard to beat. O(n).

    Formula:
        i_1, ..., i_b drawn uniformly from the unlabelled, without replacement
    """

    cold_start = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, drawn without replacement."""
        return rng.choice(pool.unlabelled, spendable(pool, budget), replace=False)
