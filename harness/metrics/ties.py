"""What a ranking is worth where scores are equal: the mean over all orders of tied images, computed exactly.

Of n images with one score any of n! orders would do, and which one a ranking has says nothing of the method (McSherry
and Najork 2008). A *group* is a set of images with one score: it begins at a rank and has a size.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]


class Group(NamedTuple):
    """Images with one score, junk taken out: ``size`` of them from rank ``start`` on, ``positives`` are relevant."""

    start: int
    size: int
    positives: int


def groups_of(values: NDArray[Any]) -> tuple[Ids, Ids]:
    """Of a row (k,) the rank at which the group of each image starts, and its size: neighbours with equal values."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if len(values) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(values)])
    return np.repeat(starts, sizes), np.repeat(sizes, sizes)


def tie_numbers(*rows: NDArray[Any]) -> Ids:
    """Numbers (k,) of the groups of a row: neighbours are in one group if they are equal in all of these rows (k,)."""
    changes = np.any([row[1:] != row[:-1] for row in rows], axis=0)
    return np.concatenate([np.zeros(min(1, len(rows[0])), np.int64), np.cumsum(changes)])


def without_junk(positives: Ids, junk: Ids) -> list[Group]:
    """The groups that hold a positive, best first.

    Args:
        positives: (p, 2) start and size of the group of each positive.
        junk: (j, 2) likewise.
    """
    held, counts = np.unique(positives, axis=0, return_counts=True)
    groups = []
    for (start, size), count in zip(held.tolist(), counts.tolist(), strict=True):
        before, inside = int((junk[:, 0] < start).sum()), int((junk[:, 0] == start).sum())
        groups.append(Group(start - before, size - inside, count))
    return groups


def ends_without_junk(depth: int, junk: Ids) -> list[tuple[int, float]]:
    """Where a ranking that is cut at ``depth`` ends once the junk is taken out, with the probability of each end.

    A tie that is cut lists some of its images, and any of them as likely: how many of those are junk is hypergeometric.

    Args:
        depth: images that the ranking lists.
        junk: (j, 2) start and size of the group of each image that is taken out.
    """
    before = int((junk.sum(axis=1) <= depth).sum())
    cut = junk[(junk[:, 0] < depth) & (junk.sum(axis=1) > depth)]
    if not len(cut):
        return [(depth - before, 1.0)]
    start, size = (int(value) for value in cut[0])
    listed, inside, orders = depth - start, len(cut), comb(size, depth - start)
    shares = range(max(0, listed - (size - inside)), min(listed, inside) + 1)
    return [(depth - before - n, comb(inside, n) * comb(size - inside, listed - n) / orders) for n in shares]


def expected_precision(groups: Sequence[Group], count: int, end: int | None = None) -> float:
    """Mean AP by the trapezoid rule over all orders within the groups.

    A place of a group holds a positive with probability p / m, and then t (p - 1) / (m - 1) of the t images before it
    in the group are positive on average; the area of a positive is linear in that number. O(sum of sizes) time.

    Args:
        groups: those with a positive, best first.
        count: number of positives, in a group or not.
        end: rank from which on positives count as missed; None: nowhere.
    """
    area, hits = 0.0, 0
    for start, size, positives in groups:
        before = np.arange(size if end is None else min(size, max(end - start, 0)), dtype=np.float64)
        found = hits + before * ((positives - 1) / max(size - 1, 1))
        ranks = start + before
        first = np.divide(found, ranks, out=np.ones_like(ranks), where=ranks > 0)
        area += positives / size * float(((first + (found + 1) / (ranks + 1)) / 2).sum())
        hits += positives
    return area / count


def expected_sum_at(groups: Sequence[Group], count: int, k: int, end: int | None = None) -> float:
    """Mean AP by the finite sum over the first k ranks, divided by ``min(count, k)``; as ``expected_precision``."""
    area, hits, reached = 0.0, 0, k if end is None else min(k, end)
    for start, size, positives in groups:
        before = np.arange(min(size, max(reached - start, 0)), dtype=np.float64)
        found = hits + before * ((positives - 1) / max(size - 1, 1))
        area += positives / size * float(((found + 1) / (start + before + 1)).sum())
        hits += positives
    return area / min(count, k)


def expected_success_at(groups: Sequence[Group], k: int, end: int | None = None) -> float:
    """Share of the orders in which a positive is among the first k; positives from rank ``end`` on are missed."""
    reached = k if end is None else min(k, end)
    start, size, positives = groups[0]
    places = min(max(reached - start, 0), size)
    return 1 - comb(size - positives, places) / comb(size, places)


def expected_hits(groups: Sequence[Group], k: int) -> float:
    """Mean number of positives among the first k images; divided by the number of positives it is recall at k."""
    return sum(p * min(max((k - start) / size, 0.0), 1.0) for start, size, p in groups)


def expected_precision_at(groups: Sequence[Group], count: int, k: int, end: int | None = None) -> float:
    """Mean precision at ``min(k, rank of the last positive)`` over all orders within the groups.

    Where the last positive may stand before k, its rank is looked at one by one: it is at place t of a group of m
    images and p positives with probability ``C(t, p - 1) / C(m, p)``. Positives from rank ``end`` on are missed.
    """
    reached = k if end is None else min(k, end)
    hits = expected_hits(groups, reached)
    if sum(group.positives for group in groups) < count:
        return hits / k
    start, size, p = groups[-1]
    before = min(reached - start, size)  # places of the last group among the first k
    if before < p:
        return hits / k
    orders = comb(size, p)
    last = {start + t + 1: comb(t, p - 1) / orders for t in range(p - 1, before)}
    beyond = hits - sum(last.values()) * count  # of the orders whose last positive stands below k
    return sum(share * count / rank for rank, share in last.items()) + max(beyond, 0.0) / k
