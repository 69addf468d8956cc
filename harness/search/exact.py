"""Exact search by inner product: the one that all of the harness and its plugins use.

The *score* of two vectors is their inner product added up in float64 and rounded to float32. It depends on nothing but
the two: equal vectors have equal scores, and a query alone gets the answer that it gets among others, on every device.
Of equal scores the lowest index comes first.

Products of float32 matrices are faster. They say which images may be among the best, within the error that such a
product can have, and only their scores are computed. Loads torch and numba: import it where work is done.
"""

from __future__ import annotations

import itertools
import math
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from harness.core.devices import default_device, usable
from harness.core.errors import InvalidInput
from harness.core.threads import on_all_threads, threads_here
from harness.search import kernels

Array = NDArray[Any]
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Keys = NDArray[np.uint64]

_FEW: Final = 8
"""Up to so many queries scores take no longer than products."""
_QUERIES: Final = 1024
"""Queries multiplied at a time."""
_WITHIN: Final = 1024
"""Most rows and columns of a block of the products of a set with itself."""
_LEAST: Final = 256
"""Rows multiplied at a time, also where there are threads for fewer."""
_GROUP: Final = 128
"""Queries whose candidates one thread gathers at a time."""
_PRODUCTS: Final = 1 << 20
"""Products that a thread holds at a time: 4 MB, which stay in the cache of the processor."""
_CONVERTED: Final = 1 << 24
"""Numbers of the database held at a time as float32: 64 MB."""
_ON_DEVICE: Final = 1 << 26
"""Either of them on a GPU."""
_OVERFLOWS: Final = np.finfo(np.float32).max / 4
"""Products of lengths above this may have overflowed on the way."""
_LAST: Final = np.uint64(2**32 - 1)


class TopK(NamedTuple):
    """The best images of each query, best first.

    Attributes:
        indices: (q, k) int64.
        scores: (q, k) float32, descending.
        ranks: per query the ranks, from 0, of the images asked for by ``ranks_of``, among the whole database.
        ties: per query (m, 2) of the same images: how many have a larger score, and how many have the same, the image
            itself among them.
    """

    indices: Ids
    scores: Floats
    ranks: tuple[Ids, ...] = ()
    ties: tuple[Ids, ...] = ()


def top_k(
    queries: Array,
    database: Array | Sequence[Array],
    k: int | None = None,
    *,
    ranks_of: Sequence[Sequence[int] | Ids] = (),
    device: str | None = None,
) -> TopK:
    """The k images with the largest inner product with each query; exact.

    Of a set searched in itself (the same array) half of the products are computed. Time O(q n d). Memory: at most
    three times the answer, 70 MB, and 4 MB a thread; on a GPU the queries and 512 MB.

    Args:
        queries: (q, d) float32 or float16, finite.
        database: (n, d) float32 or float16, finite, fewer than 2^32 images; or a sequence of such arrays (shards,
            memory maps), whose images are numbered on.
        k: images per query; None, or more than there are, ranks all.
        ranks_of: per query images whose exact rank is wanted, however deep; empty: none.
        device: where products are computed: ``cpu``, or a device of torch such as ``cuda``; None: that of the run under
            way, else the CPU.

    Raises:
        InvalidInput: shapes that do not fit, k below 0, an image that is not in the database, or no such device here.
    """
    shards, k, queries = checked(queries, database, k, ranks_of)
    marks = Marks.of(queries, shards, ranks_of) if len(ranks_of) else None
    return merged([part_top_k(queries, shards, k, marks=marks, device=device or default_device())], k, marks)


class Part(NamedTuple):
    """What a part of the database answers.

    Attributes:
        keys: (q, at most k) of its best, in any order; 0 where it has fewer.
        counts: (e,) of its rows between the marks; empty where there are none.
    """

    keys: Keys
    counts: Ids


def part_top_k(
    queries: Floats,
    rows: Sequence[Array],
    k: int,
    *,
    first: int = 0,
    marks: Marks | None = None,
    device: str = "cpu",
) -> Part:
    """What some rows of a database answer: ``merged`` makes the exact answer of the whole of such parts.

    Args:
        queries: (q, d) float32, C-ordered.
        rows: arrays (n_i, d) of consecutive rows; each is looked at once, one after the other.
        k: images per query.
        first: number of the first row in the database.
        marks: images whose rank is wanted; None: none.
        device: as for ``top_k``.
    """
    size = sum(map(len, rows))
    k = min(k, size)
    best = np.zeros((len(queries), k), np.uint64)
    products = _Products(queries, usable(device))
    ranks = _Ranks(marks) if marks else None
    itself = len(rows) == 1 and rows[0] is queries
    if itself and device == "cpu" and 0 < k < size and ranks is None and not products.few:
        _within(_Chunk(products, queries, first), best)
        rows = []
    place = 0
    for block in _chunks(rows, (_CONVERTED if device == "cpu" else _ON_DEVICE) // max(1, queries.shape[1])):
        chunk = _Chunk(products, block, first + place)
        if k == size:
            best[:, place : place + len(block)] = keys_of(_scores(queries, block), first + place)
        place += len(block)
        if k == size and not ranks:
            continue
        for start in range(0, len(queries), _QUERIES):
            part = slice(start, min(start + _QUERIES, len(queries)))
            _look(chunk, part, best[part] if k < size else best[part, :0], ranks)
    return Part(best, ranks.counts if ranks else np.zeros(0, np.int64))


def merged(parts: Sequence[Part], k: int, marks: Marks | None = None) -> TopK:
    """The exact answer of a database from those of its parts, in any order."""
    keys = parts[0].keys if len(parts) == 1 else np.concatenate([part.keys for part in parts], axis=1)
    if keys.shape[1] > k:
        keys = np.partition(keys, keys.shape[1] - k, axis=1)[:, keys.shape[1] - k :]
    keys.sort(axis=1)
    found = marks.found(np.sum([part.counts for part in parts], axis=0)) if marks else ()
    return TopK(*_decoded(keys[:, ::-1]), *found)


class _Products:
    """Queries, ready to be multiplied on a device."""

    def __init__(self, queries: Floats, device: str) -> None:
        self.queries, self.device, self.few = queries, device, len(queries) <= _FEW
        self.moved = torch.empty(0) if self.few else torch.from_numpy(queries).to(device)
        self.lengths, self.error = kernels.lengths(queries), _relative_error(queries.shape[1])
        self._of_thread = threading.local()

    def buffer(self, queries: int, rows: int) -> torch.Tensor:
        """Uninitialised, of this thread, which uses it again and again."""
        count, held = queries * rows, getattr(self._of_thread, "held", None)
        if held is None or held.numel() < count:
            held = self._of_thread.held = torch.empty(count, device=self.device)
        return held[:count].view(queries, rows)


class _Block(NamedTuple):
    """Queries (m, d), rows (w, d), index of the first row, products (m, w), and by how much they may be wrong (m,)."""

    queries: Floats
    rows: Floats
    first: int
    products: torch.Tensor
    slack: Floats


class _Chunk:
    """Some rows of the database, of which ``first`` is the index of the first, and their products with queries.

    Few queries have their scores instead of products.
    """

    def __init__(self, products: _Products, rows: Floats, first: int) -> None:
        self._products, self.rows, self.first, self.device = products, rows, first, products.device
        self._moved = torch.from_numpy(rows).to(products.device) if not products.few else None
        self._longest = float(kernels.lengths(rows).max()) if not products.few else 0.0

    def queries(self, part: slice) -> Floats:
        """Some of the queries."""
        return self._products.queries[part]

    def slack(self, part: slice) -> Floats:
        """What the products of some queries may differ from the scores."""
        products = self._products.lengths[part] * self._longest
        slack = products * self._products.error
        # Terms below the smallest normal number may be taken for 0. Products with a vector of zeros are right.
        slack[slack > 0] += (self.rows.shape[1] + 1) * kernels.ANY_ORDER
        slack[products > _OVERFLOWS] = np.inf
        return slack.astype(np.float32)

    def blocks(self, queries: int) -> list[slice]:
        """The rows, as many at a time as are multiplied with so many queries: some for each thread."""
        width = (_PRODUCTS if self.device == "cpu" else _ON_DEVICE) // max(1, queries)
        if self.device == "cpu":
            width = min(width, max(_LEAST, -(-len(self.rows) // (4 * threads_here()))))
        return _slices(len(self.rows), max(1, width))

    def block(self, part: slice, rows: slice) -> _Block:
        """Of some queries and some rows; the products live until the next of this thread."""
        queries, some = self.queries(part), self.rows[rows]
        products = self._products.buffer(len(queries), len(some))
        if self._moved is None:
            kernels.scores(queries, some, products.numpy())
        else:
            torch.mm(self._products.moved[part], self._moved[rows].T, out=products)
        return _Block(queries, some, self.first + rows.start, products, self.slack(part))


class _Turns:
    """Queries in groups, on each of which one thread works at a time."""

    def __init__(self, queries: int) -> None:
        self._locks = [threading.Lock() for _ in range(-(-queries // _GROUP))]

    def of(self, first: int, count: int) -> Iterator[slice]:
        """Parts of ``count`` queries from ``first`` on, numbered from 0; each while it is this thread's turn."""
        end = first + count
        for number in range(first // _GROUP, -(-end // _GROUP)):
            with self._locks[number]:
                yield slice(max(number * _GROUP - first, 0), min((number + 1) * _GROUP, end) - first)


class _Pools:
    """Candidates for the best of some queries, gathered block after block; scores are computed once for a chunk."""

    def __init__(self, chunk: _Chunk, part: slice, best: Keys) -> None:
        self._chunk, self._best, self._turns = chunk, best, _Turns(len(best))
        # Rows come in any order: equal scores may be better even where products are right.
        self._queries, self._slack = chunk.queries(part), np.maximum(chunk.slack(part), kernels.ANY_ORDER)
        self._pools = np.empty((len(best), kernels.pool_size(best.shape[1])), np.uint64)
        self._counts, self._bounds = np.empty(len(best), np.int64), np.empty(len(best), np.float32)
        kernels.open_pools(best, self._slack, self._pools, self._counts, self._bounds)

    def add(self, block: _Block) -> None:
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
                kernels.push_columns(products, part.start, *shared)
            else:
                kernels.push(products[part], *shared)

    def settle(self) -> None:
        """Update the best."""
        rows, first = self._chunk.rows, self._chunk.first

        def work(part: slice) -> None:
            pools = self._pools[part], self._counts[part]
            kernels.settle(self._queries[part], rows, first, self._slack[part], *pools, self._best[part])

        on_all_threads(work, _shares(len(self._best)))


class _Pairs:
    """The same, where the device of the products looks for the pairs of a query and a row that may matter."""

    def __init__(self, chunk: _Chunk, part: slice, best: Keys) -> None:
        self._best, self._turn = best, threading.Lock()

    def add(self, block: _Block) -> None:
        """Update the best, the smallest of which comes first."""
        with self._turn:
            self._add(block, self._best)

    def _add(self, block: _Block, best: Keys) -> None:
        device = block.products.device
        slack = torch.from_numpy(block.slack[:, None]).to(device)
        least = torch.from_numpy(_decoded(best[:, :1])[1]).to(device)
        if best.shape[1] <= len(block.rows):
            least = torch.maximum(least, block.products.topk(best.shape[1]).values[:, -1:] - slack)
        query, row = (~(block.products < least - slack)).nonzero().T.cpu().numpy()
        kernels.push_pairs(block.queries, block.rows, query, row, block.first, best)

    def settle(self) -> None:
        """Nothing is left to do."""


def _look(chunk: _Chunk, part: slice, best: Keys, ranks: _Ranks | None) -> None:
    """Multiply some queries with a chunk, update their best (m, k), none where k is 0, and count for ranks."""
    on_cpu = chunk.device == "cpu"
    candidates = (_Pools if on_cpu else _Pairs)(chunk, part, best) if best.shape[1] else None

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


def _within(chunk: _Chunk, best: Keys) -> None:
    """The best among the queries themselves: each product of two blocks serves both, half of them are spared."""
    n = len(best)
    pools = _Pools(chunk, slice(0, n), best)
    # Pairs of blocks enough for all threads, in whole groups.
    side = min(_WITHIN, _GROUP * -(-n // (_GROUP * math.isqrt(8 * threads_here()) + _GROUP)))
    blocks = _slices(n, side)

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
            kernels.score_pairs(queries, _float32(shard[rows]), query[inside], row, some)
            scores[inside] = some
            first += len(shard)
        own = keys_of(scores, ids)
        keys, query = np.stack([own | _LAST, own, own & ~_LAST], axis=1).ravel(), np.repeat(query, 3)
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


class _Ranks:
    """Counts rows between marks."""

    def __init__(self, marks: Marks) -> None:
        self._marks, self._turns = kernels.marked(marks.keys, marks.ends), _Turns(len(marks.ends) - 1)
        self.counts = np.zeros(len(marks.keys), np.int64)

    def add(self, start: int, block: _Block) -> None:
        """Look at a block of the database and the queries from ``start`` on."""
        products = block.products.cpu().numpy()
        for part in self._turns.of(start, len(products)):
            queries, slack, whose = block.queries[part], block.slack[part], start + part.start
            kernels.count(products[part], queries, block.rows, block.first, slack, whose, self._marks, self.counts)


def _scores(queries: Floats, rows: Floats) -> Floats:
    """All scores (m, w)."""
    result = np.empty((len(queries), len(rows)), np.float32)
    on_all_threads(lambda part: kernels.scores(queries, rows[part], result[:, part]), _shares(len(rows)))
    return result


def keys_of(scores: Floats, indices: int | Ids) -> Keys:
    """Keys of scores (..., w), as ``kernels`` has them; ``indices`` (w,), or the first of them."""
    ids = np.arange(indices, indices + scores.shape[-1]) if isinstance(indices, int) else indices
    bits = (scores + np.float32(0)).view(np.uint32)  # 0 for -0: they are equal
    upper = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    return (upper << np.uint64(32)) | (_LAST - ids.astype(np.uint64))


def _decoded(keys: Keys) -> tuple[Ids, Floats]:
    """Indices and scores of keys; the score of no key (0) is minus infinity."""
    upper = (keys >> np.uint64(32)).astype(np.uint32)
    scores = np.where(upper >> 31, upper ^ np.uint32(1 << 31), ~upper).view(np.float32)
    return (_LAST - (keys & _LAST)).astype(np.int64), np.where(keys > 0, scores, np.float32(-np.inf))


def _relative_error(d: int) -> float:
    """Of a product, as a share of the lengths of both vectors; with the roundings of the score and of bounds.

    A sum of d products is wrong by at most d eps, in whatever order they are added up (Higham 2002, §3.5).
    """
    try:
        exact = torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # the newer switches of torch are in use
        exact = False
    return 1.01 * (d + 8) * 2.0**-24 + (0 if exact else 2.0**-6)  # bfloat16: both factors are rounded to 8 bits


def _chunks(shards: Sequence[Array], size: int) -> Iterator[Floats]:
    """Rows as C-ordered float32, at most ``size`` at a time, in one buffer."""
    buffer, size = torch.empty(0), max(1, size)
    for shard in shards:
        for start in range(0, len(shard), size):
            rows = shard[start : start + size]
            if rows.dtype != np.float32 or not rows.flags.c_contiguous:
                buffer = buffer if buffer.numel() >= rows.size else torch.empty(rows.size)
                rows = _float32(rows, buffer[: rows.size].view(rows.shape))
            yield rows


def _float32(rows: Array, out: torch.Tensor | None = None) -> Floats:
    """C-ordered; torch converts several times as fast as numpy."""
    out = torch.empty(rows.shape) if out is None else out
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # it is only read
        converted: Floats = out.copy_(torch.from_numpy(np.ascontiguousarray(rows))).numpy()
    return converted


def _slices(n: int, width: int) -> list[slice]:
    return [slice(start, min(start + width, n)) for start in range(0, n, width)]


def _shares(n: int) -> list[slice]:
    """Parts of n, some for each thread."""
    return _slices(n, max(1, -(-n // (4 * threads_here()))))


def checked(
    queries: Array, database: Array | Sequence[Array], k: int | None, ranks_of: Sequence[Sequence[int] | Ids]
) -> tuple[list[Array], int, Floats]:
    """The arrays of the database, k and the queries as C-ordered float32. Arguments and errors as of ``top_k``."""
    shards = [database] if isinstance(database, np.ndarray) else list(database)
    size = sum(map(len, shards))
    k = size if k is None else min(k, size)
    _check(queries, shards, k, ranks_of, size)
    return shards, k, np.ascontiguousarray(queries, np.float32)


def _check(queries: Array, shards: Sequence[Array], k: int, ranks_of: Sequence[Sequence[int] | Ids], size: int) -> None:
    if k < 0:
        raise InvalidInput(f"k = {k}", fix="at least 0")
    for number, array in enumerate(shards):
        if array.ndim != 2 or queries.ndim != 2 or array.shape[1] != queries.shape[1]:
            name = f"shard {number}" if len(shards) > 1 else "database"
            raise InvalidInput(f"{name} has shape {array.shape}, queries {queries.shape}", fix="(n, d) and (q, d)")
    if len(ranks_of) and len(ranks_of) != len(queries):
        raise InvalidInput(f"ranks_of lists {len(ranks_of)} queries, there are {len(queries)}")
    for query, ids in enumerate(ranks_of):
        if len(ids) and not 0 <= min(ids) <= max(ids) < size:
            raise InvalidInput(f"query {query}: ranks_of names an image that is not there", fix=f"0 to {size - 1}")
