"""Centres of clusters of what is uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt

from harness_acquisition.budget import spendable
from harness_acquisition.entropy import entropies
from harness_acquisition.kmeans import nearest_unused
from harness_acquisition.uncertainty_herding import tempered

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class Clue:
    """``kmeans`` in which an example weighs as much as the entropy of its prediction (Prabhu et al. 2021).

    Where all predictions are certain all weigh the same. In the order of the clusters; an example that is taken already
    is passed over. O(n d budget iterations) time, O(nd) memory.

    Formula:
        centres c = argmin sum_(i in U) H(p_i) min_j |z_i - c_j|^2, j = 1, ..., b
        argmin_(i in U) |z_i - c_j| for each j

    Attributes:
        temperature: of the probabilities: above 1 they are more alike.
        iterations: of k-means.
    """

    temperature: Annotated[float, Gt(0)] = 1.0
    iterations: Annotated[int, Gt(0)] = 20

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, one a cluster; equally near ones by position. Labels are not looked at."""
        from harness.search import k_means

        budget = spendable(pool, budget)
        if budget in (0, len(pool.unlabelled)):
            return pool.unlabelled[:budget].copy()
        points = pool.features[pool.unlabelled]
        points -= np.median(points[:: max(1, len(points) // 101)], axis=0)  # float32 has most digits there
        weights = entropies(tempered(pool.probabilities[pool.unlabelled].astype(np.float64), self.temperature))
        centroids, _ = k_means(points, budget, int(rng.integers(2**31)), self.iterations, weights)
        return pool.unlabelled[nearest_unused(points, centroids)]
