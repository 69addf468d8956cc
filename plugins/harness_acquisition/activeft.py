"""A subset whose distribution is that of the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from harness_acquisition.budget import spendable
from harness_acquisition.kmeans import nearest_unused

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

Values = NDArray[np.float64]

_ROWS: Final = 4096
"""Examples compared with all centres at once."""
_BETA1: Final = 0.9
_BETA2: Final = 0.999
_EPSILON: Final = 1e-8
"""Of Adam, as everybody has them."""


@dataclass(frozen=True)
class ActiveFT:
    """Centres that are near to the pool and far from each other, by gradient descent (Xie et al. 2023).

    Features have unit length. b centres start at random examples; in each step every example draws its nearest centre
    near, and centres push each other away. In the end each centre, in order, gives the most similar example that is not
    taken. Labelled examples are centres that do not move. The optimiser is Adam, which treats axes one by one: turning
    the features changes picks. O(steps n (l + b) d) time: minutes for 50,000 examples and a budget of 1,000; O(nd)
    memory.

    Formula:
        minimise -mean_i [ln p_i - ln(p_i + balance R_k)], p_i = max_k exp(z_i . u_k / temperature), u_k = c_k / |c_k|
        R_k = sum_j exp(u_j . u_k / temperature), gradients through u_k alone

    Attributes:
        steps: of the optimiser.
        learning_rate: of Adam.
        temperature: the smaller, the less a distant example counts.
        balance: how much centres push each other away.
    """

    steps: Annotated[int, Gt(0)] = 300  # Xie et al. 2023, released code
    learning_rate: Annotated[float, Gt(0)] = 1e-3  # Xie et al. 2023, released code
    temperature: Annotated[float, Gt(0)] = 0.07  # Xie et al. 2023
    balance: Annotated[float, Ge(0)] = 1.0  # Xie et al. 2023

    cold_start = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, one a centre; equally similar ones by position."""
        from harness.search import unit_rows

        budget, left = spendable(pool, budget), pool.unlabelled
        if budget in (0, len(left)):
            return left[:budget].copy()
        x = unit_rows(pool.features)
        start = x[rng.choice(left, budget, replace=False)]
        centres = self.descended(x, start.astype(np.float64), x[pool.labelled].astype(np.float64))
        # An example of zeros is as similar as a right angle: it has an axis of its own.
        zero = ~x.any(axis=1, keepdims=True)
        points = np.hstack([x, zero.astype(np.float32)])[left]
        ends = np.hstack([_unit(centres), np.zeros((budget, 1))]).astype(np.float32)
        return left[nearest_unused(points, ends)]

    def descended(self, x: Floats, centres: Values, fixed: Values) -> Values:
        """The centres (b, d) after all steps, for unit rows ``x`` and centres that do not move."""
        first, second = np.zeros_like(centres), np.zeros_like(centres)
        for step in range(1, self.steps + 1):
            unit = _unit(centres)
            slope = self._slope(x, np.vstack([unit, fixed]), len(centres))
            slope -= (slope * unit).sum(axis=1, keepdims=True) * unit
            slope /= _lengths(centres)
            first = _BETA1 * first + (1 - _BETA1) * slope
            second = _BETA2 * second + (1 - _BETA2) * slope**2
            rate = self.learning_rate / (1 - _BETA1**step)
            centres = centres - rate * first / (np.sqrt(second / (1 - _BETA2**step)) + _EPSILON)
        return centres

    def _slope(self, x: Floats, unit: Values, b: int) -> Values:
        """Gradient of the loss in the first ``b`` of the centres."""
        # Everything is divided by exp(1 / temperature), which is large: only ratios matter.
        nearness = np.exp((unit @ unit.T - 1) / self.temperature)
        crowd = nearness.sum(axis=0)
        pulls, pushes = np.zeros_like(unit), np.zeros(len(unit))
        columns = unit.T.astype(np.float32)
        for start in range(0, len(x), _ROWS):
            rows = x[start : start + _ROWS]
            rows64 = rows.astype(np.float64)
            k = _nearest(rows64, rows @ columns, unit)
            p = np.exp((np.einsum("ij,ij->i", rows64, unit[k]) - 1) / self.temperature)
            share = self.balance / (p + self.balance * crowd[k])
            pulls += _summed(rows64 * (share * crowd[k])[:, None], k, len(unit))
            pushes += np.bincount(k, weights=share, minlength=len(unit))
        slope: Values = (pushes[:b, None] * (nearness[:b] @ unit) - pulls[:b]) / (self.temperature * len(x))
        return slope


def _nearest(rows: Values, products: Floats, unit: Values) -> Ids:
    """The most similar centre of each row; near 1 float32 products do not tell, and float64 ones decide."""
    k: Ids = products.argmax(axis=1)
    least = products[np.arange(len(k)), k] - np.float32(2 * (rows.shape[1] + 8) * np.finfo(np.float32).eps)
    unsure = np.flatnonzero(np.count_nonzero(products >= least[:, None], axis=1) > 1)
    k[unsure] = (rows[unsure] @ unit.T).argmax(axis=1)
    return k


def _summed(rows: Values, k: Ids, m: int) -> Values:
    """Sums (m, d) of the rows of each centre."""
    from scipy.sparse import csr_array

    owners = csr_array((np.ones(len(k)), (k, np.arange(len(k)))), shape=(m, len(k)))
    sums: Values = owners @ rows
    return sums


def _unit(rows: Values) -> Values:
    return rows / _lengths(rows)


def _lengths(rows: Values) -> Values:
    lengths: Values = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return lengths
