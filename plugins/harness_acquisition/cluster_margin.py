"""Small margins from many clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness_acquisition.budget import spendable
from harness_acquisition.margin import negative_margins

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

_ROWS = 1024
"""Examples compared with all means of clusters at once."""


@dataclass(frozen=True)
class ClusterMargin:
    """The smallest margins, taken in turn from the clusters that they lie in (Citovsky et al. 2021).

    All examples are clustered by average linkage into groups of ``mean_size`` on average; of more than ``sample``
    examples so many drawn ones are, and the others join the cluster whose mean is nearest. The ``wide`` times budget
    smallest margins are grouped by cluster, and the groups give one each, the smallest group first, again and again; of
    equally large ones that with the smallest margin. Where features do not change clusters are the same in all cycles.
    The paper cuts the tree at a distance and draws within a group at random; the released code of others that this
    follows takes the smallest margin. O(sample^2 + n sample d / mean_size) time; memory 16 sample^2 bytes and O(nd).

    Formula:
        W = the wide b smallest p_i(1) - p_i(2) in U; one i of W for each cluster, in turn, by rising |W in cluster|

    Attributes:
        wide: how many times the budget is looked at.
        within: which of a group comes first: the smallest ``margin``, or a ``random`` one as in the paper.
        mean_size: examples a cluster, on average.
        sample: the most examples that are linked.
    """

    wide: Annotated[float, Ge(1)] = 1.25  # Citovsky et al. 2021 for CIFAR; 10 for their largest batches
    within: Literal["margin", "random"] = "margin"
    mean_size: Annotated[float, Ge(1)] = 2.0
    sample: Annotated[int, Gt(1)] = 5000

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order of the visits; equal margins by position."""
        budget, p = spendable(pool, budget), pool.probabilities[pool.unlabelled].astype(np.float64)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        margins = -negative_margins(p) if p.shape[1] > 1 else np.zeros(len(p))
        count = max(budget, int(self.wide * budget))  # more than there are: all
        narrow = pool.unlabelled[np.argsort(margins, kind="stable")[:count]]
        cluster = clusters(pool.features, self.mean_size, self.sample)[narrow]
        groups: dict[int, list[int]] = {}
        for position, number in zip(narrow.tolist(), cluster.tolist(), strict=True):
            groups.setdefault(number, []).append(position)
        queues = sorted(groups.values(), key=len)  # stable: they are in the order of their smallest margins
        if self.within == "random":
            queues = [rng.permutation(queue).tolist() for queue in queues]
        rounds = range(len(queues[-1]))
        visits = [queue[turn] for turn in rounds for queue in queues if turn < len(queue)]
        return np.array(visits[:budget], dtype=np.int64)


def clusters(features: Floats, mean_size: float, sample: int) -> Ids:
    """The cluster (n,) of each example: average linkage of up to ``sample`` of them, the others by the nearest mean."""
    n = len(features)
    # The same draw in all cycles; the order of the pool is drawn by the seed.
    linked = np.sort(np.random.default_rng(n).choice(n, sample, replace=False)) if n > sample else np.arange(n)
    own = linkage(features[linked], max(1, int(len(linked) / mean_size)))
    if n == len(linked):
        return own
    counts = np.bincount(own)
    means = np.zeros((len(counts), features.shape[1]))
    np.add.at(means, own, features[linked].astype(np.float64))
    means /= counts[:, None]
    middle = means.mean(axis=0)  # float32 has most digits there
    means -= middle
    half, columns = (means**2).sum(axis=1).astype(np.float32) / 2, means.T.astype(np.float32)
    result = np.empty(n, dtype=np.int64)
    for start in range(0, n, _ROWS):
        rows = (features[start : start + _ROWS] - middle).astype(np.float32)
        result[start : start + _ROWS] = (half - rows @ columns).argmin(axis=1)
    result[linked] = own
    return result


def linkage(points: Floats, k: int) -> Ids:
    """The cluster (m,) of each of the points (m, d) where average linkage leaves ``k`` clusters."""
    from scipy.cluster import hierarchy

    m = len(points)
    parent = np.arange(2 * m - 1)
    if k < m:
        for number, (left, right) in enumerate(hierarchy.average(_pairs(points))[: m - k, :2].astype(np.int64), m):
            parent[left] = parent[right] = number
    for node in range(len(parent) - 1, -1, -1):  # a parent has a larger number
        parent[node] = parent[parent[node]]
    return np.unique(parent[:m], return_inverse=True)[1].astype(np.int64)


def _pairs(points: Floats) -> Floats:
    from scipy.spatial.distance import pdist

    distances: Floats = pdist(points.astype(np.float64))
    return distances
