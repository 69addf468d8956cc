"""Products of queries with rows of a database, block by block, and by how much they may be wrong. Loads torch."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch

from harness.core.threads import threads_here
from harness.search import kernels
from harness.search.keys import Array, Floats

_FEW: Final = 8
"""Up to so many queries scores take no longer than products."""
_LEAST: Final = 256
"""Rows multiplied at a time, also where there are threads for fewer."""
GROUP: Final = 128
"""Queries whose candidates one thread gathers at a time."""
_PRODUCTS: Final = 1 << 20
"""Products that a thread holds at a time: 4 MB, which stay in the cache of the processor."""
CONVERTED: Final = 1 << 24
"""Numbers of the database held at a time as float32: 64 MB."""
ON_DEVICE: Final = 1 << 26
"""Either of them on a GPU."""
_OVERFLOWS: Final = np.finfo(np.float32).max / 4
"""Products of lengths above this may have overflowed on the way."""


class Products:
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


class Block(NamedTuple):
    """Queries (m, d), rows (w, d), index of the first row, products (m, w), and by how much they may be wrong (m,)."""

    queries: Floats
    rows: Floats
    first: int
    products: torch.Tensor
    slack: Floats


class Chunk:
    """Some rows of the database, of which ``first`` is the index of the first, and their products with queries.

    Few queries have their scores instead of products.
    """

    def __init__(self, products: Products, rows: Floats, first: int) -> None:
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
        width = (_PRODUCTS if self.device == "cpu" else ON_DEVICE) // max(1, queries)
        if self.device == "cpu":
            width = min(width, max(_LEAST, -(-len(self.rows) // (4 * threads_here()))))
        return slices(len(self.rows), max(1, width))

    def block(self, part: slice, rows: slice) -> Block:
        """Of some queries and some rows; the products live until the next of this thread."""
        queries, some = self.queries(part), self.rows[rows]
        products = self._products.buffer(len(queries), len(some))
        if self._moved is None:
            kernels.scores(queries, some, products.numpy())
        else:
            torch.mm(self._products.moved[part], self._moved[rows].T, out=products)
        return Block(queries, some, self.first + rows.start, products, self.slack(part))


class Turns:
    """Queries in groups, on each of which one thread works at a time."""

    def __init__(self, queries: int) -> None:
        self._locks = [threading.Lock() for _ in range(-(-queries // GROUP))]

    def of(self, first: int, count: int) -> Iterator[slice]:
        """Parts of ``count`` queries from ``first`` on, numbered from 0; each while it is this thread's turn."""
        end = first + count
        for number in range(first // GROUP, -(-end // GROUP)):
            with self._locks[number]:
                yield slice(max(number * GROUP - first, 0), min((number + 1) * GROUP, end) - first)


def chunks(shards: Sequence[Array], size: int) -> Iterator[Floats]:
    """Rows as C-ordered float32, at most ``size`` at a time, in one buffer."""
    buffer, size = torch.empty(0), max(1, size)
    for shard in shards:
        for start in range(0, len(shard), size):
            rows = shard[start : start + size]
            if rows.dtype != np.float32 or not rows.flags.c_contiguous:
                buffer = buffer if buffer.numel() >= rows.size else torch.empty(rows.size)
                rows = as_float32(rows, buffer[: rows.size].view(rows.shape))
            yield rows


def as_float32(rows: Array, out: torch.Tensor | None = None) -> Floats:
    """C-ordered; torch converts several times as fast as numpy."""
    out = torch.empty(rows.shape) if out is None else out
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # it is only read
        converted: Floats = out.copy_(torch.from_numpy(np.ascontiguousarray(rows))).numpy()
    return converted


def slices(n: int, width: int) -> list[slice]:
    """Parts of n, ``width`` wide but the last."""
    return [slice(start, min(start + width, n)) for start in range(0, n, width)]


def shares(n: int) -> list[slice]:
    """Parts of n, some for each thread."""
    return slices(n, max(1, -(-n // (4 * threads_here()))))


def _relative_error(d: int) -> float:
    """Of a product, as a share of the lengths of both vectors; with the roundings of the score and of bounds.

    A sum of d products is wrong by at most d eps, in whatever order they are added up (Higham 2002, §3.5).
    """
    try:
        exact = torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # the newer switches of torch are in use
        exact = False
    return 1.01 * (d + 8) * 2.0**-24 + (0 if exact else 2.0**-6)  # bfloat16: both factors are rounded to 8 bits
