"""Greedy k-center."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView


@dataclass(frozen=True)
class CoreSet:
    """Example farthest from all labelled ones, again and again: greedy k-center (Sener, Savarese 2018; thesis eq. 3.4).

    The picks are those of float64 brute force: Euclidean distance, ties to the lowest
    position. Without any label the first pick is the example nearest to the mean. O(nd(labelled + budget)) time at
    worst, O(n) memory beside the features; most examples are looked at a few times only, in matrix products.

    Formula:
        argmax_(i in U) min_(j in L) |z_i - z_j|, b times, each pick joining L
    """

    cold_start = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order in which the cover grows."""
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        features, candidates = pool.features, pool.unlabelled
        picks: list[int] = []
        if len(pool.labelled) == 0:
            distances = exact_distances(features, candidates, features.mean(axis=0, dtype=np.float64))
            picks.append(int(candidates[np.argmin(distances)]))
            candidates = np.setdiff1d(candidates, picks)
        greedy = FarthestFirst(features, candidates, np.concatenate([pool.labelled, picks]).astype(np.int64))
        return np.array(picks + greedy.picks(budget - len(picks)), dtype=np.int64)


def exact_distances(features: Floats, rows: Ids, point: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared distances (len(rows),) to one point, in float64, in blocks: what decides between two examples."""
    result = np.empty(len(rows))
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        result[start : start + _ROWS] = ((features[part].astype(np.float64) - point) ** 2).sum(axis=1)
    return result


_ROWS = 1024
"""Rows of features handled at once: their products with the centres stay in the cache."""
_CENTRES = 512
"""Centres that a block of rows is compared with at once."""
_FRONT = 1024
"""Examples kept up to date after every pick, at first."""


class FarthestFirst:
    """Farthest-first traversal of ``candidates`` from ``centres`` (positions) that touches few examples a pick.

    A distance to the labelled set only falls. So an old distance is an upper bound, and while the farthest example of
    a *front* (the largest bounds, kept exact) lies beyond every bound outside, it is the farthest of all. When it does
    not, a new front is taken: bounds are renewed in matrix products, largest first, until the largest are all new.
    Bounds are float32 with their rounding error on the safe side; what decides is float64.
    """

    def __init__(self, features: Floats, candidates: Ids, centres: Ids) -> None:
        self.features, self.candidates, self.centres = features, candidates, centres
        # Far from the origin float32 products lose digits: a point in the middle, whatever the outliers, is better.
        self.middle = np.median(features[:: max(1, len(features) // 101)], axis=0).astype(np.float32)
        norms = exact_distances(features, np.arange(len(features)), self.middle)
        largest = float(norms.max(initial=0.0))
        fits = largest == 0 or 1e-30 < largest < 1e30
        self.dtype: np.dtype[Any] = np.dtype(np.float32 if fits else np.float64)
        # |x|^2 + |c|^2 - 2xc is wrong by at most half of this share of |x|^2 + |c|^2, whatever the order of the sums.
        error = (2 * features.shape[1] + 20) * np.finfo(self.dtype).eps / 2
        self.above, self.below = (norms * (1 + error)).astype(self.dtype), (norms * (1 - error)).astype(self.dtype)
        self.bounds = np.full(len(candidates), np.inf, dtype=self.dtype)
        self.seen = np.zeros(len(candidates), dtype=np.int64)

    def picks(self, budget: int) -> list[int]:
        """The first ``budget`` candidates (at most all of them), farthest first; to be called once."""
        picked: list[int] = []
        size = _FRONT
        while len(picked) < budget:
            front, outside = self._front(size)
            found = self._from_front(front, outside, budget - len(picked))
            picked += found
            # A front that cannot be told from what lies outside is too small; in the end it holds everything.
            size = size if found else size * 4
        return picked

    def _front(self, size: int) -> tuple[Ids, float]:
        """Places (ascending) of the largest bounds, and what no example outside them can exceed."""
        while True:
            free = self.bounds > -np.inf
            everything = size >= np.count_nonzero(free)
            inside = free if everything else self.bounds >= np.partition(self.bounds, -size)[-size]
            stale = np.flatnonzero(inside & (self.seen < len(self.centres)))
            if len(stale) == 0:
                return np.flatnonzero(inside), float(self.bounds[~inside].max(initial=-np.inf))
            self._renew(stale)

    def _renew(self, places: Ids) -> None:
        """Compare candidates with the next centres that they have not seen."""
        seen = self.seen[places]
        for first in np.unique(seen):
            centres = self.centres[first : first + _CENTRES]
            for part in _blocks(places[seen == first]):
                rows = self.candidates[part]
                nearest = self._bounds(rows, centres, self.above).min(axis=1) + self.above[rows]
                self.bounds[part] = np.minimum(self.bounds[part], nearest)
                self.seen[part] += len(centres)

    def _from_front(self, front: Ids, outside: float, budget: int) -> list[int]:
        rows = self.candidates[front]
        vectors, below = self._vectors(rows), self.below[rows]
        distances = self._exact_minimum(rows)
        picked: list[int] = []
        while len(picked) < budget:
            place = int(np.argmax(distances))
            if not distances[place] > outside:
                break
            centre = int(rows[place])
            picked.append(centre)
            self.bounds[front[place]] = -np.inf  # never again
            distances[place] = -np.inf
            near = below + self.below[centre] - 2 * (vectors @ vectors[place])
            closer = np.flatnonzero((near < distances) & (distances > 0))
            distances[closer] = np.minimum(distances[closer], self._exact(rows[closer], np.full(len(closer), centre)))
        self.centres = np.concatenate([self.centres, np.array(picked, dtype=np.int64)])
        return picked

    def _exact_minimum(self, rows: Ids) -> NDArray[np.float64]:
        """Distance of each row to its nearest centre: only centres that the bounds cannot rule out are looked at."""
        result = np.full(len(rows), np.inf)
        for start in range(0, len(self.centres), _CENTRES):
            centres = self.centres[start : start + _CENTRES]
            for part in _blocks(np.arange(len(rows))):
                below = self._bounds(rows[part], centres, self.below)
                likely = self._exact(rows[part], centres[below.argmin(axis=1)])
                result[part] = np.minimum(result[part], likely)
                # Duplicates have many nearest centres; one at distance 0 is enough.
                least = np.where(result[part] > 0, result[part] - self.below[rows[part]], -np.inf)
                row, centre = np.nonzero(below < least[:, None])
                np.minimum.at(result, part[row], self._exact(rows[part[row]], centres[centre]))
        return result

    def _exact(self, rows: Ids, centres: Ids) -> NDArray[np.float64]:
        """Squared distance of each row to its centre, as ``exact_distances`` has it."""
        result = np.empty(len(rows))
        for part in _blocks(np.arange(len(rows))):
            difference = self.features[rows[part]].astype(np.float64) - self.features[centres[part]]
            result[part] = (difference**2).sum(axis=1)
        return result

    def _bounds(self, rows: Ids, centres: Ids, norms: NDArray[np.floating]) -> NDArray[np.floating]:
        """Bounds (rows, centres) of the squared distances less the norm of the row; above or below as the norms are."""
        products = self._vectors(rows) @ (-2 * self._vectors(centres)).T
        products += norms[centres]
        return products

    def _vectors(self, rows: Ids) -> NDArray[np.floating]:
        vectors = self.features[rows].astype(self.dtype, copy=False)
        vectors -= self.middle
        return vectors


def _blocks(places: Ids) -> Iterator[Ids]:
    for start in range(0, len(places), _ROWS):
        yield places[start : start + _ROWS]
