"""Disagreement of the votes of dropout passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from harness_acquisition.bald import dropout_passes
from harness_acquisition.budget import largest, spendable

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView


@dataclass(frozen=True)
class VariationRatio:
    """Most passes with dropout that vote against the majority (Freeman 1965; Gal et al. 2017).

    Each pass votes for its most probable class, the lowest of equal ones. With few passes many examples are equal, and
    the lowest positions of an order drawn by the seed win. Needs a model. O(t n c) time and memory.

    Formula:
        the b largest 1 - (votes of the most frequent class) / t, over t passes with dropout

    Attributes:
        t: number of passes.
    """

    t: Annotated[int, Gt(1)] = 20

    needs_dropout = True
    deviations: ClassVar[dict[str, str]] = {
        "position-independent": "with few passes many examples have equal votes, and positions decide among them"
    }

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by falling score; equal ones by position.

        Raises:
            InvalidInput: the pool has no model, or its passes have the wrong shape.
        """
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        shares = vote_shares(dropout_passes(pool, self.t), pool.unlabelled)
        return largest(1 - shares.max(axis=1), pool.unlabelled, budget)


def vote_shares(said: Floats, rows: Ids) -> NDArray[np.float64]:
    """Shares (len(rows), c) of voters (t, n, c) that find each class the most probable one."""
    votes = said[:, rows].argmax(axis=2)
    return np.stack([(votes == k).mean(axis=0) for k in range(said.shape[2])], axis=1)
