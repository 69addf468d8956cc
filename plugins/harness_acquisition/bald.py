"""Disagreement of dropout passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness_acquisition.budget import largest, spendable
from harness_acquisition.entropy import entropies

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

_ROWS = 1024
"""Examples looked at at once: the float64 copy of their passes stays small."""
_ROUNDING = 1e-12
"""Scores below this are 0: equal passes must not be told apart by rounding."""


@dataclass(frozen=True)
class Bald:
    """Most disagreement between passes with dropout (Houlsby et al. 2011; Gal et al. 2017).

    Largest mutual information ``H(mean_t p_t) - mean_t H(p_t)`` of the prediction and the weights, never negative.
    Needs a model. ``t`` passes over the pool; O(tnc) time and memory.

    Formula:
        the b largest H(mean_t p_t) - mean_t H(p_t), over t passes with dropout

    Attributes:
        t: number of passes.
    """

    t: Annotated[int, Gt(0)] = 10  # Zhan et al. 2022 (survey of deep active learning), released code

    needs_dropout = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by falling score; equal ones by position.

        Raises:
            InvalidInput: the pool has no model, or its passes have the wrong shape.
        """
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        return largest(disagreement(dropout_passes(pool, self.t), pool.unlabelled), pool.unlabelled, budget)


def disagreement(passes: Floats, rows: Ids) -> NDArray[np.float64]:
    """``H(mean_t p_t) - mean_t H(p_t)`` in nats of these rows of passes (t, n, c), never below 0."""
    scores = np.empty(len(rows))
    for start in range(0, len(scores), _ROWS):
        p = passes[:, rows[start : start + _ROWS]].astype(np.float64)
        scores[start : start + _ROWS] = entropies(p.mean(axis=0)) - entropies(p).mean(axis=0)
    scores[scores < _ROUNDING] = 0
    return scores


def dropout_passes(pool: PoolView, t: int, shared: bool = False) -> Floats:
    """Class probabilities (t, n, c) of ``t`` passes; ``shared``: each drops the same for all examples.

    Raises:
        InvalidInput: they have another shape.
    """
    passes = pool.shared_dropout_probabilities(t) if shared else pool.dropout_probabilities(t)
    wanted = (t, *pool.probabilities.shape)
    if passes.shape != wanted:
        raise InvalidInput(f"dropout gave probabilities of shape {passes.shape}; should be {wanted}")
    return passes
