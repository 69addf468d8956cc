"""Approximate search of a database in shards: inverted lists of product-quantised vectors, the best scored exactly.

Of each query the lists with the nearest centroids are looked through (Jegou et al. 2011; faiss). Codes say which
images may be among the best, and those are scored as in the exact search. Centroids and codes are learnt once, on rows
spread evenly over the database, whatever the shards. Loads faiss where it is used.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.cache.latest import Latest
from harness.core.errors import InvalidInput
from harness.core.files import writing
from harness.search.ivf_pq_jobs import (
    AskedIndex,
    IndexJob,
    build_index,
    candidates_of,
    search_index,
    threads_for,
)
from harness.search.sharded import Jobs, ShardedSearch, count_jobs
from harness.search.stored_rows import Shard, shards_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.search.exact import TopK

    Array = NDArray[Any]
    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]

RESULT_VERSION: Final = 2
"""Of what is found; counts for runs that search so."""
RECALL_AT: Final = 100
LEAST_IMAGES: Final = 1024
"""Codes of a byte have 256 values, which so few vectors can just teach."""
_CODE_BYTES: Final = 64
_PER_LIST: Final = 64
"""Vectors that teach a centroid (faiss warns below 39)."""
_CANDIDATES: Final = 1000
"""Least number of images a query that are scored exactly."""
_SAMPLED: Final = 32
"""Queries on which the recall is measured, evenly spaced."""
_NUMBERS: Final = 1 << 24
"""Of the candidates of queries that are held at a time."""


def _of_largest_estimates(found: Sequence[tuple[Floats, Ids]], count: int) -> Ids:
    """The candidates (q, at most ``count``) of all shards; -1 is none."""
    from harness.search.keys import decoded, keys_of

    estimates, ids = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
    keys = np.where(ids < 0, 0, keys_of(estimates, ids))
    rest = max(0, keys.shape[1] - count)
    best = np.partition(keys, rest, axis=1)[:, rest:] if rest else keys
    return np.where(best > 0, decoded(best)[0], -1)


def _best(queries: Floats, ids: Ids, shards: Sequence[Shard], k: int) -> NDArray[np.uint64]:
    """Keys (m, k) of the best of candidates (m, c); -1 is none."""
    from harness.search.kernels import score_pairs
    from harness.search.keys import keys_of

    query, place = np.nonzero(ids >= 0)
    rows, row = np.unique(ids[query, place], return_inverse=True)
    scores = np.empty(len(row), np.float32)
    score_pairs(queries, _gathered(shards, rows), query, row, scores)
    keys: NDArray[np.uint64] = np.zeros(ids.shape, np.uint64)
    keys[query, place] = keys_of(scores, ids[query, place])
    rest = max(0, keys.shape[1] - k)
    best: NDArray[np.uint64] = np.partition(keys, rest, axis=1)[:, rest:]
    return best


def _gathered(shards: Sequence[Shard], rows: Ids) -> Floats:
    """Some rows (ascending) of a database as float32."""
    blocks, first = [], 0
    for piece in itertools.chain.from_iterable(shard.pieces for shard in shards):
        start, stop = np.searchsorted(rows, [first, first + piece.shape[0]])
        if start < stop:
            blocks.append(piece.mapped()[rows[start:stop] - first].astype(np.float32))
        first += piece.shape[0]
    return np.concatenate(blocks) if blocks else np.empty((0, shards[0].pieces[0].shape[1]), np.float32)


@dataclass
class ApproximateSearch:
    """Searches as ``top_k``, approximately, after ``build``.

    Attributes:
        count: of shards, at most.
        jobs: builds and searches their indices.
        folder: seen by all jobs; rows and indices lie there until ``close``.
        probes: lists of each query that are looked through, and more where they hold fewer images than are asked for;
            0: a sixteenth of them.
        report: what was built, and its recall once it was measured.
    """

    count: int
    jobs: Jobs
    folder: Path
    probes: int = 0
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _shards: list[Shard] = field(default_factory=list)
    _place: Path = Path()
    _opened: dict[int, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)

    def build(self, arrays: Sequence[Array]) -> None:
        """Index a database; what was indexed before is gone.

        Args:
            arrays: (n_i, d) float16 or float32, consecutive rows of length 1.

        Raises:
            InvalidInput: fewer than 1,024 images.
        """
        self.close()
        n, d = sum(map(len, arrays)), arrays[0].shape[1]
        if n < LEAST_IMAGES:
            raise InvalidInput(
                f"an approximate search of {n:,} images: its codes are learnt from at least {LEAST_IMAGES:,}",
                fix="search: exact",
            )
        self._shards, self._place = self._open.enter_context(shards_of(arrays, self.count, self.folder))
        lists = 1 << round(math.log2(min(n**0.5, n / _PER_LIST)))
        code_bytes = max(m for m in range(1, min(_CODE_BYTES, d) + 1) if d % m == 0)
        trained = self._place / "trained.faiss"
        sample = _sample(arrays, max(_PER_LIST * lists, LEAST_IMAGES))
        with threads_for(sample.size):
            _train(sample, lists, code_bytes, trained)
        jobs = [IndexJob(shard, trained, self._index(i)) for i, shard in enumerate(self._shards)]
        count_jobs(self.jobs(build_index, jobs, "build indices"))
        probes = min(lists, self.probes or max(1, lists // 16))
        self.report = {"method": "ivf-pq", "lists": lists, "probes": probes, "code_bytes": code_bytes}

    def __call__(self, queries: Array, database: object, k: int) -> TopK:
        """The k best images of each query, or all; ``database`` is the one that was indexed.

        More lists are looked through for a query in whose lists lie fewer images than are asked for.
        """

        def search(asked: Floats, probes: int) -> list[tuple[Floats, Ids]]:
            with tempfile.NamedTemporaryFile(dir=self._place, suffix=".npy") as file:
                with writing(self._place):
                    np.save(file, asked)
                    file.flush()
                jobs = [
                    AskedIndex(self._index(i), shard.first, Path(file.name), _wanted(k), probes)
                    for i, shard in enumerate(self._shards)
                ]
                found = self.jobs(search_index, jobs, "search indices")
            count_jobs(found)
            return [(part.estimates, part.ids) for part in found]

        return self._answered(queries, k, search)

    def alone(self, queries: Array, database: object, k: int) -> TopK:
        """The same in this process, which holds the indices: as a query is answered in use."""
        import faiss

        for i in range(0 if self._opened else len(self._shards)):
            self._opened[i] = faiss.read_index(str(self._index(i)), faiss.IO_FLAG_MMAP)

        def search(asked: Floats, probes: int) -> list[tuple[Floats, Ids]]:
            return [
                candidates_of(self._opened[i], shard.first, asked, _wanted(k), probes)
                for i, shard in enumerate(self._shards)
            ]

        return self._answered(queries, k, search)

    def _answered(self, queries: Array, k: int, search: Callable[[Floats, int], list[tuple[Floats, Ids]]]) -> TopK:
        """What ``search`` finds of queries in so many lists, and in more of those of which it finds too little."""
        asked, probes = np.ascontiguousarray(queries, np.float32), self.report["probes"]
        n = sum(map(len, self._shards))
        found = search(asked, probes)
        while probes < self.report["lists"]:
            count = sum(np.count_nonzero(ids >= 0, axis=1) for _, ids in found)
            few = np.flatnonzero(count < min(k, n))
            if not len(few):
                break
            probes = min(2 * probes, self.report["lists"])
            more = search(asked[few], probes)
            found = [(_replaced(a, few, c), _replaced(b, few, d)) for (a, b), (c, d) in zip(found, more, strict=True)]
        return self._scored(asked, found, k)

    def _scored(self, queries: Floats, found: Sequence[tuple[Floats, Ids]], k: int) -> TopK:
        """The best of the candidates by their exact scores, read from the rows."""
        from harness.search.exact import Part, merged

        ids = _of_largest_estimates(found, _wanted(k))
        step = max(1, _NUMBERS // max(1, ids.shape[1] * queries.shape[1]))
        starts = range(0, len(queries), step)
        parts = [_best(queries[i : i + step], ids[i : i + step], self._shards, k) for i in starts]
        keys = np.concatenate(parts) if parts else np.zeros((0, k), np.uint64)
        return merged([Part(keys, np.zeros(0, np.int64))], k)

    def measure(self, queries: Array, arrays: Sequence[Array]) -> None:
        """Measure the recall on some of the queries against the exact search, for the report."""
        n = sum(map(len, arrays))
        k = min(RECALL_AT, n)
        sample = np.unique(np.linspace(0, len(queries) - 1, min(_SAMPLED, len(queries))).astype(np.int64))
        asked = np.ascontiguousarray(queries[sample], np.float32)
        truth = ShardedSearch(self.count, self.jobs, self.folder)(asked, arrays, k)
        found = self(asked, arrays, k)
        hits = [len(np.intersect1d(a, b)) for a, b in zip(found.indices, truth.indices, strict=True)]
        self.report |= {f"recall@{k}": sum(hits) / truth.indices.size, "sampled": len(sample)}

    def close(self) -> None:
        """Remove the files."""
        self._open.close()
        self._shards, self._opened = [], {}

    def _index(self, number: int) -> Path:
        return self._place / f"{number}.faiss"


def _replaced(values: Array, rows: Ids, by: Array) -> Array:
    """Values (q, c) with other ones in some rows; what comes from other processes may not be writable."""
    copy = values.copy()
    copy[rows] = by
    return copy


def _wanted(k: int) -> int:
    """Candidates of which k are asked for."""
    return max(_CANDIDATES, 2 * k)


def _train(sample: Floats, lists: int, code_bytes: int, out: Path) -> None:
    """Write an empty index with its centroids and codes, which runs that search the same descriptors in turn share."""
    with writing(out):
        out.write_bytes(_TRAINED.of(sample, lists, code_bytes))


def _trained(sample: Floats, lists: int, code_bytes: int) -> bytes:
    """An index that has learnt from vectors and holds none."""
    import faiss

    d = int(sample.shape[1])
    index = faiss.IndexIVFPQ(faiss.IndexFlatIP(d), d, lists, code_bytes, 8, faiss.METRIC_INNER_PRODUCT)
    for means in (index.cp, index.pq.cp):
        means.min_points_per_centroid = 1  # of small databases; it only says when to warn
    index.train(sample)
    return bytes(faiss.serialize_index(index))


_TRAINED: Final = Latest(_trained)


def _sample(arrays: Sequence[Array], count: int) -> Floats:
    """Rows (at most ``count``) spread evenly over all arrays."""
    n = sum(map(len, arrays))
    rows = np.unique(np.linspace(0, n - 1, min(count, n)).astype(np.int64))
    blocks, first = [], 0
    for array in arrays:
        inside = rows[(rows >= first) & (rows < first + len(array))] - first
        blocks.append(np.asarray(array[inside], np.float32))
        first += len(array)
    return np.ascontiguousarray(np.concatenate(blocks))
