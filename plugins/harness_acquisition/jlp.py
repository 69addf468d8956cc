"""Joint label propagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from harness.errors import InvalidInput
from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.protocols import Ids, PoolView


@dataclass(frozen=True)
class JointLabelPropagation:
    """Example that the labelled set reaches least on the k-NN graph, again and again (thesis eq. 3.11-3.12).

    The reciprocal graph of the features (k = 50, cubed similarity), labels spread by the regularised Laplacian; a pick
    counts as labelled at once. The picks are those of a solve after every pick. Needs at least one label.
    O(budget n k) time an iteration of the solver, in groups of columns; O(n (k + 256)) memory.

    Attributes:
        alpha: how far labels spread.
        tol: relative residual of the solves.
    """

    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # thesis §3.5.2
    tol: Annotated[float, Gt(0)] = 1e-10

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order picked; equal scores by position."""
        from harness.graph import joint_selection

        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        if len(pool.labelled) == 0:
            raise InvalidInput("jlp needs at least one labelled example", fix="label a first set with another method")
        return joint_selection(pool.affinity, pool.labelled, pool.unlabelled, budget, alpha=self.alpha, tol=self.tol)[0]
