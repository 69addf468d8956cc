"""What jobs do for the approximate search (``ivf_pq``): build the index of a shard, and list candidates from it.

Loads faiss where it is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.cost import Cost, measured_among_threads
from harness.core.files import writing
from harness.core.threads import threads_here
from harness.search.sharded import Answer, libraries, this_process
from harness.search.stored_rows import Shard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]

_ADDED: Final = 4096
"""Vectors added at a time."""
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
    """A shard's index, and what is asked of it.

    Attributes:
        index: its file.
        first: number of the first row of the shard in the database.
        asked: file of the queries.
        candidates: images a query.
        probes: lists that are looked through.
    """

    index: Path
    first: int
    asked: Path
    candidates: int
    probes: int


@dataclass(frozen=True)
class Candidates:
    """What the codes of a shard tell: ``estimates`` (q, c) of scores, and the ``ids`` (q, c) of images; -1 is none."""

    estimates: Floats
    ids: Ids
    cost: Cost
    process: str
    libraries: Mapping[str, str] = field(default_factory=libraries)


def build_index(job: IndexJob) -> Answer:
    """Build the index of a shard; holds the codes and a block of rows."""
    import faiss

    with measured_among_threads() as cost, threads_for(len(job.shard) * job.shard.pieces[0].shape[1]):
        index = faiss.read_index(str(job.trained))
        for block in job.shard.blocks():
            for start in range(0, len(block), _ADDED):
                index.add(np.ascontiguousarray(block[start : start + _ADDED], np.float32))
        store(index, job.out)
    return Answer(_nothing(), cost, this_process())


def search_index(job: AskedIndex) -> Candidates:
    """The candidates of a shard."""
    import faiss

    with measured_among_threads() as cost:
        index = faiss.read_index(str(job.index), faiss.IO_FLAG_MMAP)
        found = candidates_of(index, job.first, np.load(job.asked), job.candidates, job.probes)
    return Candidates(*found, cost, this_process())


def candidates_of(index: Any, first: int, queries: Floats, count: int, probes: int) -> tuple[Floats, Ids]:
    """The images of the largest estimates (q, c), -1 is none: of equal ones the first, wherever shards begin."""
    count, asked, index.nprobe = min(count, index.ntotal), min(count + 1, index.ntotal), probes
    with threads_for(len(queries) * index.ntotal):
        nearest, lists = index.quantizer.search(queries, probes)
        estimates, ids = index.search_preassigned(queries, asked, lists, nearest)
        last = estimates[:, count - 1 :]  # and the next, where there is one
        for i in np.flatnonzero((ids[:, -1] >= 0) & (last[:, 0] == last[:, -1]) & (asked > count)):
            # More images have the least estimate than are listed: any of them.
            reached, one = float(np.nextafter(last[i, 0], np.float32(-np.inf))), slice(i, i + 1)
            _, values, whose = index.range_search_preassigned(queries[one], reached, lists[one], nearest[one])
            best = np.lexsort((whose, -values))[:count]
            estimates[i, :count], ids[i, :count] = values[best], whose[best]
    estimates, ids = estimates[:, :count], ids[:, :count]
    return estimates, np.where(ids < 0, ids, ids + first)


def store(index: Any, out: Path) -> None:
    """Write an index through Python: faiss alone says nothing where the disk is full for the end of a file."""
    import faiss

    with writing(out), out.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]  # the stubs lack it


@contextlib.contextmanager
def threads_for(numbers: int) -> Iterator[None]:
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
