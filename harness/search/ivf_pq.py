"""Approximate search of a database in shards: inverted lists of product-quantised vectors, the best scored exactly.

Of each query the lists with the nearest centroids are looked through (Jegou et al. 2011; faiss). Codes say which
images may be among the best, and those are scored as in the exact search. Centroids and codes are learnt once, on rows
spread evenly over the database, whatever the shards. Loads faiss where it is used.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.cost import measured
from harness.core.errors import InvalidInput
from harness.core.threads import threads_here
from harness.search.sharded import Answer, Jobs, Shard, ShardedSearch, count_jobs, shards_of, this_process

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.search.exact import Part, TopK

    Array = NDArray[Any]
    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]

RECALL_AT: Final = 100
LEAST_IMAGES: Final = 1024
"""Codes of a byte have 256 values, which so few vectors can just teach."""
_CODE_BYTES: Final = 64
_PER_LIST: Final = 64
"""Vectors that teach a centroid (faiss warns below 39)."""
_CANDIDATES: Final = 1000
"""Least number of images a query that are scored exactly, of each shard."""
_ADDED: Final = 4096
"""Vectors added at a time."""
_SAMPLED: Final = 32
"""Queries on which the recall is measured, evenly spaced."""
_NUMBERS: Final = 1 << 24
"""Of the candidates of queries that are held at a time."""
_MANY: Final = 1 << 22


@dataclass(frozen=True)
class IndexJob:
    """A shard whose index is to be built.

    Attributes:
        shard: its rows.
        trained: file of the empty index.
        out: file of the index.
    """

    shard: Shard
    trained: Path
    out: Path


@dataclass(frozen=True)
class AskedIndex:
    """A shard and its index, and what is asked of them.

    Attributes:
        shard: its rows.
        index: file of its index.
        asked: file of the queries.
        k: images a query.
        probes: lists that are looked through.
    """

    shard: Shard
    index: Path
    asked: Path
    k: int
    probes: int


def build_index(job: IndexJob) -> Answer:
    """Build the index of a shard; holds the codes and a block of rows."""
    import faiss

    with measured() as cost, _threads(len(job.shard) * job.shard.pieces[0].shape[1]):
        index = faiss.read_index(str(job.trained))
        for block in job.shard.blocks():
            for start in range(0, len(block), _ADDED):
                index.add(np.ascontiguousarray(block[start : start + _ADDED], np.float32))
        faiss.write_index(index, str(job.out))
    return Answer(_nothing(), cost, this_process())


def search_index(job: AskedIndex) -> Answer:
    """The best of a shard, as far as the codes tell, with exact scores."""
    import faiss

    with measured() as cost:
        index = faiss.read_index(str(job.index), faiss.IO_FLAG_MMAP)
        part = _found(index, job.shard, np.load(job.asked), job.k, job.probes)
    return Answer(part, cost, this_process())


def _found(index: Any, shard: Shard, queries: Floats, k: int, probes: int) -> Part:
    from harness.search.exact import Part

    wanted = min(len(shard), max(_CANDIDATES, 2 * k))
    index.nprobe = probes
    with _threads(len(queries) * len(shard)):
        _, found = index.search(queries, wanted)
    keys = np.zeros((len(queries), min(k, wanted)), np.uint64)
    step = max(1, _NUMBERS // (wanted * queries.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        keys[part] = _best(queries[part], found[part], shard, keys.shape[1])
    return Part(keys, np.zeros(0, np.int64))


def _best(queries: Floats, found: Ids, shard: Shard, k: int) -> NDArray[np.uint64]:
    """Keys (m, k) of the best of candidates (m, c); -1 is none."""
    from harness.search.exact import keys_of
    from harness.search.kernels import score_pairs

    query, place = np.nonzero(found >= 0)
    rows, row = np.unique(found[query, place], return_inverse=True)
    scores = np.empty(len(row), np.float32)
    score_pairs(queries, _gathered(shard, rows), query, row, scores)
    keys: NDArray[np.uint64] = np.zeros(found.shape, np.uint64)
    keys[query, place] = keys_of(scores, found[query, place] + shard.first)
    rest = keys.shape[1] - k
    best: NDArray[np.uint64] = np.partition(keys, rest, axis=1)[:, rest:]
    return best


def _gathered(shard: Shard, rows: Ids) -> Floats:
    """Some rows (ascending) of a shard as float32."""
    blocks, first = [], 0
    for piece in shard.pieces:
        start, stop = np.searchsorted(rows, [first, first + piece.shape[0]])
        if start < stop:
            blocks.append(piece.mapped()[rows[start:stop] - first].astype(np.float32))
        first += piece.shape[0]
    return np.concatenate(blocks) if blocks else np.empty((0, shard.pieces[0].shape[1]), np.float32)


@dataclass
class ApproximateSearch:
    """Searches as ``top_k``, approximately, after ``build``.

    Attributes:
        count: of shards, at most.
        jobs: builds and searches their indices.
        folder: seen by all jobs; rows and indices lie there until ``close``.
        probes: lists of each query that are looked through; 0: an eighth of them.
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
                f"an approximate search of {n:,} images has too few to learn its codes from", fix="search: exact"
            )
        self._shards, self._place = self._open.enter_context(shards_of(arrays, self.count, self.folder))
        lists = max(1, min(round(n**0.5), n // _PER_LIST))
        lists = 1 << (lists.bit_length() - 1)
        code_bytes = max(m for m in range(1, min(_CODE_BYTES, d) + 1) if d % m == 0)
        trained = self._place / "trained.faiss"
        sample = _sample(arrays, max(_PER_LIST * lists, LEAST_IMAGES))
        with _threads(sample.size):
            _train(sample, lists, code_bytes, trained)
        jobs = [IndexJob(shard, trained, self._index(i)) for i, shard in enumerate(self._shards)]
        count_jobs(self.jobs(build_index, jobs, "build indices"))
        probes = min(lists, self.probes or max(1, lists // 8))
        self.report = {"method": "ivf-pq", "lists": lists, "probes": probes, "code_bytes": code_bytes}

    def __call__(self, queries: Array, database: object, k: int) -> TopK:
        """The best images of each query, as many as are found of every one; ``database`` is the one that was indexed.

        Raises:
            InvalidInput: nothing is found of a query.
        """
        with tempfile.NamedTemporaryFile(dir=self._place, suffix=".npy") as file:
            np.save(file, np.ascontiguousarray(queries, np.float32))
            file.flush()
            asked = [
                AskedIndex(shard, self._index(i), Path(file.name), k, self.report["probes"])
                for i, shard in enumerate(self._shards)
            ]
            answers = self.jobs(search_index, asked, "search indices")
        count_jobs(answers)
        return self._listed([answer.part for answer in answers], k)

    def alone(self, queries: Array, database: object, k: int) -> TopK:
        """The same in this process, which holds the indices: as a query is answered in use."""
        import faiss

        for i in range(0 if self._opened else len(self._shards)):
            self._opened[i] = faiss.read_index(str(self._index(i)), faiss.IO_FLAG_MMAP)
        asked = np.ascontiguousarray(queries, np.float32)
        probes = self.report["probes"]
        return self._listed(
            [_found(self._opened[i], shard, asked, k, probes) for i, shard in enumerate(self._shards)], k
        )

    def _listed(self, parts: Sequence[Part], k: int) -> TopK:
        from harness.search.exact import merged

        best = merged(parts, k)
        least = int(np.isfinite(best.scores).sum(axis=1).min(initial=k))
        if not least:
            raise InvalidInput("the approximate search found nothing for a query", fix="more probes")
        return best._replace(indices=best.indices[:, :least], scores=best.scores[:, :least])

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


def _train(sample: Floats, lists: int, code_bytes: int, out: Path) -> None:
    """Write an empty index with its centroids and codes."""
    import faiss

    d = int(sample.shape[1])
    index = faiss.IndexIVFPQ(faiss.IndexFlatIP(d), d, lists, code_bytes, 8, faiss.METRIC_INNER_PRODUCT)
    for means in (index.cp, index.pq.cp):
        means.min_points_per_centroid = 1  # of small databases; it only says when to warn
    index.train(sample)
    faiss.write_index(index, str(out))


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


@contextlib.contextmanager
def _threads(numbers: int) -> Iterator[None]:
    """All threads that this process may use, where so many numbers are worth it: waiting for each other takes time."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads_here() if numbers >= _MANY else 1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _nothing() -> Any:
    from harness.search.exact import Part

    return Part(np.zeros((0, 0), np.uint64), np.zeros(0, np.int64))
