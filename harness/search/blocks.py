"""Exact search among a database and many distractors that stay on disk: block by block, in bounded memory.

The ranking is cut at ``depth``. Images of the ground truth that it does not reach are not lost: how many images are
better is counted for each of them, so that their average precision is that of the whole ranking. Distractors answer no
query and follow the database, so at equal scores an image of the database comes first. Loads torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness.plugin_api import Ranking

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

MEMORY: Final = 256 << 20
"""Bytes of the block in work, its scores included."""


class Found(NamedTuple):
    """What a search in blocks gives.

    ``ranking`` has ``indices`` (q, k) int64 and ``scores`` (q, k) float32; ``places`` per query the places of its
    labelled images in the whole ranking, from 0, in the order of ``labelled``.
    """

    ranking: Ranking
    places: tuple[Ids, ...]


def search_blocks(
    queries: Floats,
    database: Floats,
    distractors: Sequence[NDArray[Any]],
    depth: int,
    *,
    labelled: Sequence[Sequence[int] | Ids] = (),
    memory: int = MEMORY,
) -> Found:
    """The ``depth`` images with the largest inner product among all, best first; of equal scores the lowest id.

    Args:
        queries: (q, d) float32, finite.
        database: (n, d) float32, finite: ids 0 to n - 1.
        distractors: (n_i, d) float16 or float32 each, memory maps for instance: the ids that follow.
        depth: images per query, at least 1.
        labelled: per query ids of the database whose exact place is wanted; empty: none.
        memory: bytes that a block with its scores may take; results do not depend on it but for the rounding of
            the matrix product.

    Raises:
        InvalidInput: shapes that do not fit, or a labelled id that is not in the database.
    """
    _check(queries, database, distractors, depth, labelled)
    if not len(queries):
        return Found(Ranking(np.empty((0, 0), np.int64), np.empty((0, 0), np.float32)), ())
    wanted = [np.asarray(ids, np.int64) for ids in labelled] or [np.empty(0, np.int64)] * len(queries)
    best, scores, places = _database(queries, database, depth, wanted)
    start = len(database)
    for block in _blocks(distractors, len(queries), memory):
        products = queries @ block.T
        for query, row in enumerate(products):
            best[query].add(row, start)
        if any(map(len, wanted)):
            products.sort(axis=1)
            for query, row in enumerate(products):
                places[query] += len(row) - np.searchsorted(row, scores[query], side="right")
        start += len(block)
    found = [one.sorted() for one in best]
    ranking = Ranking(np.stack([ids for _, ids in found]), np.stack([values for values, _ in found]))
    return Found(ranking, tuple(places))


class _Best:
    """The best ``depth`` of what was added so far, in the order of their ids."""

    def __init__(self, depth: int, scores: Floats, ids: Ids) -> None:
        self.depth, self.scores, self.ids = depth, scores, ids

    def add(self, scores: Floats, start: int) -> None:
        """Scores of the ids from ``start`` on, which are above all ids so far: at equal scores they lose."""
        full = len(self.scores) == self.depth
        better = np.flatnonzero(scores > self.scores.min()) if full else np.arange(len(scores))
        if not len(better):
            return
        values, ids = np.concatenate([self.scores, scores[better]]), np.concatenate([self.ids, better + start])
        kept = _largest(values, self.depth)
        self.scores, self.ids = values[kept], ids[kept]

    def sorted(self) -> tuple[Floats, Ids]:
        """Best first."""
        order = np.argsort(-self.scores, kind="stable")
        return self.scores[order], self.ids[order]


def _largest(values: Floats, k: int) -> Ids:
    """Positions of the k largest, ascending; of equal ones on the cut the first."""
    if len(values) <= k:
        return np.arange(len(values))
    cut = np.partition(values, len(values) - k)[len(values) - k]
    kept = values > cut
    ties = np.flatnonzero(values == cut)[: k - np.count_nonzero(kept)]
    kept[ties] = True
    return np.flatnonzero(kept)


def _database(
    queries: Floats, database: Floats, depth: int, wanted: Sequence[Ids]
) -> tuple[list[_Best], list[Floats], list[Ids]]:
    """The best of the database, and of the labelled images the scores and the places among the database."""
    products = queries @ database.T
    best, scores, places = [], [], []
    for row, ids in zip(products, wanted, strict=True):
        kept = _largest(row, depth)
        best.append(_Best(depth, row[kept], kept))
        scores.append(row[ids])
        place = np.empty(len(row), np.int64)
        if len(ids):
            place[np.argsort(-row, kind="stable")] = np.arange(len(row))
        places.append(place[ids])
    return best, scores, places


def _blocks(distractors: Sequence[NDArray[Any]], n_queries: int, memory: int) -> Iterator[Floats]:
    """Rows as float32, as many at a time as the memory allows; the same array is filled again and again."""
    size = max((len(array) for array in distractors), default=0)
    width = distractors[0].shape[1] if distractors else 0
    rows = max(1, min(size, memory // (4 * (width + 3 * n_queries))))
    buffer = torch.empty((rows, width), dtype=torch.float32)
    for array in distractors:
        for start in range(0, len(array), rows):
            part = array[start : start + rows]
            block = buffer[: len(part)]
            block.copy_(torch.from_numpy(np.asarray(part)))  # several times as fast as numpy's conversion
            yield block.numpy()


def _check(
    queries: Floats,
    database: Floats,
    distractors: Sequence[NDArray[Any]],
    depth: int,
    labelled: Sequence[Sequence[int] | Ids],
) -> None:
    if depth < 1:
        raise InvalidInput(f"depth = {depth}", fix="at least 1")
    for name, array in (("database", database), *((f"shard {i}", array) for i, array in enumerate(distractors))):
        if array.ndim != 2 or queries.ndim != 2 or array.shape[1] != queries.shape[1]:
            raise InvalidInput(f"{name} has shape {array.shape}, queries {queries.shape}", fix="one dimension for all")
    if labelled and len(labelled) != len(queries):
        raise InvalidInput(f"labelled lists {len(labelled)} queries, there are {len(queries)}")
    for query, ids in enumerate(labelled):
        if len(ids) and not (0 <= min(ids) and max(ids) < len(database)):
            raise InvalidInput(f"query {query}: a labelled id is not in the database", fix=f"0 to {len(database) - 1}")
