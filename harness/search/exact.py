"""Exact search by inner product: the one that all of the harness and its plugins use.

The *score* of two vectors is their inner product added up in float64 and rounded to float32. It depends on nothing but
the two: equal vectors have equal scores, and a query alone gets the answer that it gets among others, on every device.
Of equal scores the lowest index comes first.

Products of float32 matrices are faster. They say which images may be among the best, within the error that such a
product can have, and only their scores are computed. Loads torch and numba: import it where work is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from harness.core.devices import default_device, usable
from harness.core.errors import InvalidInput
from harness.core.threads import on_all_threads
from harness.search import kernels
from harness.search.candidates import look, within
from harness.search.keys import Array, Floats, Ids, Keys, decoded, keys_of
from harness.search.marks import Marks, Ranks
from harness.search.products import CONVERTED, ON_DEVICE, Chunk, Products, chunks, shares

_QUERIES: Final = 1024
"""Queries multiplied at a time."""


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
    products = Products(queries, usable(device))
    ranks = Ranks(marks) if marks else None
    itself = len(rows) == 1 and rows[0] is queries
    if itself and device == "cpu" and 0 < k < size and ranks is None and not products.few:
        within(Chunk(products, queries, first), best)
        rows = []
    place = 0
    for block in chunks(rows, (CONVERTED if device == "cpu" else ON_DEVICE) // max(1, queries.shape[1])):
        chunk = Chunk(products, block, first + place)
        if k == size:
            best[:, place : place + len(block)] = keys_of(_scores(queries, block), first + place)
        place += len(block)
        if k == size and not ranks:
            continue
        for start in range(0, len(queries), _QUERIES):
            part = slice(start, min(start + _QUERIES, len(queries)))
            look(chunk, part, best[part] if k < size else best[part, :0], ranks)
    return Part(best, ranks.counts if ranks else np.zeros(0, np.int64))


def merged(parts: Sequence[Part], k: int, marks: Marks | None = None) -> TopK:
    """The exact answer of a database from those of its parts, in any order."""
    keys = parts[0].keys if len(parts) == 1 else np.concatenate([part.keys for part in parts], axis=1)
    if keys.shape[1] > k:
        keys = np.partition(keys, keys.shape[1] - k, axis=1)[:, keys.shape[1] - k :]
    keys.sort(axis=1)
    found = marks.found(np.sum([part.counts for part in parts], axis=0)) if marks else ()
    return TopK(*decoded(keys[:, ::-1]), *found)


def _scores(queries: Floats, rows: Floats) -> Floats:
    """All scores (m, w)."""
    result = np.empty((len(queries), len(rows)), np.float32)
    on_all_threads(lambda part: kernels.scores(queries, rows[part], result[:, part]), shares(len(rows)))
    return result


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
