"""Ranks of some images, however deep: all others are only counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.search.counting import count, marked
from harness.search.kernels import score_pairs
from harness.search.keys import LAST, Array, Floats, Ids, Keys, keys_of
from harness.search.products import Turns, as_float32

if TYPE_CHECKING:
    from harness.search.products import Block


class Marks(NamedTuple):
    """Images of each query whose rank is wanted: rows are counted that are better.

    Three keys an image: the best with its score (of no image but the first), its own, and the least (of none).

    Attributes:
        keys: (e,) query after query, ascending within a query.
        ends: (q + 1,) where those of a query begin and end.
        order: (e,) where each key was in the order of the images.
    """

    keys: Keys
    ends: Ids
    order: Ids

    @classmethod
    def of(cls, queries: Floats, shards: Sequence[Array], images: Sequence[Sequence[int] | Ids]) -> Marks:
        """Those of images of a database; reads no other rows of it."""
        ends = np.cumsum([0, *map(len, images)])
        ids = np.concatenate([np.asarray(some, np.int64) for some in images])
        query, scores, first = np.repeat(np.arange(len(images)), np.diff(ends)), np.empty(len(ids), np.float32), 0
        for shard in shards:
            inside = np.flatnonzero((ids >= first) & (ids < first + len(shard)))
            rows, row = np.unique(ids[inside] - first, return_inverse=True)
            some = np.empty(len(row), np.float32)
            score_pairs(queries, as_float32(shard[rows]), query[inside], row, some)
            scores[inside] = some
            first += len(shard)
        own = keys_of(scores, ids)
        keys, query = np.stack([own | LAST, own, own & ~LAST], axis=1).ravel(), np.repeat(query, 3)
        order = np.lexsort((keys, query))
        return cls(keys[order], ends * 3, order)

    def found(self, counts: Ids) -> tuple[tuple[Ids, ...], tuple[Ids, ...]]:
        """The ranks of the images of each query, in their order, and their ties, from the counts (e,) of all rows."""
        better = np.append(np.cumsum(counts[::-1])[::-1], 0)
        ranks = np.empty_like(counts)
        ranks[self.order] = better[:-1] - np.repeat(better[self.ends[1:]], np.diff(self.ends))
        larger, own, smaller = ranks.reshape(-1, 3).T
        ends = self.ends[1:-1] // 3
        return tuple(np.split(own, ends)), tuple(np.split(np.stack([larger, smaller - larger], axis=1), ends))


class Ranks:
    """Counts rows between marks."""

    def __init__(self, marks: Marks) -> None:
        self._marks, self._turns = marked(marks.keys, marks.ends), Turns(len(marks.ends) - 1)
        self.counts = np.zeros(len(marks.keys), np.int64)

    def add(self, start: int, block: Block) -> None:
        """Look at a block of the database and the queries from ``start`` on."""
        products = block.products.cpu().numpy()
        for part in self._turns.of(start, len(products)):
            queries, slack, whose = block.queries[part], block.slack[part], start + part.start
            count(products[part], queries, block.rows, block.first, slack, whose, self._marks, self.counts)
