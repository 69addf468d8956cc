"""Random examples, equally many a class: a reference that sees hidden labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class BalancedRandom:
    """A reference, not a method: a random example of the class with the fewest labels, again and again (this project).

    It sees hidden labels, so it shows what balance of the classes alone is worth: a method that does not beat it may
    owe its gain to that. Classes without an unlabelled example are passed over, the lowest of equal ones comes first.
    Where labels are not shown the predicted classes stand for them. O(n + budget c).

    Formula:
        i drawn uniformly from {i in U: y_i = argmin_c |{j in L: y_j = c}|}, b times, each pick joining L
    """

    cold_start = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, by predicted classes."""
        return self.select_knowing(pool, budget, rng, pool.probabilities.argmax(axis=1))

    def select_knowing(self, pool: PoolView, budget: int, rng: np.random.Generator, labels: Ids) -> Ids:
        """``budget`` unlabelled positions, by the labels (n,) of all examples."""
        budget, free = spendable(pool, budget), pool.unlabelled[rng.permutation(len(pool.unlabelled))]
        classes = pool.probabilities.shape[1]
        waiting = [free[labels[free] == k].tolist() for k in range(classes)]
        counts = np.bincount(pool.labels[pool.labelled], minlength=classes).astype(np.float64)
        picks = np.empty(budget, dtype=np.int64)
        for i in range(budget):
            counts[[not left for left in waiting]] = np.inf
            chosen = int(np.argmin(counts))
            picks[i] = waiting[chosen].pop()
            counts[chosen] += 1
        return picks
