"""Descriptors too many for memory: ``.npy`` shards in a folder, mapped from disk, and a JSON file that describes them.

The JSON file is written last: without it the folder holds an unfinished collection, which a writer continues.

    with ShardWriter(folder, dimension=512) as writer:
        writer.append(rows)                      # (n, 512), as often as wanted
    shards = read_shards(folder)                 # len, dtype, and arrays that read from disk what is looked at
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.core.files import write_atomically
from harness.core.parsing import unraced

Precision = Literal["float16", "float32"]

SIDECAR: Final = "shards.json"
_SCHEMA: Final = 1
_ROWS: Final = 65536
_REMOVE: Final = "remove the folder; it is computed again"


@dataclass(frozen=True)
class Shards:
    """A finished collection.

    Attributes:
        arrays: (n_i, d) float16 or float32 each, mapped from disk, in the order of the rows.
    """

    arrays: tuple[NDArray[Any], ...]

    def __len__(self) -> int:
        return sum(map(len, self.arrays))

    def rows(self, positions: range) -> NDArray[np.float32]:
        """Consecutive rows as float32."""
        blocks, start = [], 0
        for array in self.arrays:
            blocks.append(array[max(positions.start - start, 0) : max(positions.stop - start, 0)])
            start += len(array)
        return np.concatenate(blocks).astype(np.float32)


class ShardWriter:
    """Writes rows as shards; an unfinished folder is continued after its last whole shard.

    Args:
        folder: of this collection alone.
        dimension: length of a row.
        dtype: ``float16`` takes half the space; it keeps three decimal digits.
        rows: of a shard.
        total: rows of the collection, where it is known: then its last shard may be there too, whoever wrote it.
    """

    def __init__(
        self, folder: Path, dimension: int, dtype: Precision = "float16", rows: int = _ROWS, total: int | None = None
    ) -> None:
        if dimension < 1 or rows < 1:
            raise InvalidInput(f"shards of {rows} rows of {dimension}", fix="at least one of each")
        self.folder, self.dimension, self.dtype, self.rows = folder, dimension, np.dtype(dtype), rows
        self._total = total
        self._lengths = self._whole()
        self._waiting: list[NDArray[Any]] = []

    @property
    def done(self) -> int:
        """Rows that are on disk: the caller continues with the next."""
        return sum(self._lengths)

    def append(self, rows: NDArray[np.floating]) -> None:
        """Add rows (n, d); a shard is written as soon as it is full.

        Raises:
            InvalidInput: another dimension, a value that is not finite, or one that the type cannot hold.
        """
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise InvalidInput(f"rows of shape {rows.shape} in shards of dimension {self.dimension}")
        self._waiting.append(_finite(rows, self.dtype))
        while sum(map(len, self._waiting)) >= self.rows:
            together = np.concatenate(self._waiting)
            self._write(together[: self.rows])
            self._waiting = [together[self.rows :]]

    def close(self) -> None:
        """Write what is left and the description, which makes the collection exist."""
        rest = np.concatenate(self._waiting) if self._waiting else np.empty((0, self.dimension), self.dtype)
        if len(rest):
            self._write(rest)
        self._waiting = []
        described = {
            "schema": _SCHEMA,
            "dtype": self.dtype.name,
            "dimension": self.dimension,
            "rows": self._lengths,
        }
        write_atomically(self.folder / SIDECAR, json.dumps(described, indent=1).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _write(self, rows: NDArray[Any]) -> None:
        _save(self.folder / _name(len(self._lengths)), rows)
        self._lengths.append(len(rows))

    def _whole(self) -> list[int]:
        """Lengths of the shards that an interrupted writer, or the writers of single shards, left."""
        lengths: list[int] = []
        while (path := self.folder / _name(len(lengths))).is_file():
            length = self.rows if self._total is None else min(self.rows, self._total - sum(lengths))
            if not length or not _is_whole(path, self.dtype, (length, self.dimension)):
                break
            lengths.append(length)
        return lengths


def write_shard(folder: Path, number: int, compute: Callable[[], NDArray[np.floating]], dtype: Precision) -> bool:
    """One shard of a collection, written by itself in whatever order; one that is there is left alone.

    Args:
        folder: of the collection; a ``ShardWriter`` with its total completes it.
        number: of the shard.
        compute: its rows (n, d).
        dtype: of the collection.

    Returns:
        Whether it was written.

    Raises:
        InvalidInput: a value that is not finite, or one that the type cannot hold.
    """
    path = folder / _name(number)
    if has_shard(folder, number):
        return False
    _save(path, _finite(compute(), np.dtype(dtype)))
    return True


def has_shard(folder: Path, number: int) -> bool:
    """Whether a shard of a collection has been written."""
    return (folder / _name(number)).is_file()


def _finite(rows: NDArray[np.floating], dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        stored = rows.astype(dtype)
    if not np.isfinite(stored).all():
        raise InvalidInput(f"rows hold values that are not finite in {dtype}", fix="normalise, or float32")
    return stored


def _save(path: Path, rows: NDArray[Any]) -> None:
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(rows))
    write_atomically(path, content.getvalue())


def _is_whole(path: Path, dtype: np.dtype[Any], shape: tuple[int, int]) -> bool:
    try:
        _mapped(path, dtype, shape)
    except DataDamaged:
        return False
    return True


def read_shards(folder: Path) -> Shards:
    """A finished collection, mapped into memory; its rows are not read.

    Raises:
        DataMissing: there is none, or it is unfinished.
        DataDamaged: the description or a shard is not what it should be.
    """
    try:
        described = json.loads((folder / SIDECAR).read_text(encoding="utf-8"))
        dtype, dimension, lengths = np.dtype(described["dtype"]), int(described["dimension"]), described["rows"]
        if described["schema"] != _SCHEMA or dtype.name not in ("float16", "float32") or dimension < 1:
            raise ValueError("another format")
        shapes = [(int(length), dimension) for length in lengths]
    except OSError as error:
        raise DataMissing(f"there are no shards in {folder}", fix="describe the images first") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataDamaged(f"{folder / SIDECAR} is damaged ({error})", fix=_REMOVE) from error
    return Shards(tuple(_mapped(folder / _name(i), dtype, shape) for i, shape in enumerate(shapes)))


def _mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, int]) -> NDArray[Any]:
    try:
        # Copy on write: the file stays as it is, and torch takes the array without a warning.
        array: NDArray[Any] = unraced(lambda: np.load(path, mmap_mode="c", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise DataDamaged(f"shard {path} cannot be read: {error}", fix=_REMOVE) from error
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise DataDamaged(
            f"shard {path} holds {array.dtype} {array.shape}, not {dtype} {shape}",
            fix=_REMOVE,
        )
    return array


def _name(position: int) -> str:
    return f"{position:05d}.npy"
