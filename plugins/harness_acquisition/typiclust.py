"""Typical examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

_ROWS = 1024
"""Rows whose neighbours are compared at once in float64."""


@dataclass(frozen=True)
class TypiClust:
    """The most typical example of each cluster that has no label yet (Hacohen et al. 2022).

    k-means over all examples into min(labelled + budget, ``clusters``) groups. Groups are visited again and again, the
    least labelled first, then the largest; each gives its most typical unlabelled example: the largest
    ``1 / (mean distance to the nearest neighbours + 1e-5)``, within the unlabelled examples of the group. Groups of
    up to ``small`` examples wait until the others are empty.
    O(n d clusters iterations) time, and O(m^2 d) a pick from a group of m; O(nd) memory.

    Formula:
        argmax over unlabelled i of cluster C of 1 / (mean_(j in N(i)) |z_i - z_j| + 1e-5)

    Attributes:
        clusters: the most groups.
        neighbours: the most neighbours; of a smaller group half of it.
        small: size up to which a group comes last.
        iterations: of k-means.
        preset: ``released-code`` takes the mean of the squared distances, as the authors' code does; the paper and
            ``recommended`` that of the distances.
    """

    clusters: Annotated[int, Gt(0)] = 500  # Hacohen et al. 2022, released code
    neighbours: Annotated[int, Gt(0)] = 20  # Hacohen et al. 2022, released code
    small: Annotated[int, Ge(0)] = 5  # Hacohen et al. 2022, released code
    iterations: Annotated[int, Gt(0)] = 20
    preset: Literal["recommended", "released-code"] = "recommended"

    cold_start = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order of the visits; equally typical ones by position."""
        from harness.search import k_means

        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        k = min(len(pool.labelled) + budget, self.clusters)
        _, cluster = k_means(pool.features, k, int(rng.integers(2**31)), self.iterations)
        groups = _members(cluster, pool.unlabelled, k)
        picks: list[int] = []
        squared = self.preset == "released-code"
        for turns in self._turns(cluster, pool.labelled, k):
            while len(picks) < budget and any(len(groups[group]) for group in turns):
                for group in turns:
                    if len(groups[group]) and len(picks) < budget:
                        place = int(np.argmax(typicality(pool.features[groups[group]], self.neighbours, squared)))
                        picks.append(int(groups[group][place]))
                        groups[group] = np.delete(groups[group], place)
        return np.array(picks, dtype=np.int64)

    def _turns(self, cluster: Ids, labelled: Ids, k: int) -> tuple[Ids, Ids]:
        """Groups in the order of their visits: the large ones, and then the small ones."""
        sizes = np.bincount(cluster, minlength=k)
        labels = np.bincount(cluster[labelled], minlength=k)
        order = np.lexsort((np.arange(k), -sizes, labels))
        return order[sizes[order] > self.small], order[sizes[order] <= self.small]


def typicality(features: Floats, neighbours: int, squared: bool = False) -> NDArray[np.float64]:
    """``1 / (mean Euclidean distance to the nearest neighbours + 1e-5)`` of each row (m, d) among the others.

    With ``squared`` the mean is that of the squared distances. ``neighbours`` are taken, half of m if that is fewer, at
    least one. A row alone is typical.
    """
    import faiss

    from harness.search import own_entries

    m = len(features)
    k = min(neighbours, max(1, m // 2))
    if m == 1:
        return np.ones(1)
    _, nearest = faiss.knn(features, features, k + 1)
    others = nearest[~own_entries(nearest, np.arange(m))].reshape(m, k)
    mean = np.empty(m)
    for start in range(0, m, _ROWS):
        rows = slice(start, start + _ROWS)
        distances = np.zeros(others[rows].shape)
        for column, near in enumerate(others[rows].T):
            difference = features[rows].astype(np.float64) - features[near]
            distances[:, column] = (difference**2).sum(axis=1)
        if not squared:
            np.sqrt(distances, out=distances)
        # In order, so that duplicates have the same sum to the last digit.
        mean[rows] = np.sort(distances, axis=1).mean(axis=1)
    result: NDArray[np.float64] = 1 / (mean + 1e-5)  # Hacohen et al. 2022, released code
    return result


def _members(cluster: Ids, unlabelled: Ids, k: int) -> list[Ids]:
    """Unlabelled positions (ascending) of each cluster."""
    order = np.argsort(cluster[unlabelled], kind="stable")
    ends = np.cumsum(np.bincount(cluster[unlabelled], minlength=k))
    return np.split(unlabelled[order], ends[:-1])
