"""Exact search by inner product: the one that all of the harness and its plugins use.

The *score* of two vectors is their inner product added up in float64 and rounded to float32. It depends on nothing but
the two: equal vectors have equal scores, and a query alone gets the answer that it gets among others, on every device.
Of equal scores the lowest index comes first.

Products of float32 matrices are faster. They say which images may be among the best, within the error that such a
product can have, and only their scores are computed. Loads torch and numba: import it where work is done.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness.core.threads import many_threads, shared_threads, threads_here
from harness.search import kernels

Array = NDArray[Any]
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Keys = NDArray[np.uint64]

_FEW: Final = 8
"""Up to so many queries scores take no longer than products."""
_QUERIES: Final = 1024
"""Queries multiplied at a time."""
_PRODUCTS: Final = 1 << 22
"""Products held at a time: 16 MB, which stay in the cache of the processor."""
_CONVERTED: Final = 1 << 24
"""Numbers of the database held at a time as float32: 64 MB."""
_ON_DEVICE: Final = 1 << 26
"""Either of them on a GPU."""
_HEAP: Final = 512
"""Up to this k a heap is fastest; above, the new candidates of a block and the best so far are partitioned."""
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
    device: str = "cpu",
) -> TopK:
    """The k images with the largest inner product with each query; exact.

    Time O(q n d). Memory: twice the answer and 80 MB; on a GPU the queries and 512 MB.

    Args:
        queries: (q, d) float32 or float16, finite.
        database: (n, d) float32 or float16, finite, fewer than 2^32 images; or a sequence of such arrays (shards,
            memory maps), whose images are numbered on.
        k: images per query; None, or more than there are, ranks all.
        ranks_of: per query images whose exact rank is wanted, however deep; empty: none.
        device: where products are computed: ``cpu``, or a device of torch such as ``cuda``.

    Raises:
        InvalidInput: shapes that do not fit, k below 0, or an image that is not in the database.
    """
    shards = [database] if isinstance(database, np.ndarray) else list(database)
    size = sum(map(len, shards))
    k = size if k is None else min(k, size)
    _check(queries, shards, k, ranks_of, size)
    queries = np.ascontiguousarray(queries, np.float32)
    heaps = np.zeros((len(queries), k), np.uint64)
    products = _Products(queries, device)
    ranks = _Ranks(queries, shards, ranks_of) if len(ranks_of) else None
    for first, rows in _blocks(shards, _rows_of_block(len(queries), queries.shape[1], device)):
        for start in range(0, len(queries), _QUERIES):
            part = slice(start, start + _QUERIES)
            if k == size:
                heaps[part, first : first + len(rows)] = _keys(_scores(queries[part], rows), first)
            if 0 < k < size or ranks:
                block = products.block(part, rows, first)
                if 0 < k < size:
                    block.push(heaps[part])
                if ranks:
                    ranks.add(start, block)
    heaps.sort(axis=1)
    return TopK(*_decoded(heaps[:, ::-1]), *(ranks.found() if ranks else ()))


class _Block(NamedTuple):
    """Queries (m, d), rows (w, d), index of the first row, products (m, w), and by how much they may be wrong (m,)."""

    queries: Floats
    rows: Floats
    first: int
    products: torch.Tensor
    slack: Floats

    def push(self, heaps: Keys) -> None:
        """Push what may be among the best into the heap (m, k) of each query."""
        if self.products.device.type != "cpu":
            self.push_pairs(heaps)
        elif heaps.shape[1] > _HEAP:
            self._push_many(heaps)
        else:
            products = self.products.numpy()

            def work(part: slice) -> None:
                kernels.push(products[part], self.queries[part], self.rows, self.first, self.slack[part], heaps[part])

            _each(len(products), work)

    def _push_many(self, heaps: Keys) -> None:
        """The same for many best: keys (m, k) in any order, partitioned with the candidates of the block."""
        products, k = self.products.numpy(), heaps.shape[1]
        near = np.zeros(products.shape[::-1], bool)

        def look(part: slice) -> None:
            for query in range(part.start, part.stop):
                least = _decoded(heaps[query].min(keepdims=True))[1][0]
                if k < len(self.rows):
                    least = max(least, np.partition(products[query], -k)[-k] - self.slack[query])
                near[:, query] = ~(products[query] < least - self.slack[query])

        def merge(part: slice) -> None:
            for query in range(part.start, part.stop):
                heaps[query] = np.partition(np.concatenate([heaps[query], keys[ends[query] : ends[query + 1]]]), -k)[
                    -k:
                ]

        _each(len(products), look)
        # Row after row: each is read once for all queries.
        row, query = np.divmod(np.flatnonzero(near), len(products))
        scores = np.empty(len(row), np.float32)
        _each(len(row), lambda part: kernels.score_pairs(self.queries, self.rows, query[part], row[part], scores[part]))
        order = np.argsort(query.astype(np.uint16), kind="stable")
        keys = _keys(scores[order], self.first + row[order])
        ends = np.concatenate([[0], np.cumsum(np.bincount(query, minlength=len(products)))])
        _each(len(products), merge)

    def push_pairs(self, heaps: Keys) -> None:
        """The same, where the device of the products looks for the pairs of a query and a row that may matter."""
        slack = torch.from_numpy(self.slack[:, None]).to(self.products.device)
        least = torch.from_numpy(_decoded(heaps[:, :1])[1]).to(self.products.device)
        if heaps.shape[1] <= len(self.rows):
            least = torch.maximum(least, self.products.topk(heaps.shape[1]).values[:, -1:] - slack)
        query, row = (~(self.products < least - slack)).nonzero().T.cpu().numpy()
        kernels.push_pairs(self.queries, self.rows, query, row, self.first, heaps)


class _Products:
    """Products of some queries and some rows as float32 matrices, on a device; of few queries their scores."""

    def __init__(self, queries: Floats, device: str) -> None:
        self._queries, self._device = queries, device
        self._moved = torch.from_numpy(queries).to(device) if len(queries) > _FEW else None
        self._lengths, self._error = kernels.lengths(queries), _relative_error(queries.shape[1])
        self._buffer = torch.empty(0, device=device)
        self._rows: tuple[Floats, torch.Tensor, float] | None = None

    def block(self, part: slice, rows: Floats, first: int) -> _Block:
        """Of the queries in ``part`` and rows (w, d), the first of which has the index ``first``."""
        queries = self._queries[part]
        if self._moved is None:
            exact = torch.from_numpy(_scores(queries, rows))
            return _Block(queries, rows, first, exact, np.zeros(len(queries), np.float32))
        if self._rows is None or self._rows[0] is not rows:
            self._rows = rows, torch.from_numpy(rows).to(self._device), float(kernels.lengths(rows).max())
        _, moved, longest = self._rows
        slack = self._lengths[part] * longest * self._error
        # Terms below the smallest normal number may be taken for 0. Products with a vector of zeros are right.
        slack[slack > 0] += queries.shape[1] * np.finfo(np.float32).tiny
        count = len(queries) * len(rows)
        if self._buffer.numel() < count:
            self._buffer = torch.empty(count, device=self._device)
        products = self._buffer[:count].view(len(queries), len(rows))
        with many_threads():  # the order of sums does not matter: ``slack`` bounds what it may change
            torch.mm(self._moved[part], moved.T, out=products)
        return _Block(queries, rows, first, products, slack.astype(np.float32))


class _Ranks:
    """Counts for some images of each query how many are better.

    Three keys an image: the best with its score (of no image but the first), its own, and the least (of none).
    """

    def __init__(self, queries: Floats, shards: Sequence[Array], images: Sequence[Sequence[int] | Ids]) -> None:
        self._ends = np.cumsum([0, *map(len, images)])
        ids = np.concatenate([np.asarray(some, np.int64) for some in images])
        query, scores, first = np.repeat(np.arange(len(images)), np.diff(self._ends)), np.empty(len(ids), np.float32), 0
        for shard in shards:
            inside = np.flatnonzero((ids >= first) & (ids < first + len(shard)))
            rows, row = np.unique(ids[inside] - first, return_inverse=True)
            some = np.empty(len(row), np.float32)
            kernels.score_pairs(queries, _float32(shard[rows]), query[inside], row, some)
            scores[inside] = some
            first += len(shard)
        own = _keys(scores, ids)
        keys, query = np.stack([own | _LAST, own, own & ~_LAST], axis=1).ravel(), np.repeat(query, 3)
        self._ends *= 3
        self._order = np.lexsort((keys, query))
        self._marks = kernels.marked(keys[self._order], self._ends)
        self._counts = np.zeros(len(keys), np.int64)

    def add(self, start: int, block: _Block) -> None:
        """Look at a block of the database and the queries from ``start`` on."""
        products = block.products.cpu().numpy()

        def work(part: slice) -> None:
            queries, slack, whose = block.queries[part], block.slack[part], start + part.start
            kernels.count(products[part], queries, block.rows, block.first, slack, whose, self._marks, self._counts)

        _each(len(products), work)

    def found(self) -> tuple[tuple[Ids, ...], tuple[Ids, ...]]:
        """The ranks of the images of each query, in their order, and their ties."""
        better = np.append(np.cumsum(self._counts[::-1])[::-1], 0)
        ranks = np.empty_like(self._counts)
        ranks[self._order] = better[:-1] - np.repeat(better[self._ends[1:]], np.diff(self._ends))
        larger, own, smaller = ranks.reshape(-1, 3).T
        ends = self._ends[1:-1] // 3
        return tuple(np.split(own, ends)), tuple(np.split(np.stack([larger, smaller - larger], axis=1), ends))


def _scores(queries: Floats, rows: Floats) -> Floats:
    """All scores (m, w)."""
    result = np.empty((len(queries), len(rows)), np.float32)
    _each(len(rows), lambda part: kernels.scores(queries, rows[part], result[:, part]))
    return result


def _keys(scores: Floats, indices: int | Ids) -> Keys:
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


def _rows_of_block(q: int, d: int, device: str) -> int:
    products, numbers = (_PRODUCTS, _CONVERTED) if device == "cpu" else (_ON_DEVICE, _ON_DEVICE)
    return max(1, min(products // max(1, min(q, _QUERIES)), numbers // max(1, d)))


def _blocks(shards: Sequence[Array], size: int) -> Iterator[tuple[int, Floats]]:
    """Index of the first row, and rows as C-ordered float32, at most ``size`` at a time, in one buffer."""
    first, buffer = 0, torch.empty(0)
    for shard in shards:
        for start in range(0, len(shard), size):
            rows = shard[start : start + size]
            if rows.dtype != np.float32 or not rows.flags.c_contiguous:
                buffer = buffer if buffer.numel() >= rows.size else torch.empty(rows.size)
                rows = _float32(rows, buffer[: rows.size].view(rows.shape))
            yield first + start, rows
        first += len(shard)


def _float32(rows: Array, out: torch.Tensor | None = None) -> Floats:
    """C-ordered; torch converts several times as fast as numpy."""
    out = torch.empty(rows.shape) if out is None else out
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # it is only read
        converted: Floats = out.copy_(torch.from_numpy(np.ascontiguousarray(rows))).numpy()
    return converted


def _each(n: int, work: Callable[[slice], None]) -> None:
    """``work`` on parts of n, on as many threads as this process may use."""
    threads = threads_here()
    step = max(1, -(-n // (4 * threads)))
    parts = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    if threads == 1 or len(parts) == 1:
        for part in parts:
            work(part)
        return
    for done in [shared_threads(threads, os.getpid()).submit(work, part) for part in parts]:
        done.result()


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
