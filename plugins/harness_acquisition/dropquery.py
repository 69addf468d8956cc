"""Examples whose prediction a few lost features change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Gt, Lt

from harness.core.errors import InvalidInput
from harness_acquisition.budget import spendable
from harness_acquisition.kmeans import one_a_cluster

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, LinearHead, PoolView

_ROWS = 8192
_ENOUGH = 25
"""Candidates for each pick, below which the released code asks for less disagreement."""


@dataclass(frozen=True)
class DropQuery:
    """Centres of clusters of the examples whose predicted class changes when features are dropped (Gupte et al. 2024).

    ``passes`` times a share ``rate`` of the features of each example is set to 0, the others grow by 1 / (1 - rate),
    and the model's last layer predicts again. Candidates are the examples that more than half of the passes predict
    otherwise; of them, at unit length, k-means finds b clusters, and each gives the example nearest to its middle. Too
    few candidates: all of them, and others at random. Needs a linear last layer (``PoolView.head``).
    O(passes n d c) and O(m d b iterations) time for m candidates, O(nd) memory.

    Formula:
        C = {i in U: |{m: argmax h(drop_m(z_i)) != argmax h(z_i)}| > passes / 2}
        argmin_(i in C) |z_i / |z_i| - c_j| for each centre c_j of k-means on C, j = 1, ..., b

    Attributes:
        passes: predictions with dropped features.
        rate: share of the features that are dropped.
        iterations: of k-means.
        preset: ``released-code`` also takes examples that fewer passes predict otherwise, down to one, until there are
            25 candidates for each pick; ``paper`` and ``recommended`` do not.
    """

    passes: Annotated[int, Gt(0)] = 3  # Gupte et al. 2024, released code
    rate: Annotated[float, Gt(0), Lt(1)] = 0.75  # Gupte et al. 2024
    iterations: Annotated[int, Gt(0)] = 100  # Gupte et al. 2024, released code
    preset: Literal["recommended", "paper", "released-code"] = "recommended"

    needs_head = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions: one a cluster, or all candidates in order and then others as drawn.

        Raises:
            InvalidInput: the last layer of the model is not linear.
        """
        budget, left = spendable(pool, budget), pool.unlabelled
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        mismatches = changes(head_of(pool), pool.features[left], self.passes, self.rate, rng)
        places = self._candidates(mismatches, budget)
        return one_a_cluster(pool, places, budget, rng, self.iterations)

    def _candidates(self, mismatches: Ids, budget: int) -> Ids:
        threshold = self.passes // 2
        while self.preset == "released-code" and threshold and (mismatches > threshold).sum() < _ENOUGH * budget:
            threshold -= 1
        return np.flatnonzero(mismatches > threshold)


def changes(head: LinearHead, features: Floats, passes: int, rate: float, rng: np.random.Generator) -> Ids:
    """In how many passes dropped features change the predicted class, (n,)."""
    result = np.zeros(len(features), dtype=np.int64)
    for start in range(0, len(features), _ROWS):
        rows = features[start : start + _ROWS]
        predicted = head(rows).argmax(axis=1)
        for _ in range(passes):
            kept = rng.random(rows.shape, dtype=np.float32) >= rate
            dropped = rows * kept / np.float32(1 - rate)
            result[start : start + _ROWS] += head(dropped).argmax(axis=1) != predicted
    return result


def head_of(pool: PoolView) -> LinearHead:
    """The last layer of the pool's model. Raises ``InvalidInput`` where there is none that is linear."""
    if pool.head is None:
        raise InvalidInput(
            "this pool shows no linear last layer on its features", fix="learning: logistic or supervised"
        )
    return pool.head
