"""An acquisition function for vision-evaluation-harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class MyMethod:
    """Examples for which ``top`` classes are about as probable as each other (say here who invented it, and when).

    Formula:
        the smallest p_(1) - p_(top), where p_(k) is the k-th largest class probability

    Attributes:
        top: how many of the most probable classes are looked at.
    """

    top: Annotated[int, Gt(1)] = 3

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """Choose which examples to label next.

        Args:
            pool: ``features`` (n, d) float32; ``probabilities`` (n, c) float32; ``labels`` (n,) int64, -1 where not
                labelled; ``labelled`` and ``unlabelled``, ascending int64 positions. All are read-only.
            budget: how many to choose; if fewer are left, all of them.
            rng: the only source of randomness that is allowed.

        Returns:
            (min(budget, len(unlabelled)),) int64: positions from ``unlabelled``, each once, in the order acquired.
        """
        descending = -np.sort(-pool.probabilities[pool.unlabelled], axis=1)
        gaps = descending[:, 0] - descending[:, min(self.top, descending.shape[1]) - 1]
        # A stable sort: of equal gaps the lowest position comes first, on every machine.
        return pool.unlabelled[np.argsort(gaps, kind="stable")[:budget]]
