"""The normal and the t distribution of single numbers, without what loading ``scipy.special`` takes.

Boards of a few runs ask for a handful of quantiles, and loading that package would be a quarter of their time. Whole
arrays, and other distributions, are scipy's.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import Final

_LEAST: Final = 1e-100
_STEPS: Final = 100
_TERMS: Final = 100_000
_LARGE: Final = 64
"""From here on a few terms of a series give a ratio of gamma functions to the last digit."""


def normal_cdf(x: float) -> float:
    """Chance that a standard normal number is at most ``x``."""
    return math.erfc(-x / math.sqrt(2)) / 2


def t_quantile(freedom: int, p: float) -> float:
    """The number that a t distribution exceeds with a chance of 1 - ``p``.

    Args:
        freedom: degrees of freedom, at least 1.
        p: at least 1e-100, below 1.

    Raises:
        ValueError: not in these ranges.
    """
    if freedom < 1 or not _LEAST <= p < 1:
        raise ValueError(f"no t quantile of {p} with {freedom} degrees of freedom")
    if p == 0.5:
        return 0.0
    return -_exceeded(freedom, p) if p < 0.5 else _exceeded(freedom, 1 - p)


def _exceeded(freedom: int, chance: float) -> float:
    """The positive number that is exceeded with a chance below 0.5.

    By Newton's method on the logarithms of both, from the normal quantile. The one falls in the other, ever steeper:
    the first step leads beyond the solution, and all further ones come nearer to it from there.
    """
    t = -NormalDist().inv_cdf(chance)
    for _ in range(_STEPS):
        tail = t_tail(freedom, t)
        step = math.log(tail / chance) * tail / (t * _density(freedom, t))
        t *= math.exp(step)
        if abs(step) < 1e-9:  # the error left is its square
            break
    return t


def t_tail(freedom: int, t: float) -> float:
    """Chance that a number of the t distribution exceeds ``t``, which is positive.

    Half of the regularised incomplete beta function of freedom / 2 and 1 / 2, or half of what it lacks to 1: by the
    continued fraction of the two that converges fast (Press et al., Numerical Recipes, 6.4).
    """
    a, x, first = freedom / 2, freedom / (freedom + t * t), t * _density(freedom, t)
    if x < (a + 1) / (a + 2.5):
        return first * _fraction(a, 0.5, x) / freedom
    return 0.5 - first * _fraction(0.5, a, t * t / (freedom + t * t))


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    above, below = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value = below
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            below, above = 1 / (1 + term * below), 1 + term / above
            value *= below * above
        if abs(below * above - 1) < 1e-15:
            break
    return value


def _density(freedom: int, t: float) -> float:
    return _at_zero(freedom) * math.exp(-(freedom + 1) / 2 * math.log1p(t * t / freedom))


@functools.lru_cache(maxsize=64)
def _at_zero(freedom: int) -> float:
    """The density at 0, from the gamma functions of (freedom + 1) / 2 and freedom / 2.

    The differences of their logarithms would lose digits. Their ratio at a is that at a + 1 times a / (a + 1/2).
    """
    a, ratio = freedom / 2, 1.0
    while a < _LARGE:
        ratio *= a / (a + 0.5)
        a += 1
    terms = (1, -1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144, 869 / 4194304)
    return (
        ratio * math.sqrt(a) * sum(term / a**power for power, term in enumerate(terms)) / math.sqrt(freedom * math.pi)
    )
