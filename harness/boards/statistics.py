"""Intervals of means, and the paired randomisation test of two measurements of one method.

Only numpy and ``scipy.special``: ``scipy.stats`` takes a second to load and a leaderboard should answer at once; the
tests compare with it. All randomness comes from the generator passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL: Final = 0.05
"""Chance of calling any two equal methods of a table different."""
POWER: Final = 0.8
LEAST_UNITS: Final = 6
"""Fewest queries or seeds that can say anything: with 5 the smallest p-value of a paired test is 0.0625."""
_EXACT_UP_TO: Final = 14
"""Pairs up to which all 2^n sign flips are tried."""
_FLIPS: Final = 20_000
_FLIP_TESTS_UP_TO: Final = 500
"""More comparisons need p-values below what 20,000 flips resolve: then the t distribution gives them."""
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
    from scipy.special import ndtr, stdtrit

    return float(ndtr(np.sqrt(n / (n - 1)) * stdtrit(n - 1, level / 2)))


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


def paired_test(a: ArrayLike, b: ArrayLike, rng: np.random.Generator) -> float:
    """Two-sided p-value of the sign-flip (randomisation) test on the mean of ``a - b``, both (n,).

    Exact for up to 14 pairs; else from 20,000 random flips with the observed one counted among them, or an upper bound
    where that is below what the flips can resolve.
    """
    values = np.stack([np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)], axis=1)
    return float(pair_p_values(values, rng)[0])


def pair_p_values(values: Floats, rng: np.random.Generator) -> Floats:
    """P-values of the sign-flip test of every two columns of ``values`` (n, m), as ``np.triu_indices(m, 1)`` orders.

    All pairs see the same flips: the flipped sum of a difference is the difference of two flipped sums.
    """
    return _flip_p_values(values, *np.triu_indices(values.shape[1], 1), rng)


def difference_p_values(differences: Floats, rng: np.random.Generator, tests: int) -> Floats:
    """P-values (m,) of the sign-flip test on the mean of each column of ``differences`` (n, m).

    Args:
        differences: paired differences.
        rng: for the random flips.
        tests: number of tests that are corrected together; with so many that flips cannot give p-values small enough,
            those of the paired t-test are taken.
    """
    n, m = differences.shape
    columns = np.column_stack([differences, np.zeros(n)])
    pairs = np.arange(m), np.full(m, m)
    by_flips = tests <= _FLIP_TESTS_UP_TO or n <= _EXACT_UP_TO
    return _flip_p_values(columns, *pairs, rng) if by_flips else t_p_values(columns, pairs)


def smallest_p(pairs: int, tests: int) -> float:
    """The smallest p-value that ``tests`` tests of ``pairs`` pairs can give, before correction."""
    if pairs <= _EXACT_UP_TO:
        return float(2.0 ** (1 - pairs))
    return 1 / (_FLIPS + 1) if tests <= _FLIP_TESTS_UP_TO else 0.0


def _flip_p_values(values: Floats, first: Ints, second: Ints, rng: np.random.Generator) -> Floats:
    """P-values of the sign-flip test of the columns ``first`` of ``values`` (n, m) against the columns ``second``."""
    n = len(values)
    if n == 0:
        return np.ones(len(first))
    # Sums that are equal must count as equal although they round differently.
    slack = 1e-12 * n * np.abs(values).max(initial=0.0)
    total = values.sum(axis=0)
    observed = np.abs(total[first] - total[second])
    if n <= _EXACT_UP_TO:
        return _beyond(values, first, second, observed - slack, _every_sign(n))
    # Hoeffding: how often a sum of these differences with random signs can be beyond the observed one at most.
    squares = (values**2).sum(axis=0)
    squares = np.maximum(squares[first] + squares[second] - 2 * (values.T @ values)[first, second], 0)
    p = np.minimum(1.0, 2 * np.exp(-np.divide(observed**2, 2 * squares, where=squares > slack, out=0 * squares)))
    unsettled = np.flatnonzero(p > 1 / (_FLIPS + 1))
    # A tenth of the flips shows which pairs are nowhere near significant.
    for flips in (_FLIPS // 10, _FLIPS):
        signs = _random_signs(n, flips, max(1, _CHUNK // max(n, len(unsettled))), rng)
        pairs = first[unsettled], second[unsettled]
        p[unsettled] = _beyond(values, *pairs, observed[unsettled] - slack, signs, and_observed=1)
        unsettled = unsettled[p[unsettled] <= 2 * LEVEL]
    return np.asarray(p)


def _beyond(
    values: Floats, first: Ints, second: Ints, least: Floats, signs: Iterable[Floats], and_observed: int = 0
) -> Floats:
    """Share of flips (r, n) by which the sums of two columns differ by at least ``least``, for each pair."""
    beyond, tried = np.full(len(first), float(and_observed)), and_observed
    for part in signs:
        sums = values.T @ part.T
        for start in range(0, len(first), step := max(1, _CHUNK // len(part))):
            pairs = slice(start, start + step)
            apart = np.abs(sums[first[pairs]] - sums[second[pairs]])
            beyond[pairs] += np.count_nonzero(apart >= least[pairs, None], axis=1)
        tried += len(part)
    return np.asarray(beyond / tried)


def _every_sign(n: int) -> Iterator[Floats]:
    """All sign flips (2^(n-1), n) but for a common sign, which changes nothing."""
    yield np.asarray(1 - 2.0 * ((np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1), np.float64)


def _random_signs(n: int, flips: int, rows: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Random sign flips, at most ``rows`` (rows, n) at a time."""
    for start in range(0, flips, rows):
        yield np.asarray(2.0 * rng.integers(0, 2, (min(rows, flips - start), n), dtype=np.int8) - 1, np.float64)


def t_p_values(values: Floats, pairs: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None) -> Floats:
    """P-values of the paired t-test of these pairs of columns of ``values`` (n, m), or of every two."""
    from scipy.special import stdtr

    n, m = values.shape
    first, second = np.triu_indices(m, 1) if pairs is None else pairs
    mean = values.mean(axis=0)
    apart, covariance = np.abs(mean[first] - mean[second]), np.atleast_2d(np.cov(values, rowvar=False))
    both = covariance[first, first] + covariance[second, second]
    spread = np.sqrt(np.maximum(both - 2 * covariance[first, second], 0))
    # Of columns that are nearly equal the covariances say too little.
    for near in np.flatnonzero(spread <= 1e-6 * np.sqrt(both)):
        spread[near] = np.std(values[:, first[near]] - values[:, second[near]], ddof=1)
    t = np.divide(apart * np.sqrt(n), spread, out=np.where(apart == 0, 0.0, np.inf), where=spread > 0)
    return np.asarray(2 * stdtr(n - 1, -t))


def holm(p_values: ArrayLike, tests: int | None = None) -> Floats:
    """Holm's step-down adjustment: the chance of any false alarm among all tests stays below the level.

    Args:
        p_values: (k,).
        tests: number of comparisons to correct for, if it is more than k.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * ((tests or len(p)) - np.arange(len(p)))))
    return adjusted
