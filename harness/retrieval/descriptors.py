"""Descriptors that somebody else computed, in files, in place of a backbone and a pooling.

They are read as float32 rows of length 1. A file too large for that stays where it is, mapped, and the search reads it
block by block; only where its rows are not of length 1 yet a normalised copy is written beside the cache first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.data.array_files import array_in
from harness.retrieval.distractors import scratch
from harness.search.vectors import unit_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from harness.cache import Cache
    from harness.plugin_api import RetrievalSet, Role

    Rows = NDArray[Any]
    Floats = NDArray[np.float32]

IN_MEMORY: Final = 1 << 28
"""Numbers of a file up to which its rows are held in memory, normalised: 1 GB as float32."""
_BLOCK: Final = 1 << 22
"""Numbers looked at at a time."""
_UNIT: Final = 2e-3
"""How far the length of a row of float16 may be from 1 by rounding."""


@dataclass(frozen=True)
class DescriptorFiles:
    """Descriptors from files; needs no backbone, no pooling and no images.

    ``.npy`` files hold rows (n, d) of float16, float32 or float64 in the order of the ground truth; an ``.npz`` file
    may hold ``database``, ``queries``, ``database_regions`` and ``query_regions``. Rows need not be of length 1.

    Attributes:
        database: descriptors of the database; or a folder of ``.npy`` files, whose rows follow each other in the order
            of their names.
        queries: descriptors of the queries; none: those of the ``.npz``, else each query has the descriptor of the
            database image of its name.
        regions: (n, r, d) descriptors of regions of the database, for expansions that work on regions.
        query_regions: (q, r, d) of the queries; none: as of ``queries``.
    """

    result_version = 1

    database: Path
    queries: Path | None = None
    regions: Path | None = None
    query_regions: Path | None = None

    def rows(self, dataset: RetrievalSet, cache: Cache) -> DescriptorRows:
        """The descriptors of both roles. Raises ``DataMissing``, ``DataDamaged``, ``InvalidInput``."""
        parts = _parts(self.database)
        _require_rows(self.database, sum(len(part.rows) for part in parts), len(dataset.images), "images")
        if (queries := self._queries()) is None:
            queries = _some_rows(parts, _positions(dataset, self.database))
        else:
            _require_rows(self.queries or self.database, len(queries), len(dataset.queries), "queries")
        for part in parts:
            if queries.shape[1] != part.rows.shape[1]:
                raise DataDamaged(
                    f"{self.queries or self.database} has {queries.shape[1]} dimensions, {part.path}"
                    f" {part.rows.shape[1]}"
                )
        unit, first = all([_of_unit_length(*part) for part in parts]), len(dataset.images) - dataset.distractors
        database, distractors = _before(parts, first), _from(parts, first)
        rows = _searchable(database, unit, cache)
        return DescriptorRows(
            rows[0] if len(rows) == 1 else _joined(rows, cache),
            _in_memory(self.queries or self.database, queries),
            _searchable(distractors, unit, cache) if distractors else (),
            unit,
        )

    def region_rows(self, dataset: RetrievalSet, role: Role) -> list[Floats]:
        """The regions (r, d) of each image of a role, L2-normalised. Raises as ``rows``."""
        database = self._regions("database")
        if role == "database":
            path, regions, count = self.regions or self.database, database, len(dataset.images)
        elif (of_queries := self._regions("query")) is not None:
            path, regions, count = self.query_regions or self.database, of_queries, len(dataset.queries)
        else:
            path, count = self.regions or self.database, len(dataset.queries)
            regions = None if database is None else database[_positions(dataset, path)]
        if regions is None:
            raise InvalidInput(
                f"descriptors {self.database.name} have no regions", fix="regions: FILE with an array (n, r, d)"
            )
        _require_rows(path, len(regions), count, "images" if role == "database" else "queries")
        flat = _in_memory(path, regions.reshape(-1, regions.shape[2]))
        return list(flat.reshape(regions.shape))

    def _queries(self) -> Rows | None:
        if self.queries is not None:
            return _required(self.queries, "queries", 2)
        return _array(self.database, "queries", 2) if self.database.suffix == ".npz" else None

    def _regions(self, role: str) -> Rows | None:
        path = self.regions if role == "database" else self.query_regions
        if path is not None:
            return _required(path, f"{role}_regions", 3)
        if self.database.suffix == ".npz":
            return _array(self.database, f"{role}_regions", 3)
        return None


@dataclass(frozen=True)
class DescriptorRows:
    """Descriptors as they are searched: rows of length 1, or of zeros.

    Attributes:
        database: (n, d) without distractors: float32, or as the file has them where they stay on disk.
        queries: (q, d) float32.
        distractors: (m, d) likewise, or nothing.
        unit: whether all rows of the file of the database were of length 1.
    """

    database: Rows
    queries: Floats
    distractors: tuple[Rows, ...]
    unit: bool


def _required(path: Path, name: str, dimensions: int) -> Rows:
    """The array of this name, or the only one of the file."""
    array = _array(path, name, dimensions, or_only=True)
    if array is None:
        raise DataDamaged(f"{path} has no array {name}", fix=f"numpy.savez(FILE, {name}=...)")
    return array


def _array(path: Path, name: str, dimensions: int, *, or_only: bool = False) -> Rows | None:
    """The array of a file, mapped where the file is an ``.npy``; None for an ``.npz`` that has none of this name."""
    try:
        loaded = array_in(path, name, or_only=or_only)
    except FileNotFoundError as error:
        raise DataMissing(f"there is no file {path}") from error
    except Exception as error:  # whatever a file that is no array makes numpy raise
        raise DataDamaged(f"{path} cannot be read: {error}", fix="write it with numpy.save") from error
    if loaded is None:
        return None
    if loaded.ndim != dimensions or loaded.dtype.kind != "f" or loaded.dtype.itemsize > 8 or not loaded.shape[-1]:
        shape = "(n, d)" if dimensions == 2 else "(n, r, d)"
        raise DataDamaged(f"{path}: {name} should be floats {shape}, is {loaded.dtype} {loaded.shape}")
    array: Rows = loaded
    return array


def _require_rows(path: Path, rows: int, count: int, what: str) -> None:
    if rows != count:
        raise DataDamaged(f"{path} has {rows:,} rows, the ground truth names {count:,} {what}")


class _Part(NamedTuple):
    """Consecutive rows of a database, and their file."""

    path: Path
    rows: Rows


def _parts(path: Path) -> list[_Part]:
    """The rows of a file, or of all files of a folder."""
    if not path.is_dir():
        return [_Part(path, _required(path, "database", 2))]
    files = sorted(file for file in path.glob("*.npy") if not file.name.startswith("."))
    if not files:
        raise DataMissing(f"the folder {path} has no .npy files", fix="write rows there with numpy.save")
    return [_Part(file, _required(file, "database", 2)) for file in files]


def _before(parts: Sequence[_Part], count: int) -> list[_Part]:
    """The first ``count`` rows; at least one part, empty if need be."""
    cut: list[_Part] = []
    start = 0
    for path, rows in parts:
        if start < count or not cut:
            cut.append(_Part(path, rows[: max(count - start, 0)]))
        start += len(rows)
    return cut


def _from(parts: Sequence[_Part], first: int) -> list[_Part]:
    """All rows from the ``first`` on."""
    rest, start = [], 0
    for path, rows in parts:
        if start + len(rows) > first:
            rest.append(_Part(path, rows[max(first - start, 0) :]))
        start += len(rows)
    return rest


def _some_rows(parts: Sequence[_Part], positions: NDArray[np.int64]) -> Rows:
    """Rows at positions of the database."""
    starts = np.cumsum([0, *(len(part.rows) for part in parts)])
    numbers = np.searchsorted(starts, positions, side="right") - 1
    whole = np.empty((len(positions), parts[0].rows.shape[1]), np.result_type(*(part.rows.dtype for part in parts)))
    for number in np.unique(numbers):
        here = numbers == number
        whole[here] = parts[number].rows[positions[here] - starts[number]]
    return whole


def _joined(arrays: Sequence[Rows], cache: Cache) -> Rows:
    """One array: in memory where the parts are, else in a file."""
    if sum(array.size for array in arrays) <= IN_MEMORY:
        return np.concatenate(arrays)
    whole = scratch((sum(map(len, arrays)), arrays[0].shape[1]), np.result_type(*(a.dtype for a in arrays)), cache)
    np.concatenate(arrays, out=whole)
    return whole


def _positions(dataset: RetrievalSet, path: Path) -> NDArray[np.int64]:
    """Of each query the database image of its name."""
    if dataset.queries is dataset.images:
        return np.arange(len(dataset.images))
    place = {image: position for position, image in enumerate(dataset.images)}
    missing = [query.name for query in dataset.queries if query not in place]
    if missing:
        raise DataMissing(
            f"{path} has no descriptors of queries, and {len(missing):,} queries are not in the database:"
            f" {missing[0]} first",
            fix="queries: FILE with a row for each query",
        )
    return np.array([place[query] for query in dataset.queries], np.int64)


def _blocks(array: Rows) -> Iterator[Rows]:
    rows = max(1, _BLOCK // array.shape[1])
    return (np.asarray(array[start : start + rows]) for start in range(0, len(array), rows))


def _of_unit_length(path: Path, array: Rows) -> bool:
    """Whether all rows have length 1, or are zeros. Raises ``DataDamaged`` for one that is not finite."""
    unit, start = True, 0
    for block in _blocks(array):
        squares = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        if not np.isfinite(squares).all():
            row = start + int(np.flatnonzero(~np.isfinite(squares))[0])
            raise DataDamaged(f"{path}: row {row} is not finite", fix="remove NaN and infinity from the descriptors")
        unit = unit and bool(((np.abs(np.sqrt(squares) - 1) < _UNIT) | (squares == 0)).all())
        start += len(block)
    return unit


def _in_memory(path: Path, array: Rows) -> Floats:
    try:
        rows: Floats = unit_rows(array, "descriptors")
    except InvalidInput as error:
        raise DataDamaged(f"{path}: {error.headline}", fix=error.fix) from error
    return rows


def _searchable(parts: Sequence[_Part], unit: bool, cache: Cache) -> tuple[Rows, ...]:
    """Rows (n_i, d) of length 1: in memory, or on disk where they are too many together."""
    if sum(part.rows.size for part in parts) <= IN_MEMORY:
        return tuple(_in_memory(*part) for part in parts)
    return tuple(_on_disk(part.rows, unit, cache) for part in parts)


def _on_disk(array: Rows, unit: bool, cache: Cache) -> Rows:
    if unit and array.dtype in (np.float16, np.float32) and array.flags.c_contiguous:
        return array
    dtype = np.dtype(np.float16 if array.dtype == np.float16 else np.float32)
    rows, start = scratch(array.shape, dtype, cache), 0
    for block in _blocks(array):
        rows[start : start + len(block)] = unit_rows(block, "descriptors", dtype)
        start += len(block)
    return rows
