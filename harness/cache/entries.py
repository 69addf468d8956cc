"""The files of a folder of entries: arrays under a name that is the digest of how they were computed.

An entry is two files: ``<name>.npz`` and, written last, ``<name>.json``, which holds the key, the provenance, the
checksum of the array file and the cost, and carries a checksum of its own. Without it the array file does not exist.

The provenance is the foreign code that was loaded in the process that computed the arrays. It is part of the name: what
such a process computed stands beside what a clean one computed, and a clean process never looks at it.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.cost import Cost
from harness.core.digest import digest
from harness.core.files import write_atomically
from harness.core.locks import try_lock
from harness.core.parsing import unraced
from harness.core.signed import signed, unsigned

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]
Key = Mapping[str, Any]
_UNREADABLE = (ValueError, KeyError, TypeError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What json, numpy and zipfile raise on damaged files: of one that names another method or a password as well."""


@dataclass(frozen=True)
class CacheEntry:
    """Arrays with what it cost to compute them, now or by an earlier run."""

    arrays: Arrays
    cost: Cost


class DamagedEntry(ValueError):
    """An entry that is not what was written; the message names its file."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"cache file {path} is damaged ({why})")


@dataclass(frozen=True)
class Provenance:
    """Where arrays come from.

    Attributes:
        foreign: name and source digest of the foreign code that was loaded in the process, sorted.
        recipe: the run that computed them, JSON-able, for ``harness cache verify --recompute``; empty: unknown.
    """

    foreign: tuple[tuple[str, str], ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)


def entry_name(key: Key, foreign: Sequence[Sequence[str]] = ()) -> str:
    """Name of an entry: 40 hex of the digest of its key and of the foreign code it was computed beside."""
    return digest({"key": dict(key), "foreign": [list(code) for code in foreign]})[:40]


class EntryFolder:
    """Reads, writes and removes the entries of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Names of all entries, whole or not, the least recently used first."""
        stamps: dict[str, float] = {}
        for path in self.root.glob("*"):
            if path.suffix in (".json", ".npz") and re.fullmatch("[0-9a-f]{40}", path.stem):
                stamps[path.stem] = max(stamps.get(path.stem, 0.0), _modified(path))
        return sorted(stamps, key=lambda name: (stamps[name], name))

    def size(self, name: str) -> int:
        """Bytes of both files of an entry."""
        return sum(_size(path) for path in self._files(name))

    def description(self, name: str) -> dict[str, Any]:
        """Key, provenance, checksum and cost of an entry. Raises ``FileNotFoundError`` or ``DamagedEntry``."""
        path = self._files(name)[0]
        try:
            description = unsigned(path.read_bytes())
            if "foreign" not in description:
                raise ValueError("an older version wrote it and did not say which code was loaded")
            if entry_name(description["key"], description["foreign"]) != name:
                raise ValueError("it describes another entry")
            return description
        except FileNotFoundError:
            raise
        except _UNREADABLE as error:
            raise DamagedEntry(path, error) from error

    def read(self, name: str) -> CacheEntry:
        """An entry, which counts as used now. Raises ``FileNotFoundError`` or ``DamagedEntry``."""
        import numpy as np

        description, (described, path) = self.description(name), self._files(name)
        content = self._content(name, description["sha256"])

        def arrays() -> dict[str, NDArray[Any]]:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}

        try:
            entry = CacheEntry(unraced(arrays), Cost(**{**description["cost"], "cached": True}))
        except _UNREADABLE as error:
            raise DamagedEntry(path, error) from error
        _touch(described)
        return entry

    def array(self, name: str, which: str) -> NDArray[Any]:
        """One array of an entry, the others of which are not read and may be damaged. Raises as ``read``."""
        import numpy as np

        self.description(name)
        path = self._files(name)[1]

        def array() -> NDArray[Any]:
            with np.load(path, allow_pickle=False) as file:
                found: NDArray[Any] = file[which]
                return found

        try:
            return unraced(array)
        except FileNotFoundError:
            raise
        except _UNREADABLE as error:
            raise DamagedEntry(path, error) from error

    def damage(self, name: str) -> str:
        """What is wrong with an entry; empty if it is whole. Every byte is read."""
        try:
            self._content(name, self.description(name)["sha256"])
        except FileNotFoundError as error:
            return f"cache file {error.filename} is missing"
        except DamagedEntry as error:
            return str(error)
        return ""

    def write(self, key: Key, entry: CacheEntry, provenance: Provenance) -> str:
        """Write the arrays, then their description, which makes them exist; returns the name. Raises ``OSError``."""
        import numpy as np

        name = entry_name(key, provenance.foreign)
        described, path = self._files(name)
        buffer = io.BytesIO()
        np.savez(buffer, **entry.arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for options
        content = buffer.getvalue()
        write_atomically(path, content)
        checksum = hashlib.sha256(content).hexdigest()
        description = {"key": dict(key), **asdict(provenance), "sha256": checksum, "cost": asdict(entry.cost)}
        write_atomically(described, signed(description))
        return name

    def remove(self, name: str) -> None:
        """Remove an entry, the description first: what is left without it does not exist."""
        for path in self._files(name):
            path.unlink(missing_ok=True)

    def evict(self, limit: int, keep: str = "") -> list[str]:
        """Remove the least recently used entries until the rest takes at most ``limit`` bytes; returns their names.

        What a process is computing stays, as does ``keep``.
        """
        sizes = {name: self.size(name) for name in self.names()}
        total, removed = sum(sizes.values()), []
        for name, size in sizes.items():
            if total <= limit:
                break
            lock = None if name == keep else try_lock(self.root, name)
            if lock is None:
                continue
            self.remove(name)
            lock.release()
            removed.append(name)
            total -= size
        return removed

    def _files(self, name: str) -> tuple[Path, Path]:
        """The description, and the arrays."""
        return self.root / f"{name}.json", self.root / f"{name}.npz"

    def _content(self, name: str, checksum: str) -> bytes:
        """Bytes of the array file, which have this checksum. Raises ``FileNotFoundError`` or ``DamagedEntry``."""
        path = self._files(name)[1]
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DamagedEntry(path, error) from error
        if hashlib.sha256(content).hexdigest() != checksum:
            raise DamagedEntry(path, "its checksum differs")
        return content


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:  # a cache that may only be read is still a cache
        pass


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
