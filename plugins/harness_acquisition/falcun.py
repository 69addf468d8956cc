"""Uncertain examples whose predictions differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from harness_acquisition.budget import spendable
from harness_acquisition.margin import negative_margins

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView


@dataclass(frozen=True)
class Falcun:
    """Drawn by uncertainty and by how far the prediction lies from those of the picks (Gilhuber et al. 2024).

    Features are not looked at: predictions stand for them. After each pick the distances are stretched to [0, 1], those
    of all unlabelled examples together, so that they are compared with the next ones on another scale; this is how the
    released code does it. Where all chances are 0 the draw is uniform. O(n c budget) time, O(nc) memory.

    Formula:
        P(i) proportional to (u_i + d_i)^gamma, u_i = 1 - p_i(1) + p_i(2)
        d_i = u_i at first; then d_i = min(d_i, |p_i - p_last|_1), then (d - min d) / (max d - min d)

    Attributes:
        gamma: the larger, the more surely the best is drawn.
    """

    gamma: Annotated[float, Ge(0)] = 10.0  # Gilhuber et al. 2024, released code

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order drawn. Labels are not looked at."""
        budget, p = spendable(pool, budget), pool.probabilities[pool.unlabelled]
        places = np.empty(budget, dtype=np.int64)
        if budget == 0:
            return places
        u = 1 + negative_margins(p.astype(np.float64)) if p.shape[1] > 1 else np.zeros(len(p))
        u = np.maximum(u, 0)
        d, free, columns = u.copy(), np.ones(len(u), dtype=bool), np.ascontiguousarray(p.T)
        for number in range(budget):
            if number:
                d = _stretched(np.minimum(d, _distances(columns, places[number - 1])))
            places[number] = _drawn((u + d) ** self.gamma * free, free, rng)
            free[places[number]] = False
        return pool.unlabelled[places]


def _distances(columns: Floats, place: int) -> NDArray[np.float64]:
    """City-block distance of each prediction to one; predictions are (c, n), which numpy adds up faster."""
    total = np.zeros(columns.shape[1])
    for column in columns:
        total += np.abs(column - column[place])
    return total


def _stretched(d: NDArray[np.float64]) -> NDArray[np.float64]:
    least, most = d.min(), d.max()
    return (d - least) / (most - least) if most > least else np.zeros(len(d))


def _drawn(chances: NDArray[np.float64], free: NDArray[np.bool_], rng: np.random.Generator) -> int:
    sums = np.cumsum(chances)
    if not sums[-1] > 0:
        sums = np.cumsum(free, dtype=np.float64)
    # Never beyond the last one that can be drawn, whatever is rounded.
    return int(np.searchsorted(sums, min(rng.random() * sums[-1], np.nextafter(sums[-1], 0)), side="right"))
