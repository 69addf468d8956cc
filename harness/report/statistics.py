"""What a difference between two methods is worth: intervals, paired tests, correction, rank groups.

Only numpy and ``scipy.special``: ``scipy.stats`` takes a second to load and a leaderboard should answer at once; the
tests compare with it. All randomness comes from the generator passed in.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL: Final = 0.05
"""Chance of calling any two equal methods of a table different."""
POWER: Final = 0.8
_EXACT_UP_TO: Final = 14
"""Pairs up to which all 2^n sign flips are tried."""
_FLIPS: Final = 20_000
_RESAMPLES: Final = 2_000
_CHUNK: Final = 2_000_000
"""Random numbers drawn at a time, which bounds the memory."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """All methods of a table compared in pairs.

    Attributes:
        groups: rank of each method; those that cannot be told apart from the best of a group share its rank.
        pairs: number of paired values (queries or seeds).
        tests: number of comparisons that the correction counts.
        detectable: smallest true difference that would have been found with probability 0.8 (median over pairs), NaN
            with fewer than two pairs of values.
        smallest_p: the smallest p-value that the test can give with so many pairs, before correction.
    """

    groups: Mapping[str, int]
    pairs: int
    tests: int
    detectable: float
    smallest_p: float

    @property
    def can_decide(self) -> bool:
        """Whether any difference, however large, could be called significant after correction."""
        return self.smallest_p * max(self.tests, 1) <= LEVEL


def bootstrap_interval(values: ArrayLike, rng: np.random.Generator, level: float = LEVEL) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of ``values`` (n,); (NaN, NaN) with fewer than two values."""
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < 2:
        return float("nan"), float("nan")
    rows = max(1, _CHUNK // len(sample))
    means = [
        sample[rng.integers(0, len(sample), (min(rows, _RESAMPLES - start), len(sample)))].mean(axis=1)
        for start in range(0, _RESAMPLES, rows)
    ]
    low, high = np.quantile(np.concatenate(means), [level / 2, 1 - level / 2])
    return float(low), float(high)


def paired_test(a: ArrayLike, b: ArrayLike, rng: np.random.Generator) -> float:
    """Two-sided p-value of the sign-flip (randomisation) test on the mean of ``a - b``, both (n,).

    Exact for up to 14 pairs; else 20,000 random flips with the observed one counted among them.
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return float(_p_values(difference[:, None], rng)[0])


def _p_values(differences: Floats, rng: np.random.Generator) -> Floats:
    """P-values (m,) of the columns of ``differences`` (n, m); all see the same flips, which costs nothing."""
    n, m = differences.shape
    # Sums that are equal must count as equal although they round differently.
    observed = np.abs(differences.sum(axis=0)) * (1 - 1e-12)
    if n <= _EXACT_UP_TO:
        signs = 1 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return np.asarray((np.abs(signs @ differences) >= observed).mean(axis=0))
    beyond = np.zeros(m)
    rows = max(1, _CHUNK // max(n, m))
    for start in range(0, _FLIPS, rows):
        flips = rng.integers(0, 2, (min(rows, _FLIPS - start), n), dtype=np.int8).astype(np.float64)
        beyond += (np.abs(2 * (flips @ differences) - differences.sum(axis=0)) >= observed).sum(axis=0)
    return np.asarray((beyond + 1) / (_FLIPS + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: the chance of any false alarm among all tests stays below the level."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return [float(value) for value in adjusted]


def compare(values: Mapping[str, ArrayLike], rng: np.random.Generator) -> Comparison:
    """Compare methods on the same queries or seeds.

    Args:
        values: per method (n,) numbers in the same order of queries or seeds.
        rng: for the random flips.

    Raises:
        ValueError: the methods have different numbers of values.
    """
    samples = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    sizes = {len(sample) for sample in samples.values()}
    if len(sizes) > 1:
        raise ValueError(f"methods have different numbers of values: {sorted(sizes)}")
    pairs = sizes.pop() if sizes else 0
    couples = list(itertools.combinations(samples, 2))
    differences = np.array([samples[a] - samples[b] for a, b in couples]).reshape(len(couples), pairs).T
    adjusted = holm([float(p) for p in _p_values(differences, rng)])
    differ = {couple: p <= LEVEL for couple, p in zip(couples, adjusted, strict=True)}
    spread = [float(np.std(samples[a] - samples[b], ddof=1)) for a, b in couples if pairs > 1]
    return Comparison(
        groups=_groups(samples, differ),
        pairs=pairs,
        tests=len(couples),
        detectable=_detectable(spread, pairs, len(couples)),
        smallest_p=2.0 ** (1 - pairs) if pairs <= _EXACT_UP_TO else 1 / (_FLIPS + 1),
    )


def _groups(samples: Mapping[str, Floats], differ: Mapping[tuple[str, str], bool]) -> dict[str, int]:
    """The best leads a group; who cannot be told apart from the leader belongs to it; the next one leads the next."""
    order = sorted(samples, key=lambda name: (-samples[name].mean() if len(samples[name]) else 0.0, name))
    groups: dict[str, int] = {}
    leader, rank = "", 0
    for position, name in enumerate(order, start=1):
        if not leader or differ.get((leader, name), differ.get((name, leader), False)):
            leader, rank = name, position
        groups[name] = rank
    return groups


def _detectable(spread: Sequence[float], pairs: int, tests: int) -> float:
    """Difference that a paired t-test at the strictest corrected level finds with probability ``POWER``."""
    if not spread:
        return float("nan")
    from scipy.special import stdtrit

    freedom = pairs - 1
    quantiles = stdtrit(freedom, 1 - LEVEL / tests / 2) + stdtrit(freedom, POWER)
    return float(np.median(spread) / np.sqrt(pairs) * quantiles)
