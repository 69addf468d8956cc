"""Greedy cover of a pool under a kernel: what ``max-herding`` and its kin have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.plugin_api import Ids

Kernel = Literal["rbf", "student", "laplace"]
Values = NDArray[np.float64]

_BLOCK: Final = 64
"""Candidates whose bounds are renewed at once after a pick."""
_ROWS: Final = 256
"""Candidates looked at at once at the beginning."""
_VALUES: Final = 1 << 20
"""Kernel values of followed candidates that are worked on at once."""
_COLUMNS: Final = 4096
"""Examples whose kernel values are worked on at once: they stay in the cache."""
_SAME: Final = 1e-13
"""Squared distances below this are 0: of equal rows rounding makes something else."""
_TIE: Final = 1e-9
"""Share of a gain by which rounding may tell equal ones apart."""


@dataclass(frozen=True)
class Spread:
    """A kernel of the distance r of two rows of unit length, with its bandwidth h.

    ``rbf`` exp(-(r/h)^2), ``student`` (1 + 2 (r/h)^2)^-0.75, ``laplace`` exp(-r/h).
    """

    kernel: Kernel
    h: float

    def of(self, v: NDArray[Any]) -> NDArray[Any]:
        """Kernel values of v = -(r/h)^2, written over them."""
        np.minimum(v, 0, out=v)  # rounding
        if self.kernel == "student":
            v *= -2
            v += 1
            np.power(v, -0.75, out=v)
            return v
        if self.kernel == "laplace":
            np.sqrt(np.negative(v, out=v), out=v)
            np.negative(v, out=v)
        np.exp(v, out=v)
        return v

    def error(self, d: int) -> float:
        """By how much a value from float32 rows of d entries may be wrong."""
        eps = float(np.finfo(np.float32).eps)
        argument = 2 * eps * (d + 8) / self.h**2
        return 10 * eps + (argument**0.5 if self.kernel == "laplace" else 1.5 * argument)


class Herd:
    """Examples j with weights u_j, each as near to the chosen ones as m_j = max_(l chosen) k(l, j) says.

    A gain ``sum_j u_j max(k(i, j) - m_j, 0)`` only falls while examples are chosen. So old gains are upper bounds, and
    only the candidates with the largest are looked at again: in float32, rounded up, and the best of them in float64.
    From then on a candidate is followed: after each pick its bound falls by what the few examples that the pick covers
    better take from it.

    Args:
        unit: (n, d) float64 rows of unit length, or zeros.
        weights: (n,) u, not negative.
        spread: the kernel.
    """

    def __init__(self, unit: Values, weights: Values, spread: Spread) -> None:
        self.spread, self.unit = spread, unit
        self.heavy = np.flatnonzero(weights > 0)  # the others gain nothing
        self.weights, self.weighty = weights[self.heavy], unit[self.heavy]
        self.squares = (unit**2).sum(axis=1)
        self.left, self.right = _lifted(unit, spread.h)
        self.others = self.right[self.heavy]
        self.nearest = np.zeros(len(self.heavy))
        self.slack = spread.error(unit.shape[1])

    def choose(self, rows: Ids) -> None:
        """Count these as chosen."""
        for row in rows:
            np.maximum(self.nearest, self.values(int(row)), out=self.nearest)

    def values(self, row: int) -> Values:
        """Kernel values of an example and all that weigh something, in float64."""
        squares = self.squares[self.heavy] + self.squares[row] - 2 * (self.weighty @ self.unit[row])
        squares[squares < _SAME] = 0
        return self.spread.of(-squares / self.spread.h**2)

    def bounds(self, rows: Ids) -> Values:
        """What the gains of these rows cannot exceed."""
        total = np.zeros(len(rows))
        floor = (self.nearest - self.slack).astype(np.float32)
        weights = self.weights.astype(np.float32)
        for start in range(0, len(floor), _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            found = self.spread.of(self.left[rows] @ self.others[columns].T)
            found -= floor[columns]
            np.maximum(found, 0, out=found)
            total += found @ weights[columns]
        return total * (1 + 1e-4)  # the sums of up to 4096 numbers

    def picks(self, candidates: Ids, budget: int) -> list[int]:
        """The candidates with the largest gains, one after the other; of equal ones the lowest. To be called once."""
        bounds = np.concatenate(
            [np.empty(0), *(self.bounds(candidates[i : i + _ROWS]) for i in range(0, len(candidates), _ROWS))]
        )
        followed = np.zeros(len(candidates), dtype=bool)
        nothing = 1e-12 * float(self.weights.sum())
        picks: list[int] = []
        while len(picks) < budget:
            place, gain = self._best(candidates, bounds, followed)
            if gain <= nothing:
                free = candidates[bounds > -np.inf]
                return [*picks, *free[: budget - len(picks)].tolist()]
            picks.append(int(candidates[place]))
            bounds[place], followed[place] = -np.inf, False
            before = self.nearest.copy()
            self.choose(candidates[place : place + 1])
            self._follow(candidates, bounds, np.flatnonzero(followed), before)
        return picks

    def _follow(self, candidates: Ids, bounds: Values, places: Ids, before: Values) -> None:
        """Lower the bounds at these places by what their gains lost at least since m was ``before``."""
        columns = np.flatnonzero(self.nearest > before)
        floor = (before[columns] + self.slack).astype(np.float32)
        most = (self.nearest[columns] - before[columns]).astype(np.float32)
        weights, others = self.weights[columns].astype(np.float32), self.others[columns]
        rows = max(1, _VALUES // max(1, len(columns)))
        for start in range(0, len(places), rows):
            some = places[start : start + rows]
            lost = self.spread.of(self.left[candidates[some]] @ others.T)
            lost -= floor
            np.clip(lost, 0, most, out=lost)
            bounds[some] -= (lost @ weights).astype(np.float64) * (1 - 1e-4)

    def _best(self, candidates: Ids, bounds: Values, followed: NDArray[np.bool_]) -> tuple[int, float]:
        """The place of the largest gain, and that gain; ``bounds`` become tighter, and more are ``followed``."""
        exact: dict[int, float] = {}
        best, open_ = -np.inf, bounds.copy()  # bounds of those whose gain is not known
        while True:
            first = int(np.argmax(open_))
            if open_[first] == -np.inf or open_[first] < best * (1 - _TIE):
                break
            if followed[first]:
                exact[first] = self._gain(int(candidates[first]))
                best = max(best, exact[first])
                bounds[first] = min(bounds[first], exact[first] * (1 + _TIE))
                open_[first] = -np.inf
            else:
                likely = np.flatnonzero(~followed & (open_ >= max(best * (1 - _TIE), 0)))
                if len(likely) > _BLOCK:
                    likely = likely[np.argpartition(-open_[likely], _BLOCK - 1)[:_BLOCK]]
                open_[likely] = bounds[likely] = np.minimum(bounds[likely], self.bounds(candidates[likely]))
                followed[likely] = True
        place = min(place for place, gain in exact.items() if gain >= best * (1 - _TIE))
        return place, best

    def _gain(self, row: int) -> float:
        return float(self.weights @ np.maximum(self.values(row) - self.nearest, 0))


def least_distance(unit: Values, rows: Ids) -> float:
    """The least distance above 0 between two of these rows of ``unit``; 0 if there is none."""
    least = np.inf
    for place in range(1, len(rows)):
        squares = ((unit[rows[:place]] - unit[rows[place]]) ** 2).sum(axis=1)
        least = min(least, float(squares[squares > 1e-20].min(initial=np.inf)))
    return float(least**0.5) if np.isfinite(least) else 0.0


def _lifted(unit: Values, h: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two matrices (n, d + 2) whose products are -(r/h)^2."""
    squares = (unit**2).sum(axis=1, keepdims=True)
    one = np.ones_like(squares)
    left = np.hstack([2 * unit, -squares, -one]) / h**2
    return left.astype(np.float32), np.hstack([unit, one, squares]).astype(np.float32)
