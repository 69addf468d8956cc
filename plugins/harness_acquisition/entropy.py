"""Uncertainty by entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness_acquisition.budget import largest_exact, spendable

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class Entropy:
    """Most uncertain examples: largest entropy of the prediction (thesis eq. 3.5-3.6). O(nc).

    Formula:
        the b largest H(p_i) = -sum_k p_ik ln p_ik, with 0 ln 0 = 0
    """

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by falling entropy; equal ones by position."""
        budget = spendable(pool, budget)
        p = pool.probabilities[pool.unlabelled]
        # Terms of up to 1/e, each wrong by a few units in the last place; probabilities above 1 are not expected but
        # may not lead astray.
        error = 8 * p.shape[1] ** 2 * float(np.finfo(np.float32).eps) * max(1.0, float(p.max(initial=0.0))) ** 2
        return largest_exact(entropies, p, error, pool.unlabelled, budget)


def entropies(p: NDArray[Any]) -> NDArray[Any]:
    """Entropy of each row of ``p`` (..., c) in nats, with 0 ln 0 = 0, in the precision of ``p``."""
    terms = np.maximum(p, np.finfo(p.dtype).tiny)  # 0 ln tiny = 0
    np.log(terms, out=terms)
    terms *= p
    result: NDArray[Any] = -np.einsum("...c->...", terms)
    return result
