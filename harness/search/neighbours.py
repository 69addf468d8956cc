"""Nearest neighbours by inner product of L2-normalised rows: exact, and approximate by faiss.

``neighbours(x, k)`` looks within one set and leaves every row out of its own list; ``neighbours_of(queries, database,
k)`` looks from one set into another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from harness.core.devices import CPU, default_device
from harness.core.errors import InvalidInput
from harness.search.faiss_library import MOST_ON_GPU, faiss_library, moved
from harness.search.vectors import unit_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]
    Lists = tuple[Floats, Ids]

Method = Literal["exact", "hnsw", "ivf"]

_RECALL_ROWS: Final = 1000
"""Rows on which the recall of an approximate search is measured."""


@dataclass(frozen=True)
class SearchReport:
    """How neighbours were found.

    Attributes:
        method: ``exact``, ``hnsw`` or ``ivf``.
        recall: share of the true neighbours that were found; 1 for the exact search.
        sampled: rows on which the recall was measured (evenly spaced); 0 for the exact search.
        device: where it ran.
    """

    method: Method
    recall: float
    sampled: int
    device: str


class Neighbours(NamedTuple):
    """Neighbours of each row, nearest first: ``indices`` (q, k) int64, ``similarities`` (q, k) float32.

    Where fewer than k rows exist the rest of the list is -1 and 0.
    """

    indices: Ids
    similarities: Floats
    report: SearchReport


def any_order(n: int) -> Ids:
    """An order of n rows, always the same, that has nothing to do with the order in which they are stored."""
    return np.random.default_rng(0).permutation(n)


def neighbours(
    x: ArrayLike, k: int, *, method: Method = "exact", device: str | None = None, preferred: Ids | None = None
) -> Neighbours:
    """The k nearest rows to every row of ``x``, itself left out.

    Rows are L2-normalised first; a row of zeros stays zero, is equally far from everything and so gets the lowest
    indices. Among equal similarities the lowest index comes first, or what ``preferred`` says.

    Args:
        x: (n, d) finite descriptors.
        k: length of the lists, at least 1; lists are padded with -1 and 0 if k >= n.
        method: ``exact``, or the approximate ``hnsw`` (32 links) or ``ivf`` (inverted file), with measured recall.
        device: ``cpu``, or a device of torch such as ``cuda`` (exact only, with the same result); None: that of the run
            under way for the exact search, else the CPU.
        preferred: (n,) all positions: of equally near rows those that come first in it are taken. Data may be stored
            class by class, and then the lowest index is no answer without a class (``any_order``).

    Raises:
        InvalidInput: wrong shape, k or method, or a row that is not finite.
    """
    if preferred is not None:
        near = neighbours(np.asarray(x)[preferred], k, method=method, device=device)
        indices, similarities = np.empty_like(near.indices), np.empty_like(near.similarities)
        indices[preferred] = np.where(near.indices < 0, -1, preferred[near.indices])
        similarities[preferred] = near.similarities
        return near._replace(indices=indices, similarities=similarities)
    device, unit = _device(device, method), unit_rows(x, "x")
    rows = np.arange(len(unit))
    similarities, indices = _search(unit, unit, _valid(k) + 1, method, device)
    found = _tidy(*_without(rows, similarities, indices), unit, rows)
    report = _report(unit, unit, rows, found[1], method, device)
    return Neighbours(*_padded(*found, k), report)


def neighbours_of(
    queries: ArrayLike, database: ArrayLike, k: int, *, method: Method = "exact", device: str | None = None
) -> Neighbours:
    """The k rows of ``database`` (n, d) nearest to every row of ``queries`` (q, d); otherwise as ``neighbours``.

    Raises:
        InvalidInput: wrong shapes, k or method, or a row that is not finite.
    """
    device = _device(device, method)
    asked, unit = unit_rows(queries, "queries"), unit_rows(database, "database")
    if asked.shape[1] != unit.shape[1]:
        raise InvalidInput(
            f"queries have {asked.shape[1]} dimensions, the database {unit.shape[1]}", fix="describe both alike"
        )
    found = _tidy(*_search(asked, unit, _valid(k), method, device), asked, None)
    report = _report(asked, unit, None, found[1], method, device)
    return Neighbours(*_padded(*found, k), report)


def own_entries(indices: Ids, rows: Ids) -> NDArray[np.bool_]:
    """Which entry of its own list (n, k) each row (n,) is, one in every list.

    A list that lacks its row (of more duplicates than fit, or without a descriptor) gives its last entry.
    """
    own: NDArray[np.bool_] = indices == rows[:, None]
    if indices.size:
        own[~own.any(axis=1), -1] = True
    return own


def _device(device: str | None, method: Method) -> str:
    """Where to search: the approximate indices are the CPU's."""
    return device or (default_device() if method == "exact" else CPU)


def _valid(k: int) -> int:
    if k < 1:
        raise InvalidInput(f"k is {k}", fix="ask for at least one neighbour")
    return int(k)


def _search(queries: Floats, database: Floats, k: int, method: Method, device: str) -> Lists:
    k = min(k, len(database))
    if method not in ("exact", "hnsw", "ivf"):
        raise InvalidInput(f"no search method is called {method!r}", fix="use exact, hnsw or ivf")
    if not len(queries) or k == 0:
        return np.zeros((len(queries), k), np.float32), np.zeros((len(queries), k), np.int64)
    if method != "exact":
        if device != "cpu":
            raise InvalidInput(f"method {method!r} runs on the CPU only", fix='use device="cpu" or method="exact"')
        return _approximate(queries, database, k, method)
    from harness.search.exact import top_k

    best = top_k(queries, database, k, device=device)
    return best.scores, best.indices


def _approximate(queries: Floats, database: Floats, k: int, method: Method) -> Lists:
    faiss = faiss_library()
    n, d = database.shape
    if method == "hnsw":
        index: Any = faiss.IndexHNSWFlat(d, 32, faiss.METRIC_INNER_PRODUCT)  # Malkov & Yashunin 2018: M in 5..48
        index.hnsw.efSearch = max(64, 2 * k)
        # Links depend on the order in which threads insert: one thread, so that the same data give the same graph.
        with _one_thread():
            index.add(database)
    else:
        lists = max(1, min(int(4 * np.sqrt(n)), n // 39))  # faiss guidelines: 4 sqrt(n) lists, 39 points a list
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, lists, faiss.METRIC_INNER_PRODUCT)
        index.train(database)
        index.add(database)
        index.nprobe = max(8, lists // 16)
        if max(k, index.nprobe) <= MOST_ON_GPU:
            index = moved(faiss, index)
    similarities, indices = index.search(queries, k)
    return np.where(indices >= 0, similarities, 0), indices


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    faiss = faiss_library()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _without(rows: Ids, similarities: Floats, indices: Ids) -> Lists:
    """Drop each row from its own list."""
    others = ~own_entries(indices, rows)
    shape = (len(rows), max(0, indices.shape[1] - 1))
    return similarities[others].reshape(shape), indices[others].reshape(shape)


def _tidy(similarities: Floats, indices: Ids, unit: Floats, rows: Ids | None) -> Lists:
    """Ties by the lowest index, and the lowest indices for rows of zeros."""
    k = indices.shape[1]
    blank = np.flatnonzero(~unit.any(axis=1))
    if len(blank) and k:
        lowest = np.broadcast_to(np.arange(k + 1), (len(blank), k + 1))
        own = lowest == (np.full((len(blank), 1), k) if rows is None else blank[:, None])
        own = own | (~own.any(axis=1, keepdims=True) & (lowest == k))
        indices[blank], similarities[blank] = lowest[~own].reshape(-1, k), 0
    tied = np.flatnonzero((similarities[:, 1:] == similarities[:, :-1]).any(axis=1))
    order = np.lexsort((indices[tied], -similarities[tied]), axis=1)
    indices[tied] = np.take_along_axis(indices[tied], order, axis=1)
    similarities[tied] = np.take_along_axis(similarities[tied], order, axis=1)
    return similarities, indices


def _report(
    queries: Floats, database: Floats, rows: Ids | None, indices: Ids, method: Method, device: str
) -> SearchReport:
    if method == "exact" or not indices.size:
        return SearchReport(method, 1.0, 0, device)
    sample = np.unique(np.linspace(0, len(queries) - 1, min(_RECALL_ROWS, len(queries))).astype(np.int64))
    k = min(indices.shape[1] + (rows is not None), len(database))
    _, truth = lists = _search(queries[sample], database, k, "exact", device)
    if rows is not None:
        _, truth = _without(sample, *lists)
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(indices[sample], truth, strict=True))
    return SearchReport(method, hits / truth.size, len(sample), device)


def _padded(similarities: Floats, indices: Ids, k: int) -> tuple[Ids, Floats]:
    missing = ((0, 0), (0, k - indices.shape[1]))
    if missing[1][1] == 0:
        return indices, similarities
    return np.pad(indices, missing, constant_values=-1), np.pad(similarities, missing)
