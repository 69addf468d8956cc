"""Scores with noise, so that a batch is not all of one kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from harness_acquisition.bald import disagreement, dropout_passes
from harness_acquisition.budget import spendable
from harness_acquisition.uncertainty_herding import uncertainties

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class PowerBald:
    """A batch drawn by its scores, not the best alone (Kirsch et al. 2023).

    The best scores have near duplicates, which teach the same. With ``power`` noise the batch is drawn without
    replacement in proportion to score^beta, with ``softmax`` to exp(beta score), with ``softrank`` to rank^-beta, ranks
    from 1. A score of 0 comes last, by position: the released code takes scores that rounding made negative first.
    Works with any score; only ``bald`` needs dropout. Costs what the score costs, O(n log n) beside it.

    Formula:
        the b largest beta ln s_i + g_i, g_i from Gumbel(0, 1); softmax: beta s_i + g_i; softrank: -beta ln rank_i + g_i

    Attributes:
        score: what ``bald`` says, or how uncertain one prediction is: ``entropy``, ``margin`` 1 - p(1) + p(2).
        noise: how it is drawn.
        beta: the larger, the more surely the best are drawn.
        t: number of passes with dropout.
    """

    score: Literal["bald", "entropy", "margin"] = "bald"
    noise: Literal["power", "softmax", "softrank"] = "power"
    beta: Annotated[float, Ge(0)] = 1.0  # Kirsch et al. 2023
    t: Annotated[int, Gt(0)] = 20  # Kirsch et al. 2023

    @property
    def needs_dropout(self) -> bool:
        """Whether the score is that of passes with dropout."""
        return self.score == "bald"

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order drawn. Labels are not looked at.

        Raises:
            InvalidInput: ``bald`` of a pool that has no model.
        """
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        left = pool.unlabelled
        if self.score == "bald":
            scores = disagreement(dropout_passes(pool, self.t), left)
        else:
            scores = uncertainties(pool.probabilities[left].astype(np.float64), self.score)
        noisy = self._weighed(scores) + rng.gumbel(size=len(left))
        return left[np.argsort(-noisy, kind="stable")[:budget]]

    def _weighed(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.noise == "softmax":
            return self.beta * scores
        if self.noise == "softrank":
            ranks = np.empty(len(scores))
            ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
            return -self.beta * np.log(ranks)
        weighed = np.full(len(scores), -np.inf)
        weighed[scores > 0] = self.beta * np.log(scores[scores > 0])
        return weighed
