"""The cache: arrays by how they were computed, shared between processes."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.cache.entries import Arrays, CacheEntry, DamagedEntry, EntryFolder, Key, entry_name
from harness.cache.provenance import foreign_names, provenance, recomputation
from harness.core.cost import measured
from harness.core.errors import SpecError
from harness.core.locks import Held, locked, locked_at_once, remove_temporary

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMIT_VARIABLE: Final = "HARNESS_CACHE_LIMIT"
_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Cache:
    """Arrays under a key that says how they were computed: a JSON-able mapping of stage, methods and inputs.

    An entry is computed once, whichever of many processes asks first; a damaged one is named and computed again.

    Args:
        root: the folder; None stores nothing.
        limit: bytes that the folder may hold, the least recently used entries go first; None reads
            ``$HARNESS_CACHE_LIMIT`` (``20G``), 0 is no limit.
    """

    def __init__(self, root: Path | None, limit: int | None = None) -> None:
        self.root = root
        self.limit = parse_size(os.environ.get(LIMIT_VARIABLE, "0")) if limit is None else limit

    def get_or_compute(self, key: Key, compute: Callable[[], Arrays]) -> CacheEntry:
        """The entry of ``key``: read if it is whole, else computed by one process while the others wait.

        What a process with foreign code computed serves only processes with the same foreign code; what a clean one
        computed serves all.
        """
        return self._entry(key, lambda: _computed(compute))

    def put(self, key: Key, entry: CacheEntry) -> bool:
        """Store an entry that was computed already, with its cost, without waiting for anybody.

        Returns:
            False where there is a whole entry, which stays, or another process is making one: it may itself want to
            store what this one is making.
        """
        stored: list[bool] = []

        def given() -> CacheEntry:
            stored.append(True)
            return entry

        with suppress(Held):
            self._entry(key, given, locked_at_once)
        return bool(stored)

    def _entry(
        self,
        key: Key,
        make: Callable[[], CacheEntry],
        lock: Callable[[Path, str], AbstractContextManager[None]] = locked,
    ) -> CacheEntry:
        if self.root is None:
            return make()
        folder = EntryFolder(self.root)
        clean, own = entry_name(key), entry_name(key, foreign_names())
        for name in dict.fromkeys((clean, own)):
            try:
                return _again(name, make, folder.read(name))
            except (FileNotFoundError, DamagedEntry):
                pass
        with lock(self.root, own):
            try:
                return folder.read(own)
            except FileNotFoundError:
                pass
            except DamagedEntry as error:
                warnings.warn(f"{error}: computed again", stacklevel=2)
            remove_temporary(self.root, own)
            entry = make()
            self._store(folder, key, entry)
        return entry

    def array(self, key: Key, name: str) -> NDArray[Any] | None:
        """One array of the entry of ``key``, without reading the others; None where this process has no such entry."""
        if self.root is None:
            return None
        for entry in dict.fromkeys((entry_name(key), entry_name(key, foreign_names()))):
            try:
                return EntryFolder(self.root).array(entry, name)
            except (FileNotFoundError, DamagedEntry):
                pass
        return None

    def _store(self, folder: EntryFolder, key: Key, entry: CacheEntry) -> None:
        """A full disk costs the next run some time, not this run its result."""
        origin = provenance()  # now, not before: to compute may have loaded code
        try:
            name = folder.write(key, entry, origin)
        except OSError as error:
            folder.remove(entry_name(key, origin.foreign))
            warnings.warn(f"nothing was stored in the cache {self.root}: {error.strerror or error}", stacklevel=3)
            return
        if self.limit:
            folder.evict(self.limit, keep=name)


def parse_size(text: str) -> int:
    """Bytes of ``500M``, ``20G`` or a plain number. Raises ``SpecError``."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    if match is None:
        raise SpecError(f'"{text}" is not a valid size', fix="a number of bytes, or 500M, 20G, 1T; 0 is no limit")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _computed(compute: Callable[[], Arrays]) -> CacheEntry:
    with measured() as cost:
        arrays = compute()
    return CacheEntry(arrays, cost)


def _again(name: str, make: Callable[[], CacheEntry], entry: CacheEntry) -> CacheEntry:
    """The stored entry, which is computed again beside it where it is one of those to be compared."""
    if name in (wanted := recomputation()).names and name not in wanted.results:
        wanted.results[name] = make().arrays
    return entry
