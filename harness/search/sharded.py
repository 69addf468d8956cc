"""Exact search of a database in shards: jobs search one each, wherever they are done, and their answers merge exactly.

A job gets names of files, not rows, and reads them block by block: it takes little memory, whatever a shard holds.
Importing this module loads nothing slow.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, overload

import numpy as np

from harness.core.cost import Cost, count_elsewhere, measured_among_threads
from harness.core.errors import DataMissing, InvalidInput
from harness.core.files import writing
from harness.core.locks import locked, try_lock
from harness.core.versions import package_version, warn_of_other_versions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.search.exact import Part, TopK
    from harness.search.keys import Ids

    Array = NDArray[Any]

T = TypeVar("T")
R = TypeVar("R")

LEAST_ROWS: Final = 1024
"""Of a shard; shards begin at multiples of it."""
_LIBRARIES: Final = ("vision-evaluation-harness", "numpy", "numba", "torch", "faiss-cpu", "faiss-gpu-cu12")
_PREFIX: Final = "harness-shards-"
_NUMBERS: Final = 1 << 24
"""Of the rows that a job holds at a time: 64 MB as float32."""


class Jobs(Protocol):
    """Does calls at once, in other processes or on other machines; what they need and give is pickled."""

    def __call__(self, function: Callable[[T], R], tasks: Sequence[T], label: str) -> list[R]:
        """The results, in the order of the tasks. A call whose process or machine is lost is done again.

        Args:
            function: of an installed module.
            tasks: its arguments.
            label: what the calls do, for messages.
        """
        ...


def here(function: Callable[[T], R], tasks: Sequence[T], label: str) -> list[R]:
    """``Jobs`` of this very process, one after the other."""
    return [function(task) for task in tasks]


@dataclass(frozen=True)
class StoredRows:
    """Consecutive rows in a file of raw numbers, such as an ``.npy`` behind its header.

    Attributes:
        path: seen under this name wherever a job is done.
        offset: bytes before the first row.
        dtype: float16 or float32.
        shape: rows and dimensions.
    """

    path: Path
    offset: int
    dtype: str
    shape: tuple[int, int]

    def part(self, start: int, stop: int) -> StoredRows:
        """Some of the rows."""
        row_bytes = np.dtype(self.dtype).itemsize * self.shape[1]
        return StoredRows(self.path, self.offset + start * row_bytes, self.dtype, (stop - start, self.shape[1]))

    def mapped(self) -> Array:
        """The rows, read where they are looked at. Raises ``DataMissing``."""
        try:
            # Copy on write: the file stays as it is, and torch takes the array without a warning.
            return np.memmap(self.path, self.dtype, "c", offset=self.offset, shape=self.shape)
        except (OSError, ValueError) as error:
            raise DataMissing(
                f"rows of a shard cannot be read from {self.path}: {error}",
                fix="the folder of the cache must be seen under the same path by all workers",
            ) from error


class Blocks(Sequence["Array"]):
    """Stored rows in blocks that are mapped when they are asked for, and let go with the last reference to them."""

    def __init__(self, pieces: Sequence[StoredRows], rows: int) -> None:
        self._pieces = [
            piece.part(start, min(start + rows, piece.shape[0]))
            for piece in pieces
            for start in range(0, piece.shape[0], rows)
        ]

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Array]: ...
    def __getitem__(self, index: int | slice) -> Array | Sequence[Array]:
        if isinstance(index, slice):
            return [piece.mapped() for piece in self._pieces[index]]
        return self._pieces[index].mapped()


@dataclass(frozen=True)
class Shard:
    """What a job searches.

    Attributes:
        pieces: its rows.
        first: number of the first of them in the database.
    """

    pieces: tuple[StoredRows, ...]
    first: int

    def __len__(self) -> int:
        return sum(piece.shape[0] for piece in self.pieces)

    def blocks(self) -> Blocks:
        """Its rows, some megabytes at a time."""
        return Blocks(self.pieces, max(1, _NUMBERS // self.pieces[0].shape[1]))


@dataclass(frozen=True)
class SearchJob:
    """One shard and what is asked of it.

    Attributes:
        shard: its rows.
        asked: file of the queries and of the marks.
        k: images a query.
    """

    shard: Shard
    asked: Path
    k: int


@cache
def libraries() -> Mapping[str, str]:
    """Versions of what this process searches with."""
    return {name: version for name in _LIBRARIES if (version := package_version(name))}


@dataclass(frozen=True)
class Answer:
    """What a shard answers, what that cost, the process that did it, and its libraries."""

    part: Part
    cost: Cost
    process: str
    libraries: Mapping[str, str] = field(default_factory=libraries)


def search_shard(job: SearchJob) -> Answer:
    """Search one shard; holds little more than a block of rows and the answer."""
    from harness.search.exact import part_top_k
    from harness.search.marks import Marks

    with measured_among_threads() as cost:
        with np.load(job.asked, allow_pickle=False) as asked:
            queries, marks = asked["queries"], [asked[name] for name in Marks._fields if name in asked.files]
        part = part_top_k(
            queries, job.shard.blocks(), job.k, first=job.shard.first, marks=Marks(*marks) if marks else None
        )
    return Answer(part, cost, this_process())


@dataclass(frozen=True)
class ShardedSearch:
    """``top_k`` by jobs: the same answer, bit for bit, from any number of shards and machines.

    Attributes:
        count: of shards, where the database has 1,024 rows for each.
        jobs: does them.
        folder: seen by all of them under the same path; rows that lie in no file yet are written there meanwhile.
    """

    count: int
    jobs: Jobs
    folder: Path

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InvalidInput(f"{self.count} shards", fix="at least 1")

    def __call__(
        self,
        queries: Array,
        database: Array | Sequence[Array],
        k: int | None = None,
        *,
        ranks_of: Sequence[Sequence[int] | Ids] = (),
    ) -> TopK:
        """See ``top_k``; the costs being measured take up what the jobs took."""
        from harness.search.exact import checked, merged
        from harness.search.marks import Marks

        arrays, k, queries = checked(queries, database, k, ranks_of)
        marks = Marks.of(queries, arrays, ranks_of) if len(ranks_of) else None
        with shards_of(arrays, self.count, self.folder) as (shards, place):
            asked = place / "asked.npz"
            with writing(asked), asked.open("wb") as file:
                np.savez(file, queries=queries, **(marks._asdict() if marks else {}))
            answers = self.jobs(search_shard, [SearchJob(shard, asked, k) for shard in shards], "search shards")
        count_jobs(answers)
        return merged([answer.part for answer in answers], k, marks)


def this_process() -> str:
    """Machine and process."""
    return f"{platform.node()}-{os.getpid()}"


class Done(Protocol):
    """What a job gave, with what it cost."""

    @property
    def cost(self) -> Cost:
        """Of the job."""
        ...

    @property
    def process(self) -> str:
        """Where it was done."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """What it was done with."""
        ...


def count_jobs(answers: Sequence[Done]) -> None:
    """Add to the costs being measured what jobs of other processes took; warn of those with other libraries."""
    for process, theirs in {answer.process: answer.libraries for answer in answers}.items():
        warn_of_other_versions(f"worker {process}", theirs, libraries())
    for answer in answers:
        if answer.process != this_process():
            count_elsewhere(answer.cost)


@contextmanager
def shards_of(arrays: Sequence[Array], count: int, folder: Path) -> Iterator[tuple[list[Shard], Path]]:
    """A database as shards that jobs can read, and the folder for what else they need; gone afterwards.

    What a killed process left in ``folder`` is removed too.

    Args:
        arrays: consecutive rows; those mapped from a file stay in it, the others are written.
        count: of shards, at most.
        folder: where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    place = folder / f"{_PREFIX}{secrets.token_hex(8)}"
    with locked(folder, place.name), _made(place):
        with writing(place):
            stored = [_in_file(array) or _written(array, place / f"{i}.bin") for i, array in enumerate(arrays)]
        yield [_cut(stored, rows) for rows in bounds(sum(map(len, arrays)), count)], place


@contextmanager
def _made(place: Path) -> Iterator[None]:
    place.mkdir(mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    for place in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # of another user
            lock = try_lock(folder, place.name)
            if lock is not None:
                shutil.rmtree(place, ignore_errors=True)
                lock.release()


def bounds(rows: int, count: int) -> list[range]:
    """Rows of each shard, as even as their beginning at multiples of ``LEAST_ROWS`` allows."""
    units = max(1, -(-rows // LEAST_ROWS))
    count = min(count, units)
    ends = [min(rows, units * number // count * LEAST_ROWS) for number in range(count + 1)]
    return [range(start, stop) for start, stop in zip(ends, ends[1:], strict=False)]


def _cut(stored: Sequence[StoredRows], rows: range) -> Shard:
    pieces, first = [], 0
    for piece in stored:
        start, stop = max(rows.start - first, 0), min(rows.stop - first, piece.shape[0])
        if start < stop:
            pieces.append(piece.part(start, stop))
        first += piece.shape[0]
    return Shard(tuple(pieces) or (stored[0].part(0, 0),), rows.start)


def _in_file(array: Array) -> StoredRows | None:
    """Where the rows of a mapped array lie; None where they lie in no file that has a name."""
    if not isinstance(array, np.memmap) or array.dtype.name not in ("float16", "float32"):
        return None
    if not array.flags.c_contiguous or not array.filename or not Path(array.filename).is_file():
        return None
    whole: Any = array
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    before = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return StoredRows(Path(array.filename).resolve(), whole.offset + before, array.dtype.name, array.shape)


def _written(array: Array, path: Path) -> StoredRows:
    dtype = "float16" if array.dtype == np.float16 else "float32"
    with path.open("wb") as file:
        step = max(1, _NUMBERS // max(1, array.shape[1]))
        for start in range(0, len(array), step):
            # Not by tofile, which does not say that the disk is full.
            file.write(np.ascontiguousarray(array[start : start + step], dtype).data)
    return StoredRows(path.resolve(), 0, dtype, array.shape)
