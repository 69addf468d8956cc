"""Density while little is covered, margins once much is: balls whose radii are kept from cycle to cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Interval, Le
from numpy.typing import NDArray

from harness_acquisition.budget import spendable
from harness_acquisition.probcover import Balls
from harness_acquisition.uncertainty_herding import uncertainties

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

    Doubles = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_ROWS = 256
"""Labels compared with all examples at once."""


@dataclass(frozen=True)
class DCoM:
    """Dense examples while the labels cover little, uncertain ones once they cover much (Mishal and Weinshall 2024).

    Every label has a ball of a radius of its own on L2-normalised features. The radius of a new label is looked for by
    bisection, once, after the training on it: the largest ball in which enough examples are predicted as its label.
    Radii are remembered from cycle to cycle (``Remembers``); labels of before its first cycle are all new, and looked
    for from ``initial_radius``. How much all balls cover decides the weight of margins against that of density, the
    number of examples in a ball of the mean radius that no ball holds yet. O(n^2 d) time and the pairs of neighbours,
    as ``probcover``; then O(n) a pick, and O(|L| n d) for the balls. Works without any label, by density alone.

    Formula:
        argmax_(i in U) s minmax(1 - margin_i) + (1 - s) minmax |{j not covered: |z_i - z_j| < mean r}|, b times
        s = (1 + exp(-k (1 - a))) / (1 + exp(-k (v - a))), v the share of examples covered by the balls of labels
        r_l: bisected between 0 and the largest by purity(l, r) >= 0.2 v + 0.4

    Attributes:
        max_radius: the largest radius.
        initial_radius: of labels before any radius was looked for.
        steepness: k.
        centre: a, the share covered at which both weigh about the same.
        resolution: of the bisection.
    """

    max_radius: Annotated[float, Gt(0), Le(2)] = 1.1  # Mishal and Weinshall 2024, released code
    initial_radius: Annotated[float, Gt(0), Le(2)] = 0.6  # Mishal and Weinshall 2024, released code
    steepness: Annotated[float, Ge(0), Le(700)] = 50.0  # Mishal and Weinshall 2024, released code
    centre: Annotated[float, Interval(ge=0, le=1)] = 0.8  # Mishal and Weinshall 2024, released code
    resolution: Annotated[float, Interval(ge=0.01, le=1)] = 0.05  # Mishal and Weinshall 2024, released code

    cold_start = True
    deviations: ClassVar[dict[str, str]] = {
        "position-independent": "balls that hold equally many examples are equally dense, and positions decide"
    }

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, the best first; equal ones by position. All labels are new."""
        return self.select_remembering(pool, budget, rng, None)[0]

    def select_remembering(
        self, pool: PoolView, budget: int, rng: np.random.Generator, memory: Mapping[str, Any] | None
    ) -> tuple[Ids, Mapping[str, Any]]:
        """As ``select``; it remembers the ``positions`` of all labels and their ``radii``."""
        from harness.search import unit_rows

        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64), memory or {}
        distances = _Distances(unit_rows(pool.features), pool.labelled)
        radii = self._radii(pool, distances, memory or {})
        mean = float(radii.mean()) if len(radii) else self.initial_radius
        weight = self._competence(distances.covered(np.minimum(radii, self.max_radius)).mean())
        covered = distances.covered(np.minimum(radii, mean))
        picks = self._picks(pool, Balls(distances.unit, mean), covered, weight, budget)
        return picks, {"positions": pool.labelled, "radii": radii}

    def _radii(self, pool: PoolView, distances: _Distances, memory: Mapping[str, Any]) -> Doubles:
        """Of all labels (l,): those of before as they were, those of new labels by bisection."""
        pairs = zip(memory.get("positions", ()), memory.get("radii", ()), strict=True)
        before, labels = {int(label): float(radius) for label, radius in pairs}, pool.labelled.tolist()
        start = sum(before.values()) / len(before) if before else self.initial_radius
        radii = np.array([before.get(label, start) for label in labels], np.float64)
        new = np.array([place for place, label in enumerate(labels) if label not in before], np.int64)
        if len(new):
            least = 0.2 * distances.covered(np.minimum(radii, self.max_radius)).mean() + 0.4
            radii[new] = self._bisected(pool, distances, new, least)
        return radii

    def _bisected(self, pool: PoolView, distances: _Distances, places: Ids, least: float) -> Doubles:
        """Radii of the labels at these places: the largest balls of a purity of at least ``least``."""
        predicted, result = pool.probabilities.argmax(axis=1), np.empty(len(places))
        for start in range(0, len(places), _ROWS):
            some = places[start : start + _ROWS]
            squares = distances.squares(some)
            same = predicted == pool.labels[pool.labelled[some]][:, None]
            low, high = np.zeros(len(some)), np.full(len(some), self.max_radius)
            while high[0] - low[0] > self.resolution:  # halved together
                middle = (low + high) / 2
                ball = squares < (middle**2)[:, None]
                enough = (ball & same).sum(axis=1) / ball.sum(axis=1) >= least
                low, high = np.where(enough, middle, low), np.where(enough, high, middle)
            result[start : start + _ROWS] = np.round((low + high) / 2, 2)
        return result

    def _competence(self, covered: float) -> float:
        """The weight of margins where this share of the examples is covered."""
        k, a = self.steepness, self.centre
        return round(float((1 + np.exp(-k * (1 - a))) / (1 + np.exp(-k * (covered - a)))), 3)

    def _picks(self, pool: PoolView, balls: Balls, covered: Flags, weight: float, budget: int) -> Ids:
        """The best by margin and density, one after the other; each covers its ball."""
        degrees = balls.counts(np.flatnonzero(~covered))
        degrees[pool.labelled] = 0
        margins = minmax(uncertainties(pool.probabilities.astype(np.float64), "margin"))
        margins[pool.labelled] = 0
        free = np.zeros(len(margins), dtype=bool)
        free[pool.unlabelled] = True
        picks: list[int] = []
        while len(picks) < budget:
            scores = weight * minmax(margins) + (1 - weight) * minmax(degrees)
            best = int(np.argmax(np.where(free, scores, -1.0)))
            picks.append(best)
            free[best], margins[best] = False, 0
            ball = balls.of(np.array([best]))
            fresh = ball[~covered[ball]].astype(np.int64)
            covered[fresh] = True
            degrees -= balls.counts(fresh)
            degrees[pool.labelled] = 0
        return np.array(picks, dtype=np.int64)


class _Distances:
    """From labels to all examples."""

    def __init__(self, unit: Floats, labelled: Ids) -> None:
        self.unit, self.labelled = unit, labelled
        self.norms = np.einsum("ij,ij->i", unit, unit)

    def squares(self, places: Ids) -> Floats:
        """Squared distances (m, n) of the labels at these places; 0 of each to itself."""
        rows = self.labelled[places]
        squares: Floats = self.norms[rows][:, None] + self.norms - 2 * (self.unit[rows] @ self.unit.T)
        squares[np.arange(len(rows)), rows] = 0
        return squares

    def covered(self, radii: Doubles) -> Flags:
        """Which examples (n,) lie in the ball of some label, of the radii (l,)."""
        result = np.zeros(len(self.unit), dtype=bool)
        for start in range(0, len(radii), _ROWS):
            places = np.arange(start, min(start + _ROWS, len(radii)))
            result |= (self.squares(places) < (radii[places] ** 2)[:, None]).any(axis=0)
        return result


def minmax(values: NDArray[Any]) -> Doubles:
    """Values stretched to [0, 1]; all 0 where they are equal."""
    least, most = values.min(), values.max()
    if most <= least:
        return np.zeros(len(values))
    return np.asarray((values - least) / (most - least), np.float64)
