"""Greedy k-center."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness_acquisition.budget import require_budget

if TYPE_CHECKING:
    from harness.protocols import Floats, Ids, PoolView


@dataclass(frozen=True)
class CoreSet:
    """Greedy k-center: the example farthest from all labelled ones, again and again (thesis eq. 3.4).

    Sener and Savarese 2018. The picks are those of float64 brute force: Euclidean distance, ties to the lowest
    position. Without any label the first pick is the example nearest to the mean. O(nd(labelled + budget)) time at
    worst, O(n) memory beside the features; most examples are looked at a few times only, in matrix products.
    """

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order in which the cover grows."""
        require_budget(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        features, candidates = pool.features, pool.unlabelled
        picks: list[int] = []
        if len(pool.labelled) == 0:
            distances = exact_distances(features, candidates, features.mean(axis=0, dtype=np.float64))
            picks.append(int(candidates[np.argmin(distances)]))
        greedy = _Greedy(features, candidates, np.concatenate([pool.labelled, picks]).astype(np.int64))
        return np.array(picks + greedy.picks(budget - len(picks)), dtype=np.int64)


def exact_distances(features: Floats, rows: Ids, point: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared distances (len(rows),) to one point, in float64, in blocks: what decides between two examples."""
    result = np.empty(len(rows))
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        result[start : start + _ROWS] = ((features[part].astype(np.float64) - point) ** 2).sum(axis=1)
    return result


_ROWS = 1024
"""Rows of features handled at once: their products with a thousand centres stay in the cache."""
_FRONT = 1024
"""Examples kept up to date after every pick, at first."""


class _Greedy:
    """Farthest-first traversal that touches few examples a pick.

    A distance to the labelled set only falls. So an old distance is an upper bound, and while the farthest example of
    a *front* (the largest bounds, kept exact) lies beyond every bound outside, it is the farthest of all. When it does
    not, all bounds are renewed in one matrix product with the centres picked meanwhile, and a new front is taken.
    Bounds are float32 with their rounding error allowed for; what decides is float64.
    """

    def __init__(self, features: Floats, candidates: Ids, centres: Ids) -> None:
        self.features, self.candidates = features, candidates
        self.centres = centres
        self.norms = np.einsum("ij,ij->i", features, features, dtype=np.float64)
        dimension = features.shape[1]
        # Rounding of |x|^2 + |c|^2 - 2xc in float32: at most this, whatever the order of the sums.
        self.error = 4 * (dimension + 8) * np.finfo(np.float32).eps / 2 * float(self.norms.max())
        self.bounds = np.full(len(candidates), np.inf, dtype=np.float32)
        self.renewed = 0

    def picks(self, budget: int) -> list[int]:
        picked: list[int] = []
        size = _FRONT
        while len(picked) < budget:
            self._renew()
            front, outside = self._front(size)
            found = self._from_front(front, outside, budget - len(picked))
            picked += found
            # A front that cannot be told from what lies outside is too small; in the end it holds everything.
            size = size if found else size * 4
        return picked

    def _renew(self) -> None:
        """Upper bounds of all candidates against the centres that they have not seen."""
        new = self.centres[self.renewed :]
        for start in range(0, len(self.candidates), _ROWS):
            part = slice(start, start + _ROWS)
            nearest = self._nearest(self.candidates[part], new)
            self.bounds[part] = np.minimum(self.bounds[part], nearest)
        self.renewed = len(self.centres)

    def _front(self, size: int) -> tuple[Ids, float]:
        """Places (ascending) of the largest bounds, and what no example outside them can exceed."""
        free = self.bounds > -np.inf
        if size >= np.count_nonzero(free):
            return np.flatnonzero(free), -np.inf
        least = np.partition(self.bounds, len(free) - size)[len(free) - size]
        inside = self.bounds >= least
        outside = self.bounds[~inside]
        return np.flatnonzero(inside), float(outside.max(initial=-np.inf)) + self.error

    def _from_front(self, front: Ids, outside: float, budget: int) -> list[int]:
        rows = self.candidates[front]
        vectors, norms = self.features[rows], self.norms[rows]
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
            near = norms + self.norms[centre] - 2 * (vectors @ self.features[centre])
            closer = np.flatnonzero(near < distances + self.error)
            exact = ((vectors[closer].astype(np.float64) - self.features[centre]) ** 2).sum(axis=1)
            distances[closer] = np.minimum(distances[closer], exact)
        self.centres = np.concatenate([self.centres, np.array(picked, dtype=np.int64)])
        return picked

    def _exact_minimum(self, rows: Ids) -> NDArray[np.float64]:
        """Distance of each row to its nearest centre: only centres that float32 cannot rule out are looked at."""
        result = np.empty(len(rows))
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            least = np.full(len(part), np.inf, dtype=np.float32)
            for centres in np.array_split(self.centres, 1 + len(self.centres) // _ROWS):
                least = np.minimum(least, self._nearest(part, centres))
            exact = np.full(len(part), np.inf)
            for centres in np.array_split(self.centres, 1 + len(self.centres) // _ROWS):
                near = self._approximate(part, centres) <= (least + 2 * self.error)[:, None]
                row, centre = np.nonzero(near)
                for block in range(0, len(row), _ROWS):
                    r, c = row[block : block + _ROWS], centres[centre[block : block + _ROWS]]
                    difference = self.features[part[r]].astype(np.float64) - self.features[c]
                    np.minimum.at(exact, r, (difference**2).sum(axis=1))
            result[start : start + _ROWS] = exact
        return result

    def _nearest(self, rows: Ids, centres: Ids) -> NDArray[np.float32]:
        """Squared distance (rows,) to the nearest of these centres in float32; |x|^2 is added after the minimum."""
        if len(centres) == 0:
            return np.full(len(rows), np.inf, dtype=np.float32)
        products = self.features[rows] @ (-2 * self.features[centres]).T
        products += self.norms[centres].astype(np.float32)
        least: NDArray[np.float32] = products.min(axis=1) + self.norms[rows].astype(np.float32)
        return least

    def _approximate(self, rows: Ids, centres: Ids) -> NDArray[np.float32]:
        """Squared distances (rows, centres) in float32."""
        products = self.features[rows] @ self.features[centres].T
        products *= -2
        products += self.norms[rows].astype(np.float32)[:, None]
        products += self.norms[centres].astype(np.float32)[None, :]
        return products
