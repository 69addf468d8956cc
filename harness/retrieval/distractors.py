"""Descriptors of distractors: computed in portions, stored on disk as shards, never all in memory.

They lie below the folder of the cache, each collection under the digest of its key, and an interrupted description
resumes. They are float16: the fourth decimal of one of a million descriptors seldom changes a ranking.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.cache import Cache
from harness.cache.entries import entry_name
from harness.cache.provenance import foreign_names
from harness.core.cost import Cost, measured
from harness.core.digest import digest
from harness.core.errors import DataDamaged, DataMissing
from harness.core.files import write_atomically
from harness.core.locks import Held, locked, locked_at_once
from harness.retrieval.shards import Shards, ShardWriter, has_shard, read_shards, write_shard

PORTION: Final = 1024
"""Images described, or rows whitened, before they are handed on."""
SHARD: Final = 8192
"""Rows of a shard: what an interruption can cost."""

_COST: Final = ".cost.json"
"""Of a shard that was described by itself."""

Floats = NDArray[np.float32]


def stored_shards(
    key: Mapping[str, Any], cache: Cache, shape: tuple[int, int], compute: Callable[[range], Floats]
) -> tuple[Shards, Cost]:
    """Rows under a key: mapped if they are stored, else computed, portion by portion, and stored.

    Args:
        key: all that decides the rows; JSON-able.
        cache: whose folder they lie in; without one they last as long as this process.
        shape: number of rows, and of their columns d.
        compute: positions -> rows (len(positions), d) float32.

    Returns:
        The rows, and their cost: now, or when the last of them were computed.
    """
    total, dimension = shape
    # As for entries of the cache: what was computed beside foreign code stands apart.
    root, name = _root(cache) / "shards", entry_name(key, foreign_names())
    folder = root / name
    with locked(root, name):
        try:
            return _stored(folder, total)
        except DataMissing:
            pass
        except DataDamaged as error:
            warnings.warn(f"{error.headline}: computed again", stacklevel=2)
            shutil.rmtree(folder)
        with measured() as cost:
            with ShardWriter(folder, dimension, rows=SHARD, total=total) as writer:
                for start in range(writer.done, total, PORTION):
                    writer.append(compute(range(start, min(start + PORTION, total))))
        for of_shard in map(_read_cost, sorted(folder.glob(f"*{_COST}"))):  # what parts were described by
            cost = cost + of_shard
        write_atomically(folder / "cost.json", json.dumps(asdict(cost)).encode())
        return read_shards(folder), cost


def store_part(
    key: Mapping[str, Any], cache: Cache, total: int, part: tuple[int, int], compute: Callable[[range], Floats]
) -> None:
    """Compute and store one part of the rows under a key; ``stored_shards`` finds it. Other parts may be under way.

    Args:
        key: as for ``stored_shards``, as the others.
        cache: a folder that all share.
        total: number of rows.
        part: its number from 0, and how many there are; all shards of the files are shared out among them.
        compute: as for ``stored_shards``.
    """
    number, count = part
    root, name = _root(cache) / "shards", entry_name(key, foreign_names())
    files = -(-total // SHARD)
    for file in range(files * number // count, files * (number + 1) // count):
        rows = _rows_of(file, total)

        def described(rows: range = rows) -> Floats:
            starts = range(rows.start, rows.stop, PORTION)
            return np.concatenate([compute(range(start, min(start + PORTION, rows.stop))) for start in starts])

        with locked(root, f"{name}-{file}"), measured() as cost:
            written = write_shard(root / name, file, described, "float16")
        if written:
            _write_cost(root / name, file, cost)


def are_shards_stored(key: Mapping[str, Any], cache: Cache, total: int) -> bool:
    """Whether all rows under a key have been computed."""
    folder = _root(cache) / "shards" / entry_name(key, foreign_names())
    return all(has_shard(folder, file) for file in range(-(-total // SHARD)))


class ShardBuffer:
    """Rows under a key, computed beside others: a shard is written as soon as it is whole.

    Args:
        key: as for ``stored_shards``, which finds them, as the others.
        cache: a folder that all share.
        total: number of rows.
    """

    def __init__(self, key: Mapping[str, Any], cache: Cache, total: int) -> None:
        self._root, self._name, self._total = _root(cache) / "shards", entry_name(key, foreign_names()), total
        self._rows: list[NDArray[np.float16]] = []
        self._cost = Cost()

    def wants(self, positions: range) -> bool:
        """Whether rows at these positions, all of one shard, are to be computed."""
        return not has_shard(self._root / self._name, positions.start // SHARD)

    def add(self, positions: range, rows: Floats, cost: Cost) -> None:
        """Rows (len(positions), d) of length 1 and what they cost; those of one shard follow each other."""
        file = positions.start // SHARD
        of_file = _rows_of(file, self._total)
        if positions.start == of_file.start:
            self._rows, self._cost = [], Cost()
        self._rows.append(rows.astype(np.float16))
        self._cost = self._cost + cost
        if positions.stop == of_file.stop and sum(map(len, self._rows)) == len(of_file):
            with suppress(Held), locked_at_once(self._root, f"{self._name}-{file}"):  # who holds it makes the shard
                folder = self._root / self._name
                if write_shard(folder, file, lambda: np.concatenate(self._rows), "float16"):
                    _write_cost(folder, file, self._cost)
            self._rows = []


def _rows_of(file: int, total: int) -> range:
    return range(file * SHARD, min((file + 1) * SHARD, total))


def _write_cost(folder: Path, file: int, cost: Cost) -> None:
    write_atomically(folder / f"{file:05d}{_COST}", json.dumps(asdict(cost)).encode())


def joined(database: Floats, distractors: Sequence[NDArray[Any]], cache: Cache) -> Floats:
    """All rows as one float32 array that lies in a file, for methods that want the database whole.

    The file has no name and is gone when the array is.
    """
    shape = (len(database) + sum(map(len, distractors)), database.shape[1])
    whole: Floats = scratch(shape, np.dtype(np.float32), cache)
    start = 0
    for array in (database, *distractors):
        whole[start : start + len(array)] = array
        start += len(array)
    return whole


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any], cache: Cache) -> NDArray[Any]:
    """An array of zeros in a file in the folder of the cache; the file has no name and is gone when the array is."""
    with tempfile.TemporaryFile(dir=_root(cache)) as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def files_digest(files: Sequence[Path]) -> str:
    """What a long list of files is: names and sizes; reading a million images would take hours.

    Raises:
        DataMissing: there is no such file.
    """
    try:
        return digest([[file.as_posix(), file.stat().st_size] for file in files])
    except OSError as error:
        raise DataMissing(f"image {error.filename} cannot be read: {error.strerror}") from error


def _stored(folder: Path, total: int) -> tuple[Shards, Cost]:
    shards = read_shards(folder)
    if len(shards) != total:
        raise DataDamaged(f"{folder} holds {len(shards)} rows, not {total}")
    return shards, _read_cost(folder / "cost.json")


def _read_cost(file: Path) -> Cost:
    try:
        return Cost(**{**json.loads(file.read_text()), "cached": True})
    except (OSError, ValueError, TypeError):
        return Cost(cached=True)


def _root(cache: Cache) -> Path:
    if cache.root is not None:
        cache.root.mkdir(parents=True, exist_ok=True)
        return cache.root
    folder = Path(tempfile.mkdtemp(prefix="harness-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
