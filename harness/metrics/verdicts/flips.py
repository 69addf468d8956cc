"""Methods compared on the same queries: joint sign flips of groups of queries, studentised, step-down.

Queries of one landmark have the same relevant images and fail together. So the unit is the group: for equal methods the
sign of a group's difference is a coin toss, the same for all pairs of methods. The largest statistic of the pairs that
are not yet rejected corrects for their number (Westfall and Young 1993), without a floor that grows with the number of
methods.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.distributions import t_quantile
from harness.metrics.verdicts.paired import LEVEL, Comparisons, family
from harness.metrics.verdicts.power import POWER

LEAST_GROUPS: Final = 6
"""Fewest groups that can say anything: with five the smallest p-value is 0.0625."""
EXACT_UP_TO: Final = 14
"""Groups up to which all sign flips are tried."""
FLIPS: Final = 20_000
_FEWEST_FLIPS: Final = 1_000
_WORK: Final = 10_000_000
"""Pairs times flips; longer tables take fewer flips, which no p-value needs to be smaller for."""
_CHUNK: Final = 200_000
"""Numbers held at a time: what fits into the cache of a processor."""
_TIE: Final = 1e-12

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def query_groups(
    truth: Sequence[Mapping[str, Sequence[int]]], stated: Sequence[Hashable | None] | None = None
) -> list[int]:
    """The group of each query: as the data state it, else by equal sets of relevant images.

    Args:
        truth: per query ``easy`` and ``hard`` images.
        stated: per query the group that the data state, None where they do not.

    Returns:
        Numbers from 0, in the order in which groups first appear. A query without relevant images is its own group.
    """
    numbers: dict[Any, int] = {}
    groups = []
    for query, relevance in enumerate(truth):
        own = stated[query] if stated is not None else None
        relevant = frozenset((*relevance.get("easy", ()), *relevance.get("hard", ())))
        key: Any = ("stated", own) if own is not None else ("relevant", relevant) if relevant else ("query", query)
        groups.append(numbers.setdefault(key, len(numbers)))
    return groups


def group_sums(values: Floats, groups: Ints) -> Floats:
    """Sums (G, m) of the rows of ``values`` (n, m) of each group, divided by n: they add up to the means."""
    _, position = np.unique(groups, return_inverse=True)
    sums = np.zeros((int(position.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, position, values)
    return np.asarray(sums / max(len(values), 1))


def compare_groups(
    sums: Floats, rng: np.random.Generator, baseline: int | None = None, level: float = LEVEL
) -> Comparisons:
    """Compare methods by joint flips of groups.

    Args:
        sums: (G, m) what each group adds to the mean of each method; several data sets follow each other, each
            weighted by its share.
        rng: for the random flips.
        baseline: column of the baseline; None compares all pairs.
        level: of the verdicts.
    """
    groups, m = sums.shape
    first, second = family(m, baseline)
    total = sums.sum(axis=0)
    difference = total[first] - total[second]
    if groups < LEAST_GROUPS:
        return Comparisons(first, second, difference, np.ones(len(first)), level)
    scale = _scale(sums, first, second)
    observed = np.abs(np.where(np.abs(difference) < _TIE, 0.0, difference)) * scale
    order = np.argsort(observed, kind="stable")
    shares, tried = _beyond(sums, first[order], second[order], scale[order], observed[order], rng)
    p = np.empty(len(first))
    p[order] = np.maximum.accumulate(shares[::-1])[::-1]
    return Comparisons(first, second, difference, p, level, flips=tried)


def _scale(sums: Floats, first: Ints, second: Ints) -> Floats:
    """One over the root of the sum of squared differences (k,); 0 where all are ties."""
    squares = np.empty(len(first))
    for start in range(0, len(first), step := max(1, _CHUNK // max(len(sums), 1))):
        part = slice(start, start + step)
        apart = sums[:, first[part]] - sums[:, second[part]]
        squares[part] = np.where(np.abs(apart) < _TIE, 0.0, apart**2).sum(axis=0)
    roots = np.sqrt(squares)
    return np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0)


def _beyond(
    sums: Floats, first: Ints, second: Ints, scale: Floats, observed: Floats, rng: np.random.Generator
) -> tuple[Floats, int]:
    """Share of flips (k,) in which the largest statistic up to each pair is at least the observed one, and how many.

    The pairs are ordered by the observed statistic, the smallest first.
    """
    beyond, tried = np.zeros(len(first)), 0
    for signs in _signs(len(sums), len(first), rng):
        flipped = sums.T @ signs.T
        statistic = flipped[first]
        statistic -= flipped[second]
        np.abs(statistic, out=statistic)
        statistic *= scale[:, None]
        np.maximum.accumulate(statistic, axis=0, out=statistic)
        beyond += np.count_nonzero(statistic >= observed[:, None] - _TIE, axis=1)
        tried += len(signs)
    return np.asarray(beyond / tried), tried


def _signs(groups: int, pairs: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Blocks of sign flips (r, G): all up to a common sign, or random ones after the observed one."""
    rows = max(1, _CHUNK // max(pairs, groups, 1))
    if groups <= EXACT_UP_TO:
        every = 2 ** (groups - 1)
        for start in range(0, every, rows):
            numbers = np.arange(start, min(start + rows, every))
            yield np.asarray(1 - 2.0 * ((numbers[:, None] >> np.arange(groups)) & 1), np.float64)
        return
    flips = max(_FEWEST_FLIPS, min(FLIPS, _WORK // max(pairs, 1)))
    yield np.ones((1, groups))
    for start in range(0, flips, rows):
        drawn = rng.integers(0, 2, (min(rows, flips - start), groups), dtype=np.int8)
        yield np.asarray(2.0 * drawn - 1, np.float64)


def correlation_within(values: Floats, groups: Ints) -> float:
    """Correlation of differences inside groups, the median over pairs of methods; NaN where it is not defined.

    Args:
        values: (n, m) of methods on queries.
        groups: (n,) group of each query.

    One-way: (B - W) / (B + (g0 - 1) W) of the mean squares between and within groups, cut at 0.
    """
    n, m = values.shape
    _, position, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    count = len(sizes)
    if m < 2 or count < 2 or count == n:
        return float("nan")
    first, second = family(m)
    if len(first) > 2_000:  # the median of so many pairs does not need all of them
        chosen = np.linspace(0, len(first) - 1, 2_000).astype(np.intp)
        first, second = first[chosen], second[chosen]
    apart = values[:, first] - values[:, second]
    means = group_sums(apart, groups) * n / sizes[:, None]
    between = (sizes[:, None] * (means - apart.mean(axis=0)) ** 2).sum(axis=0) / (count - 1)
    within = ((apart - means[position]) ** 2).sum(axis=0) / (n - count)
    typical = (n - (sizes**2).sum() / n) / (count - 1)
    below = between + (typical - 1) * within
    share = np.divide(between - within, below, out=np.zeros_like(below), where=below > 0)
    return float(np.median(np.maximum(share, 0.0)))


def detectable_by_groups(values: Floats, groups: Ints, tests: int) -> float:
    """Difference of two methods that ``tests`` comparisons find with 80% power, the median over pairs.

    Of a t-test over groups at the strictest corrected level, which is near what joint flips find. Infinite where there
    are too few groups.

    Args:
        values: (n, m) of methods on queries.
        groups: (n,) group of each query.
        tests: number of comparisons.
    """
    sums = group_sums(values, groups)
    count, m = sums.shape
    if count < LEAST_GROUPS:
        return float("inf")
    weights = group_sums(np.ones((len(values), 1)), groups)
    centred = sums - weights * sums.sum(axis=0)
    products = centred.T @ centred
    own = np.diag(products)
    squares = np.clip(own[:, None] + own - 2 * products, 0, None)[np.triu_indices(m, 1)]
    error = np.sqrt(np.median(squares) * count / (count - 1))
    return float(error * (t_quantile(count - 1, 1 - LEVEL / tests / 2) + t_quantile(count - 1, POWER)))
