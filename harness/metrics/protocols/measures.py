"""What a query is worth under each protocol: vectorised over all queries, float64 in [0, 1] (UKBench: [0, 4]).

With 0-based ranks r_0 < r_1 < ... of the positives that a ranking reaches, ``a_j = j / r_j`` (1 where r_j = 0) is the
precision just before positive j and ``b_j = (j + 1) / (r_j + 1)`` that at it. ``trapezoid`` adds up (a_j + b_j) / 2,
the area under the precision-recall curve; ``finite_sum`` adds up b_j. Protocols differ in what they divide by, and in
which positives they look at. A measure gives a number for every query; which of them count is said by the protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.checks import Ids
    from harness.metrics.protocols.judged import Floats, Hits

_EVERYTHING: Final = np.iinfo(np.int64).max


def _add(hits: Hits, values: Floats) -> Floats:
    return np.asarray(np.bincount(hits.query, weights=values, minlength=len(hits.total)), np.float64)


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Floats:
    """``part / whole``; 0 where there is nothing to divide by."""
    top, bottom = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _up_to(hits: Hits, k: int | Ids) -> Hits:
    """The positives among the first k; k of all queries, or one of each."""
    limit = k if isinstance(k, int) else k[hits.query]
    return hits.only(hits.rank < limit)


def _trapezoid(hits: Hits) -> Floats:
    before = np.divide(hits.before, hits.rank, out=np.ones(len(hits.rank)), where=hits.rank > 0)
    return _add(hits, (before + (hits.before + 1) / (hits.rank + 1)) / 2)


def _finite_sum(hits: Hits) -> Floats:
    return _add(hits, (hits.before + 1) / (hits.rank + 1))


def trapezoid(hits: Hits, k: int) -> Floats:
    """Area by the trapezoid rule over all positives: what the list does not reach is lost."""
    return _share(_trapezoid(hits), hits.total)


def trapezoid_at(hits: Hits, k: int) -> Floats:
    """The same of the first k ranks."""
    return _share(_trapezoid(_up_to(hits, k)), hits.total)


def trapezoid_of_found(hits: Hits, k: int) -> Floats:
    """Divided by the positives that the list reaches: what it does not reach is forgiven."""
    return _share(_trapezoid(hits), hits.found)


def trapezoid_of_listed(hits: Hits, k: int) -> Floats:
    """Divided by no more than the length of the list."""
    return _share(_trapezoid(hits), np.minimum(hits.total, hits.length))


def finite_sum(hits: Hits, k: int) -> Floats:
    """Non-interpolated average precision over all positives."""
    return _share(_finite_sum(hits), hits.total)


def finite_sum_at(hits: Hits, k: int) -> Floats:
    """The first k ranks, divided by all positives (``map_cut_k``)."""
    return _share(_finite_sum(_up_to(hits, k)), hits.total)


def finite_sum_capped(hits: Hits, k: int) -> Floats:
    """The first k ranks, divided by the positives that can be among them."""
    return _share(_finite_sum(_up_to(hits, k)), np.minimum(hits.total, k))


def finite_sum_of_found(hits: Hits, k: int) -> Floats:
    """The first k ranks, divided by the positives found there; positives of score 0 or below do not count."""
    top = hits.only((hits.rank < k) & ~(hits.score <= 0))
    return _share(_finite_sum(top), top.found)


def finite_sum_at_total(hits: Hits, k: int) -> Floats:
    """The first R ranks of a query with R positives, divided by R (MAP@R)."""
    return _share(_finite_sum(_up_to(hits, hits.total)), hits.total)


def finite_sum_small(hits: Hits, k: int) -> Floats:
    """The first n = min(R, k) ranks, divided by n."""
    n = np.minimum(hits.total, k)
    return _share(_finite_sum(_up_to(hits, n)), n)


def grouped(hits: Hits, k: int) -> Floats:
    """Recall steps times precision at the end of each group of equal scores, over all positives."""
    return _share(_add(hits, _share(hits.before_end, hits.end)), hits.total)


def grouped_capped(hits: Hits, k: int) -> Floats:
    """The same of the first k ranks, divided by the positives that can be among them."""
    top = hits.only(hits.rank < k)
    end = np.minimum(top.end, k)
    return _share(_add(top, _share(top.before_end, end)), np.minimum(hits.total, k))


def precision(hits: Hits, k: int) -> Floats:
    """Positives among the first k, divided by k even where fewer are listed."""
    return _up_to(hits, k).found / k


def precision_to_last(hits: Hits, k: int) -> Floats:
    """Precision at ``min(k, rank of the last positive)`` that the ranking reaches; 0 if it reaches none."""
    last = np.zeros(len(hits.total), np.int64)
    last[hits.query] = hits.rank + 1  # ranks rise: the last stays
    cut = np.minimum(k, last)
    return _share(_up_to(hits, cut).found, cut)


def precision_to_known_last(hits: Hits, k: int) -> Floats:
    """The same, with a cut lowered only by rankings that reach all positives."""
    last = np.zeros(len(hits.total), np.int64)
    last[hits.query] = hits.rank + 1
    cut = np.minimum(k, np.where(hits.found == hits.total, last, _EVERYTHING))
    return _share(_up_to(hits, cut).found, cut)


def precision_small(hits: Hits, k: int) -> Floats:
    """Precision at n = min(R, k)."""
    n = np.minimum(hits.total, k)
    return _share(_up_to(hits, n).found, n)


def recall(hits: Hits, k: int) -> Floats:
    """Share of the positives that is among the first k."""
    return _share(_up_to(hits, k).found, hits.total)


def recall_of_found(hits: Hits, k: int) -> Floats:
    """Share of the positives that the list reaches that is among the first k."""
    return _share(_up_to(hits, k).found, hits.found)


def success(hits: Hits, k: int) -> Floats:
    """1 where any positive is among the first k: recall@k of metric learning and place recognition."""
    return (_up_to(hits, k).found > 0).astype(np.float64)


def right_ones(hits: Hits, k: int) -> Floats:
    """Number of positives among the first k."""
    return _up_to(hits, k).found.astype(np.float64)


def r_precision(hits: Hits, k: int) -> Floats:
    """Share of the first R ranks that is positive, of a query with R positives."""
    return _share(_up_to(hits, hits.total).found, hits.total)


def reciprocal_rank(hits: Hits, k: int) -> Floats:
    """1 / rank of the first positive among the first k, 0 if there is none."""
    first = hits.only((hits.before == 0) & (hits.rank < k))
    return _add(first, 1 / (first.rank + 1))


def gain(hits: Hits, k: int) -> Floats:
    """Normalised discounted cumulative gain of the first k: gain 1, discount log2(rank + 1), ranks from 1."""
    top = _up_to(hits, k)
    best = np.minimum(hits.total, k)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, int(best.max(initial=0)) + 2)))])
    return _share(_add(top, 1 / np.log2(top.rank + 2)), ideal[best])


def _envelope(hits: Hits) -> tuple[Floats, Ids]:
    """(q, most hits): the largest precision at this positive or a later one; 0 beyond the last."""
    width = int(hits.found.max(initial=0))
    table = np.zeros((len(hits.total), width))
    table[hits.query, hits.before] = (hits.before + 1) / (hits.rank + 1)
    return np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1], np.arange(width)


def envelope(hits: Hits, k: int) -> Floats:
    """Area under the interpolated curve: at every recall the largest precision at that recall or a larger one (VOC)."""
    table, _ = _envelope(hits)
    return _share(np.where(table > 0, table, 0).sum(axis=1), hits.total)


def points_above(hits: Hits, k: int) -> Floats:
    """Mean, over recalls t = 0, 0.01, ..., 0.99, of the largest precision at a recall above t."""
    return _points(hits, [(t * hits.total) // 100 for t in range(100)])


def eleven_points(hits: Hits, k: int) -> Floats:
    """Mean, over recalls t = 0, 0.1, ..., 1, of the largest precision at a recall of at least t."""
    return _points(hits, [np.maximum(-(-t * hits.total // 10) - 1, 0) for t in range(11)])


def _points(hits: Hits, firsts: list[Ids]) -> Floats:
    """Mean of the envelope from each of these positives on, numbered from 0; a number for each query."""
    table, _ = _envelope(hits)
    padded = np.concatenate([table, np.zeros((len(table), 1))], axis=1)
    queries, last = np.arange(len(table)), table.shape[1]
    sums: Floats = np.sum([padded[queries, np.minimum(first, last)] for first in firsts], axis=0)
    return sums / len(firsts)
