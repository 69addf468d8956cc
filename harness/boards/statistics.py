"""Bootstrap intervals of means.

Only numpy: ``scipy.stats`` takes a second to load and a leaderboard should answer at once; the tests compare with it.
All randomness comes from the generator passed in.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics.distributions import normal_cdf, t_quantile
from harness.metrics.verdicts.paired import LEVEL

LEAST_UNITS: Final = 6
"""Fewest values, or groups of queries, that give an interval."""
_RESAMPLES: Final = 2_000
_CHUNK: Final = 2_000_000
"""Numbers held at a time, which bounds the memory."""

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def bootstrap_interval(values: ArrayLike, rng: np.random.Generator, level: float = LEVEL) -> tuple[float, float]:
    """Bootstrap interval of the mean of ``values`` (n,); (NaN, NaN) with fewer than six values."""
    low, high = bootstrap_intervals(np.asarray(values, dtype=np.float64)[:, None], rng, level)[0]
    return float(low), float(high)


def bootstrap_intervals(values: Floats, rng: np.random.Generator, level: float = LEVEL) -> Floats:
    """Bootstrap intervals (m, 2) of the means of the columns of ``values`` (n, m), all from the same resamples.

    Percentiles, taken a little further out than ``level / 2``: plain ones are too narrow for small samples, by as much
    as the normal distribution is narrower than Student's and n - 1 is less than n (Hesterberg 2015, expanded
    percentile interval).
    """
    n, m = values.shape
    if n < LEAST_UNITS:
        return np.full((m, 2), np.nan)
    return _percentiles(values, _drawn(n, rng) / n, _tail(n, level))


def group_intervals(values: Floats, groups: Ints, rng: np.random.Generator, level: float = LEVEL) -> Floats:
    """Bootstrap intervals (m, 2) of the means of the columns of ``values`` (n, m); groups are resampled whole.

    Args:
        values: of methods on queries.
        groups: (n,) group of each query, numbered from 0.
        rng: for the resamples.
        level: chance that a mean lies outside.
    """
    m, count = values.shape[1], int(groups.max(initial=-1)) + 1
    if count < LEAST_UNITS:
        return np.full((m, 2), np.nan)
    if count == len(groups):
        return bootstrap_intervals(values, rng, level)
    drawn = _drawn(count, rng)[:, groups]
    return _percentiles(values, drawn / drawn.sum(axis=1, keepdims=True), _tail(count, level))


def _tail(n: int, level: float) -> float:
    """The percentile of an interval from ``n`` independent values."""
    return normal_cdf(math.sqrt(n / (n - 1)) * t_quantile(n - 1, level / 2))


def _drawn(n: int, rng: np.random.Generator) -> Floats:
    """How often each of ``n`` values is drawn in each resample (r, n)."""
    drawn = rng.integers(0, n, (_RESAMPLES, n)) + n * np.arange(_RESAMPLES)[:, None]
    return np.asarray(np.bincount(drawn.ravel(), minlength=n * _RESAMPLES).reshape(_RESAMPLES, n), np.float64)


def _percentiles(values: Floats, weights: Floats, tail: float) -> Floats:
    """The percentiles (m, 2) of the means of ``values`` (n, m) under ``weights`` (r, n)."""
    step = max(1, _CHUNK // _RESAMPLES)
    parts = [
        np.quantile(values[:, start : start + step].T @ weights.T, [tail, 1 - tail], axis=1).T
        for start in range(0, values.shape[1], step)
    ]
    return np.concatenate(parts) if parts else np.empty((0, 2))
