"""Covering balls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

from harness_acquisition.budget import spendable
from harness_acquisition.coreset import FarthestFirst

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

_ROWS = 256
"""Rows compared with all others at once."""
_PAIRS = 25_000_000
"""Pairs of neighbours that are kept: 250 MB, three times that while they are put in order."""
_SAMPLE = 1000
"""Examples on which the purity of balls is measured: its standard error at 0.95 is 0.007."""


@dataclass(frozen=True)
class ProbCover:
    """The example whose ball holds most that no ball holds yet, again and again (Yehuda et al. 2022).

    Balls have radius ``delta`` on L2-normalised features (a row of zeros stays zero); those of labelled examples and
    of picks are covered, and every example covers itself. Once all is covered the example farthest from all labels is
    picked. With ``delta`` 0 it is the largest radius at which a share ``purity`` of the balls holds one cluster only,
    of k-means with as many clusters as classes; measured on at most 1,000 examples drawn by the seed.

    O(n^2 d) time in matrix products. O(nd) memory and the pairs of neighbours, up to 25 million (under 1 GB); if there
    are more none is kept, and the neighbours of an example are found again when it becomes covered: same picks.

    Formula:
        argmax_i |{j not covered: |z_i - z_j| <= delta}|, b times, each pick covering its ball

    Attributes:
        delta: radius, at most 2; 0 chooses it from the features.
        purity: share of pure balls by which the radius is chosen.
        iterations: of k-means.
    """

    delta: Annotated[float, Ge(0), Le(2)] = 0.0
    purity: Annotated[float, Gt(0), Lt(1)] = 0.95  # Yehuda et al. 2022
    iterations: Annotated[int, Gt(0)] = 20

    cold_start = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order in which they cover; ties by position."""
        from harness.search import unit_rows

        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        unit = unit_rows(pool.features)
        delta = self.delta or pure_radius(unit, pool.probabilities.shape[1], self.purity, self.iterations, rng)
        picks = covering(Balls(unit, delta), pool.labelled, pool.unlabelled, budget)
        free = np.setdiff1d(pool.unlabelled, picks)
        farthest = FarthestFirst(unit, free, np.concatenate([pool.labelled, picks]).astype(np.int64))
        return np.array(picks + farthest.picks(budget - len(picks)), dtype=np.int64)


class Balls:
    """Which examples lie nearer than ``delta`` to which, itself included: lists if they fit, products if not."""

    def __init__(self, unit: Floats, delta: float) -> None:
        self.left, self.right = _lifted(unit)
        self.least = np.float32(-(delta**2) / 2)
        self.lists = self._lists()

    def counts(self, rows: Ids) -> Ids:
        """In how many balls of these rows each example lies, (n,) int64."""
        result = np.zeros(len(self.left), dtype=np.int64)
        for start in range(0, len(rows), _ROWS):
            result += np.bincount(self.of(rows[start : start + _ROWS]), minlength=len(result))
        return result

    def of(self, rows: Ids) -> NDArray[np.integer]:
        """The members of the balls of these rows (few), in any order."""
        if self.lists is None:
            near = self.left[rows] @ self.right.T > self.least
            near[np.arange(len(rows)), rows] = True
            return np.flatnonzero(near) % len(self.left)
        return np.concatenate(
            [rows, *(half.indices[half.indptr[row] : half.indptr[row + 1]] for half in self.lists for row in rows)]
        )

    def _lists(self) -> tuple[Any, Any] | None:
        """Sparse (n, n) matrices of the members after each example and of those before; None if they are too many."""
        from scipy.sparse import csr_array

        n, total = len(self.left), 0
        members, lengths = [np.empty(0, dtype=np.int32)], [np.zeros(1, dtype=np.int64)]
        for start in range(0, n, _ROWS):
            rows = self.left[start : start + _ROWS]
            near = rows @ self.right[start:].T > self.least
            near[:, : len(rows)] = np.triu(near[:, : len(rows)], 1)
            places = np.flatnonzero(near)
            total += len(places)
            if total > _PAIRS:
                return None
            members.append((places % near.shape[1] + start).astype(np.int32))
            lengths.append(np.bincount(places // near.shape[1], minlength=len(rows)))
        ends = np.cumsum(np.concatenate(lengths))
        after = csr_array((np.ones(total, dtype=bool), np.concatenate(members), ends), shape=(n, n))
        return after, after.T.tocsr()


def covering(balls: Balls, centres: Ids, candidates: Ids, budget: int) -> list[int]:
    """Greedy cover: at most ``budget`` candidates; fewer when the balls of ``centres`` and of the picks hold all."""
    uncovered = balls.counts(centres) == 0
    gains = balls.counts(np.flatnonzero(uncovered))
    picks: list[int] = []
    while len(picks) < budget and uncovered.any():
        # Whoever is uncovered is a candidate, so that something is gained by every pick.
        best = int(candidates[np.argmax(gains[candidates])])
        ball = balls.of(np.array([best]))
        covered = ball[uncovered[ball]].astype(np.int64)
        uncovered[covered] = False
        picks.append(best)
        if uncovered.any():
            gains -= balls.counts(covered)
    return picks


def pure_radius(unit: Floats, k: int, purity: float, iterations: int, rng: np.random.Generator) -> float:
    """The largest radius at which a share ``purity`` of the balls holds one of ``k`` clusters only; at most 2."""
    from harness.search import k_means

    _, cluster = k_means(unit, min(k, len(unit)), int(rng.integers(2**31)), iterations)
    sample = np.sort(rng.choice(len(unit), min(_SAMPLE, len(unit)), replace=False))
    left, right = _lifted(unit)
    radii = np.empty(len(sample))
    for start in range(0, len(sample), _ROWS):
        rows = sample[start : start + _ROWS]
        products = left[rows] @ right.T
        products[cluster[rows][:, None] == cluster] = -2  # half of the square of the largest distance
        radii[start : start + _ROWS] = np.sqrt(np.maximum(-2 * products.max(axis=1), 0))
    allowed = int((1 - purity) * len(radii) + 1e-9)
    return float(np.sort(radii)[allowed])


def _lifted(unit: Floats) -> tuple[Floats, Floats]:
    """Two matrices (n, d + 2) whose products are minus half the squared distances, also of rows of zeros."""
    half = np.einsum("ij,ij->i", unit, unit)[:, None] / -2
    one = np.ones_like(half)
    return np.hstack([unit, half, one]), np.hstack([unit, one, half])
