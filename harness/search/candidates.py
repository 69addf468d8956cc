"""Candidates for the best images: what products, which may be wrong, leave over, and then its scores."""

from __future__ import annotations

import itertools
import math
import threading
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from harness.core.threads import on_all_threads, threads_here
from harness.search.kernels import ANY_ORDER
from harness.search.keys import decoded
from harness.search.pools import open_pools, pool_size, push, push_columns, push_pairs, settle
from harness.search.products import GROUP, Turns, shares, slices

if TYPE_CHECKING:
    from harness.search.keys import Floats, Keys
    from harness.search.marks import Ranks
    from harness.search.products import Block, Chunk

_WITHIN: Final = 1024
"""Most rows and columns of a block of the products of a set with itself."""


class Pools:
    """Candidates for the best of some queries, gathered block after block; scores are computed once for a chunk."""

    def __init__(self, chunk: Chunk, part: slice, best: Keys) -> None:
        self._chunk, self._best, self._turns = chunk, best, Turns(len(best))
        # Rows come in any order: equal scores may be better even where products are right.
        self._queries, self._slack = chunk.queries(part), np.maximum(chunk.slack(part), ANY_ORDER)
        self._pools = np.empty((len(best), pool_size(best.shape[1])), np.uint64)
        self._counts, self._bounds = np.empty(len(best), np.int64), np.empty(len(best), np.float32)
        open_pools(best, self._slack, self._pools, self._counts, self._bounds)

    def add(self, block: Block) -> None:
        """Gather those of all queries."""
        self.gather(block.products.numpy(), 0, block.first - self._chunk.first)

    def gather(self, products: Floats, query: int, row: int, *, columns: bool = False) -> None:
        """Gather those among products of the queries from ``query`` on and the chunk's rows from ``row`` on.

        Products are (m, w), a query a row, or with ``columns`` (w, m).
        """
        rows, first, k = self._chunk.rows, self._chunk.first, self._best.shape[1]
        for part in self._turns.of(query, products.shape[columns]):
            some = slice(query + part.start, query + part.stop)
            pools = self._pools[some], self._counts[some], self._bounds[some]
            shared = row, self._queries[some], rows, first, self._slack[some], k, *pools
            if columns:
                push_columns(products, part.start, *shared)
            else:
                push(products[part], *shared)

    def settle(self) -> None:
        """Update the best."""
        rows, first = self._chunk.rows, self._chunk.first

        def work(part: slice) -> None:
            pools = self._pools[part], self._counts[part]
            settle(self._queries[part], rows, first, self._slack[part], *pools, self._best[part])

        on_all_threads(work, shares(len(self._best)))


class Pairs:
    """The same, where the device of the products looks for the pairs of a query and a row that may matter."""

    def __init__(self, chunk: Chunk, part: slice, best: Keys) -> None:
        self._best, self._turn = best, threading.Lock()

    def add(self, block: Block) -> None:
        """Update the best, the smallest of which comes first."""
        with self._turn:
            self._add(block, self._best)

    def _add(self, block: Block, best: Keys) -> None:
        device = block.products.device
        slack = torch.from_numpy(block.slack[:, None]).to(device)
        least = torch.from_numpy(decoded(best[:, :1])[1]).to(device)
        if best.shape[1] <= len(block.rows):
            least = torch.maximum(least, block.products.topk(best.shape[1]).values[:, -1:] - slack)
        query, row = (~(block.products < least - slack)).nonzero().T.cpu().numpy()
        push_pairs(block.queries, block.rows, query, row, block.first, best)

    def settle(self) -> None:
        """Nothing is left to do."""


def look(chunk: Chunk, part: slice, best: Keys, ranks: Ranks | None) -> None:
    """Multiply some queries with a chunk, update their best (m, k), none where k is 0, and count for ranks."""
    on_cpu = chunk.device == "cpu"
    candidates = (Pools if on_cpu else Pairs)(chunk, part, best) if best.shape[1] else None

    def work(rows: slice) -> None:
        block = chunk.block(part, rows)
        if candidates:
            candidates.add(block)
        if ranks:
            ranks.add(part.start, block)

    blocks = chunk.blocks(part.stop - part.start)
    if on_cpu:
        on_all_threads(work, blocks)
    else:
        for rows in blocks:
            work(rows)
    if candidates:
        candidates.settle()


def within(chunk: Chunk, best: Keys) -> None:
    """The best among the queries themselves: each product of two blocks serves both, half of them are spared."""
    n = len(best)
    pools = Pools(chunk, slice(0, n), best)
    # Pairs of blocks enough for all threads, in whole groups.
    side = min(_WITHIN, GROUP * -(-n // (GROUP * math.isqrt(8 * threads_here()) + GROUP)))
    blocks = slices(n, side)

    def itself(block: slice) -> None:
        pools.gather(chunk.block(block, block).products.numpy(), block.start, block.start)

    def pair(two: tuple[slice, slice]) -> None:
        left, right = two
        products = chunk.block(left, right).products.numpy()
        pools.gather(products, left.start, right.start)
        pools.gather(products, right.start, left.start, columns=True)

    on_all_threads(itself, blocks)  # which gives all queries their bounds
    on_all_threads(pair, list(itertools.combinations(blocks, 2)))
    pools.settle()
