"""Methods compared on the same seeds: step-down paired t-tests, for few seeds with a pooled error.

Paired t-tests are corrected step-down, after Holm (1979) for comparisons with a baseline, after Shaffer (1986) for all
pairs. With few seeds the error is pooled over all methods of the table and the level is 1%, because pooling assumes
that methods vary alike; Bartlett's test guards the assumption.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 0.05
"""Chance of calling any two equal methods of a family different."""
POOLED_LEVEL: Final = 0.01
"""The level of the pooled test: strict, because it assumes that methods vary alike."""
LEAST_SEEDS: Final = 3
"""Fewest seeds that can say anything."""
FEW_SEEDS: Final = 5
"""Up to so many seeds a verdict of the pooled test is stated with its assumption."""
_ROUNDING: Final = 1e-12
_CHUNK: Final = 4_000_000
"""Numbers held at a time, which bounds the memory."""

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Comparisons:
    """A family of comparisons of the columns of a table.

    Attributes:
        first: (k,) column of the one method.
        second: (k,) column of the other.
        difference: (k,) mean of the first minus mean of the second.
        p: (k,) p-values, adjusted for the family; all 1 where the data allow no verdict.
        level: what ``p`` is compared with.
        pooled: whether the error was pooled over the methods.
        unlike: whether the guard found that methods vary unlike, so that the error was not pooled.
        flips: sign flips tried, the observed signs among them; 0 of other tests, and where the data allow no verdict.
    """

    first: Ints
    second: Ints
    difference: Floats
    p: Floats
    level: float
    pooled: bool = False
    unlike: bool = False
    flips: int = 0

    @property
    def differs(self) -> NDArray[np.bool_]:
        """(k,) which pairs differ significantly."""
        return np.asarray(self.p <= self.level)


def family(m: int, baseline: int | None = None) -> tuple[Ints, Ints]:
    """Columns of the compared methods: every one against the baseline, or all pairs."""
    if baseline is None:
        first, second = np.triu_indices(m, 1)
        return first, second
    others = np.delete(np.arange(m), baseline)
    return others, np.full(m - 1, baseline)


def compare_seeds(values: Floats, baseline: int | None = None, tests: int | None = None) -> Comparisons:
    """Compare methods on the same seeds.

    Args:
        values: (n, m) the measure of m methods in n seeds, more is better.
        baseline: column of the baseline; None compares all pairs.
        tests: comparisons to correct for where the table is only a part of a longer one.
    """
    n, m = values.shape
    first, second = family(m, baseline)
    mean = values.mean(axis=0) if n else np.zeros(m)
    difference = mean[first] - mean[second]
    if n < LEAST_SEEDS:
        return Comparisons(first, second, difference, np.ones(len(first)), LEVEL)
    pooled = pools(n, m)
    unlike = pooled and vary_unlike(values)
    pooled = pooled and not unlike
    p = pooled_p(values, first, second) if pooled else paired_p(values, first, second)
    level = POOLED_LEVEL if pooled else LEVEL
    return Comparisons(first, second, difference, step_down(p, _counts(m, baseline, tests)), level, pooled, unlike)


def _counts(m: int, baseline: int | None, tests: int | None) -> Ints:
    """How many hypotheses may still be true at each step."""
    k = m - 1 if baseline is not None else m * (m - 1) // 2
    if baseline is None and tests in (None, k):
        return shaffer_counts(m)
    return (tests or k) - np.arange(k)


def pools(n: int, m: int) -> bool:
    """Whether ``n`` seeds of ``m`` methods take the pooled test: fixed before any result is known."""
    from scipy.special import stdtrit

    h, v = math.ceil(m / 2), (n - 1) * (m - 1)
    if m < 3 or n < LEAST_SEEDS:
        return False
    return bool(stdtrit(v, 1 - POOLED_LEVEL / (2 * h)) < stdtrit(n - 1, 1 - LEVEL / (2 * h)))


def paired_p(values: Floats, first: Ints, second: Ints) -> Floats:
    """P-values (k,) of the paired t-test of columns of ``values`` (n, m), not adjusted.

    Equal columns have p = 1. Differences that are the same in every seed have p = 2^(1-n): accuracies come in steps, so
    that equal differences happen by chance.
    """
    from scipy.special import stdtr

    n, slack = len(values), _ROUNDING * np.abs(values).max(initial=0.0)
    p = np.ones(len(first))
    for start in range(0, len(first), step := max(1, _CHUNK // max(n, 1))):
        part = slice(start, start + step)
        apart = values[:, first[part]] - values[:, second[part]]
        mean, spread = apart.mean(axis=0), apart.std(axis=0, ddof=1)
        constant = spread <= slack
        t = np.abs(mean) * math.sqrt(n) / np.where(constant, 1.0, spread)
        p[part] = np.where(constant, 2.0 ** (1 - n), 2 * stdtr(n - 1, -t))
        p[part][(np.abs(apart) <= slack).all(axis=0)] = 1.0
    return p


def pooled_p(values: Floats, first: Ints, second: Ints) -> Floats:
    """P-values (k,) of the t-test with the error of all columns of ``values`` (n, m), not adjusted."""
    from scipy.special import stdtr

    n, m = values.shape
    square, freedom = pooled_square(values), (n - 1) * (m - 1)
    slack = _ROUNDING * np.abs(values).max(initial=0.0)
    if square <= slack**2:
        return np.ones(len(first))
    mean = values.mean(axis=0)
    apart = np.abs(mean[first] - mean[second])
    t = np.where(apart <= slack, 0.0, apart) / math.sqrt(2 * square / n)
    return np.asarray(2 * stdtr(freedom, -t))


def pooled_square(values: Floats) -> float:
    """Mean square of what is left of ``values`` (n, m) without the means of methods and seeds."""
    n, m = values.shape
    return float((_residuals(values) ** 2).sum() / ((n - 1) * (m - 1)))


def vary_unlike(values: Floats, level: float = LEVEL) -> bool:
    """Whether the columns of ``values`` (n, m) vary unlike, by Bartlett's test on the residuals."""
    from scipy.special import chdtrc

    n, m = values.shape
    d = n - 1
    squares = (_residuals(values) ** 2).sum(axis=0) * m / ((m - 1) * d)
    if (squares <= (_ROUNDING * np.abs(values).max(initial=0.0)) ** 2).any():
        return True
    statistic = (m * d * np.log(squares.mean()) - d * np.log(squares).sum()) / (
        1 + (m / d - 1 / (m * d)) / (3 * (m - 1))
    )
    return bool(chdtrc(m - 1, statistic) < level)


def _residuals(values: Floats) -> Floats:
    return np.asarray(values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean())


def step_down(p: Floats, counts: Ints) -> Floats:
    """Adjusted p-values (k,): the r-th smallest times the number that may still be equal, made monotone."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * counts))
    return adjusted


@functools.lru_cache(maxsize=64)
def _equal_pairs(m: int) -> int:
    """The numbers of pairs of ``m`` methods that can be equal at once, as the bits of one integer."""
    sets = [1]
    for size in range(1, m + 1):
        bits = 0
        for j in range(1, size + 1):
            bits |= sets[size - j] << (j * (j - 1) // 2)
        sets.append(bits)
    return sets[m]


@functools.lru_cache(maxsize=64)
def shaffer_counts(m: int) -> Ints:
    """Shaffer's numbers (k,) of all-pairs hypotheses that may still be true when r - 1 are rejected."""
    k = m * (m - 1) // 2
    if k == 0:
        return np.zeros(0, np.intp)
    bits = _equal_pairs(m)
    packed = np.frombuffer(bits.to_bytes(k // 8 + 1, "little"), np.uint8)
    possible = np.flatnonzero(np.unpackbits(packed, bitorder="little"))
    counts = possible[np.searchsorted(possible, k - np.arange(k), side="right") - 1]
    counts[0] = k
    counts.setflags(write=False)
    return np.asarray(counts, np.intp)
