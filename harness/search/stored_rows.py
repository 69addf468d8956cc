"""A database as shards in files: a job gets names of files, not rows, and maps them block by block.

Importing this module loads nothing slow.
"""

from __future__ import annotations

import secrets
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from harness.core.errors import DataMissing
from harness.core.files import writing
from harness.core.locks import locked, try_lock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST_ROWS: Final = 1024
"""Of a shard; shards begin at multiples of it."""
_PREFIX: Final = "harness-shards-"
_NUMBERS: Final = 1 << 24
"""Of the rows that a job holds at a time: 64 MB as float32."""


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


@contextmanager
def shards_of(arrays: Sequence[Array], count: int, folder: Path) -> Iterator[tuple[list[Shard], Path]]:
    """A database as shards that jobs can read, and the folder for what else they need; gone afterwards.

    What a killed process left in ``folder`` is removed too. A warning says where there are fewer shards than asked for.

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
        shards = [_cut(stored, rows) for rows in bounds(sum(map(len, arrays)), count)]
        if len(shards) < count:
            warnings.warn(_fewer(shards, count), stacklevel=3)
        yield shards, place


def _fewer(shards: Sequence[Shard], count: int) -> str:
    rows, work = (
        sum(map(len, shards)),
        "1 job of a search has" if len(shards) == 1 else f"{len(shards)} jobs of a search have",
    )
    return f"{rows:,} images in {count} shards: {work} work, as a shard has at least {LEAST_ROWS:,} images"


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
