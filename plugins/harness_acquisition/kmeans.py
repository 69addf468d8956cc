"""Centres of clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt

from harness_acquisition.budget import spendable
from harness_acquisition.coreset import exact_distances

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

_CENTROIDS = 64
"""Centroids compared with all points at once."""
_ROWS = 1024
"""Points compared with a centroid in float64 at once."""


@dataclass(frozen=True)
class KMeans:
    """The example nearest to the middle of each of ``budget`` clusters (Zhdanov 2019, without weights).

    k-means on the features of the unlabelled examples. In the order of the clusters; an example that is taken already
    is passed over. O(n d budget iterations) time, O(n d) memory.

    Formula:
        centres c = argmin sum_(i in U) min_j |z_i - c_j|^2, j = 1, ..., b
        argmin_(i in U) |z_i - c_j| for each j

    Attributes:
        iterations: of k-means.
    """

    iterations: Annotated[int, Gt(0)] = 10  # DeepCluster, released code of the thesis

    cold_start = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, one a cluster; equally near ones by position. Labels are not looked at."""
        from harness.search import k_means

        budget = spendable(pool, budget)
        if budget in (0, len(pool.unlabelled)):
            return pool.unlabelled[:budget].copy()
        points = pool.features[pool.unlabelled]
        points -= np.median(points[:: max(1, len(points) // 101)], axis=0)  # float32 has most digits there
        centroids, _ = k_means(points, budget, int(rng.integers(2**31)), self.iterations)
        return pool.unlabelled[nearest_unused(points, centroids)]


def one_a_cluster(pool: PoolView, places: Ids, budget: int, rng: np.random.Generator, iterations: int) -> Ids:
    """Of some candidates at unit length, the one nearest to the middle of each of ``budget`` clusters.

    Args:
        pool: its unlabelled examples are chosen from.
        places: of the candidates among the unlabelled examples; if there are too few, others follow as drawn.
        budget: how many, at most the unlabelled examples.
        rng: draws the others, or the start of k-means.
        iterations: of k-means.
    """
    from harness.search import k_means, unit_rows

    left = pool.unlabelled
    if len(places) <= budget:
        others = rng.permutation(np.setdiff1d(np.arange(len(left)), places))
        places = np.concatenate([places, others[: budget - len(places)]])
        return left[places].copy()
    points: Floats = unit_rows(pool.features[left[places]])
    centroids, _ = k_means(points, budget, int(rng.integers(2**31)), iterations)
    picks: Ids = left[places[nearest_unused(points, centroids)]]
    return picks


def nearest_unused(points: Floats, centroids: Floats) -> Ids:
    """Place of the point nearest to each centroid (in turn) among those not yet used; equal ones by place.

    Exact: float32 products rule out most points, float64 distances decide.
    """
    norms = np.einsum("ij,ij->i", points, points)
    error = (points.shape[1] + 10) * float(np.finfo(np.float32).eps)
    above, below = norms * (1 + error), norms * (1 - error)
    used = np.zeros(len(points), dtype=bool)
    result = np.empty(len(centroids), dtype=np.int64)
    for start in range(0, len(centroids), _CENTROIDS):
        block = centroids[start : start + _CENTROIDS]
        products = -2 * block @ points.T
        for place, (centroid, row) in enumerate(zip(block, products, strict=True), start):
            slack = 2 * error * float(centroid @ centroid)
            row[used] = np.inf
            likely = np.flatnonzero(row + below <= (row + above).min() + slack)
            result[place] = _nearest(points, likely, centroid)
            used[result[place]] = True
    return result


def _nearest(points: Floats, likely: Ids, centroid: Floats) -> int:
    best, least = -1, np.inf
    for start in range(0, len(likely), _ROWS):
        part = likely[start : start + _ROWS]
        distances = exact_distances(points, part, centroid)
        if distances.min() < least:
            best, least = int(part[np.argmin(distances)]), float(distances.min())
        if least == 0:  # duplicates can be many
            break
    return best
