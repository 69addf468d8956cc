"""What a number of seeds can detect, and how many seeds a difference takes, before anything runs."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.verdicts.paired import LEAST_SEEDS, LEVEL, POOLED_LEVEL, pooled_square, pools

POWER: Final = 0.8
MOST_SEEDS: Final = 1_000
"""Beyond so many seeds no number is looked for."""
_NODES: Final = 400
_PANELS: Final = 8


@functools.lru_cache(maxsize=1)
def _nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre nodes and weights on (0, 1), in panels: many nodes at once take long to find."""
    x, weight = np.polynomial.legendre.leggauss(_NODES // _PANELS)
    starts = np.arange(_PANELS)[:, None]
    return ((starts + (x + 1) / 2) / _PANELS).ravel(), np.tile(weight / 2 / _PANELS, _PANELS)


@functools.lru_cache(maxsize=256)
def _scales(freedom: int) -> NDArray[np.float64]:
    """Estimated over true spread at the nodes, for an error with so many degrees of freedom."""
    from scipy.special import chdtri

    return np.asarray(np.sqrt(chdtri(freedom, 1 - _nodes()[0]) / freedom))


def t_power(spreads: float, n: int, freedom: int, level: float) -> float:
    """Chance that a two-sided t-test at ``level`` finds a true difference.

    Args:
        spreads: the difference in standard deviations of the paired difference.
        n: seeds.
        freedom: degrees of freedom of the error.
        level: of the one test.
    """
    from scipy.special import ndtr, stdtrit

    _, weight = _nodes()
    critical = stdtrit(freedom, 1 - level / 2) * _scales(freedom)
    shift = spreads * math.sqrt(n)
    return float((weight * (ndtr(shift - critical) + ndtr(-shift - critical))).sum())


@functools.lru_cache(maxsize=1024)
def detectable(n: int, m: int, *, baseline: bool, unlike: bool = False) -> float:
    """Difference, in spreads, that ``n`` seeds of ``m`` methods find with 80% power; infinite below three seeds.

    By the first and strictest step of the correction. ``baseline``: for comparisons with one method, else all pairs.
    ``unlike``: methods vary unlike, so that their errors are not pooled.
    """
    k = m - 1 if baseline else m * (m - 1) // 2
    if n < LEAST_SEEDS or k < 1:
        return math.inf
    pooled = pools(n, m) and not unlike
    freedom = (n - 1) * (m - 1) if pooled else n - 1
    return detectable_spreads(n, freedom, (POOLED_LEVEL if pooled else LEVEL) / k)


@functools.lru_cache(maxsize=1024)
def detectable_spreads(n: int, freedom: int, level: float) -> float:
    """Difference, in spreads, that a t-test of ``n`` seeds at ``level`` finds with 80% power; see ``t_power``."""
    low, high = 0.0, 1.0
    while t_power(high, n, freedom, level) < POWER:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if t_power(middle, n, freedom, level) < POWER else (low, middle)
    return high


@functools.lru_cache(maxsize=256)
def seeds_needed(spreads: float, m: int, *, baseline: bool) -> int | None:
    """Fewest seeds that detect a difference of ``spreads``; None where 1,000 do not."""
    # What is detectable falls with the seeds but for a step where the test changes, so that the first is looked for.
    if spreads <= 0 or detectable(MOST_SEEDS, m, baseline=baseline) > spreads:
        return None
    for n in range(LEAST_SEEDS, 100):
        if detectable(n, m, baseline=baseline) <= spreads:
            return n
    low, high = 99, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if detectable(middle, m, baseline=baseline) <= spreads else (middle, high)
    return high


@dataclass(frozen=True)
class Spread:
    """How much the difference of two methods varies from seed to seed, from earlier runs.

    Attributes:
        estimate: standard deviation of a paired difference.
        upper: one-sided 80% upper limit of it.
    """

    estimate: float
    upper: float


def pilot_spread(values: NDArray[np.float64]) -> Spread | None:
    """The spread of earlier results (n, m); None from fewer than two seeds or methods, or where nothing varies."""
    from scipy.special import chdtri

    n, m = values.shape
    if n < 2 or m < 2:
        return None
    estimate, freedom = math.sqrt(2 * pooled_square(values)), (n - 1) * (m - 1)
    if estimate <= 0:
        return None
    return Spread(estimate, estimate * math.sqrt(freedom / chdtri(freedom, 0.8)))
