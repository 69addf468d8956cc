"""Diverse gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

_PENDING = 64
"""Picks, or refused draws, after which all distances are renewed."""
_ROWS = 4096
"""Rows renewed at once: their products with the pending picks stay in the cache."""


@dataclass(frozen=True)
class Badge:
    """k-means++ over the gradients of the last layer: uncertain and diverse (Ash et al. 2020).

    The gradient of an example is ``g = (p - onehot(argmax p)) (x) z`` in R^(cd), p its probabilities and z its
    features. The first pick has the longest one; each other is drawn in proportion to the squared distance from its
    gradient to the nearest one picked. Examples whose gradients are all picked already are drawn uniformly.
    Gradients are never written down: <g_i, g_j> = <q_i, q_j><z_i, z_j>. O(n (c + d) budget) time in matrix products,
    O(n (c + d)) memory. Distances that float32 cannot tell from 0 are 0.

    Formula:
        g_i = (p_i - onehot(argmax p_i)) (x) z_i
        P(i) proportional to min_(j picked) |g_i - g_j|^2; first argmax_i |g_i|
    """

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order drawn. Labels are not looked at."""
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        seeding = _Seeding(pool.probabilities[pool.unlabelled], pool.features[pool.unlabelled])
        while len(seeding.picks) < budget and seeding.total > 0:
            seeding.draw(rng)
        rest = np.setdiff1d(np.arange(len(pool.unlabelled)), seeding.picks)
        drawn = rng.choice(rest, budget - len(seeding.picks), replace=False)
        order = np.concatenate([np.array(seeding.picks, dtype=np.int64), drawn])
        picks: Ids = pool.unlabelled[order]
        return picks


class _Seeding:
    """k-means++ by rejection, which draws exactly as it should without every distance being new.

    A squared distance only falls. An example is drawn in proportion to distances of some picks ago and kept with the
    chance that its true one, found for it alone, is of the old one. All are renewed in matrix products now and then.
    """

    def __init__(self, probabilities: Floats, features: Floats) -> None:
        self.q = probabilities  # becomes p - onehot(argmax p); both arguments are this object's own
        self.q[np.arange(len(self.q)), self.q.argmax(axis=1)] -= 1
        self.z = features
        # Only ratios matter, and squares of extreme numbers are no float32.
        for part in (self.q, self.z):
            part /= max(float(np.abs(part).max(initial=0)), float(np.finfo(np.float32).tiny))
        self.norms = _squares(self.q) * _squares(self.z)
        self.zero = (2 * (self.q.shape[1] + self.z.shape[1]) + 20) * float(np.finfo(np.float32).eps)
        first = int(np.argmax(self.norms))
        self.picks, self.pending, self.refused = [first], [first], 0
        self.distances = np.full(len(self.norms), np.inf)
        self._renew()

    def draw(self, rng: np.random.Generator) -> None:
        """One draw, which adds a pick or is refused."""
        place, chance = rng.random(2)
        row = min(int(np.searchsorted(self.sums, place * self.total, side="right")), len(self.sums) - 1)
        if chance * self.distances[row] < min(self.distances[row], self._nearest(slice(row, row + 1))[0]):
            self.picks.append(row)
            self.pending.append(row)
        else:
            self.refused += 1
        if len(self.pending) + self.refused >= _PENDING:
            self._renew()

    def _renew(self) -> None:
        """Bring all distances up to date, and with them their running sums."""
        for start in range(0, len(self.norms), _ROWS):
            rows = slice(start, start + _ROWS)
            np.minimum(self.distances[rows], self._nearest(rows), out=self.distances[rows])
        self.sums = np.cumsum(self.distances)
        self.total, self.pending, self.refused = float(self.sums[-1]), [], 0

    def _nearest(self, rows: slice) -> NDArray[np.float64]:
        """Squared distance of each gradient to the nearest pending one."""
        if not self.pending:
            return self.distances[rows]
        products = self.q[rows] @ (-2 * self.q[self.pending]).T
        products *= self.z[rows] @ self.z[self.pending].T
        products += self.norms[self.pending].astype(np.float32)
        nearest: NDArray[np.float64] = products.min(axis=1) + self.norms[rows]
        nearest[nearest <= self.zero * self.norms[rows]] = 0
        return nearest


def _squares(rows: Floats) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return result
