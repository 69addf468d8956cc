"""Disagreement of models that were trained apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from harness_acquisition.bald import disagreement
from harness_acquisition.budget import largest, spendable
from harness_acquisition.entropy import entropies
from harness_acquisition.variation_ratio import vote_shares

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView


@dataclass(frozen=True)
class Committee:
    """Most disagreement between models that were trained apart (Beluch et al. 2018).

    Each member starts from initial weights of its own and learns from all labels, or with ``bootstrap`` from those that
    a draw of as many with replacement contains, for heads that training always brings to the same weights, as
    ``logistic``. A vote goes to the most probable class, the lowest of equal ones. Where a pool trains no models passes
    with dropout stand for the members. Costs ``members`` trainings a cycle; O(members n c) time and memory beside.

    Formula:
        variation-ratio: the b largest 1 - (votes of the most frequent class) / T; vote-entropy: H(shares of the votes)
        consensus-entropy: H(mean_m p_m); kl: mean_m KL(p_m || mean p) = H(mean_m p_m) - mean_m H(p_m)

    Attributes:
        measure: of the disagreement.
        members: number of models T.
        bootstrap: whether each member has its own draw of the labels.
    """

    measure: Literal["variation-ratio", "vote-entropy", "consensus-entropy", "kl"] = "variation-ratio"
    members: Annotated[int, Gt(1)] = 5  # Beluch et al. 2018
    bootstrap: bool = False

    deviations: ClassVar[dict[str, str]] = {
        "position-independent": "with few members many examples have equal votes, and positions decide among them"
    }

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions by falling disagreement; equal ones by position.

        Raises:
            InvalidInput: the pool has no model, or its members all say the same.
        """
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        said = pool.members(self.members, self.bootstrap)
        return largest(measured(said, pool.unlabelled, self.measure), pool.unlabelled, budget)


def measured(said: Floats, rows: Ids, measure: str) -> NDArray[np.float64]:
    """The disagreement (len(rows),) of members (t, n, c)."""
    if measure == "kl":
        return disagreement(said, rows)
    if measure == "consensus-entropy":
        return entropies(said[:, rows].mean(axis=0, dtype=np.float64))
    shares = vote_shares(said, rows)
    return 1 - shares.max(axis=1) if measure == "variation-ratio" else entropies(shares)
