"""The cache as several processes share it: an entry is made once, whoever asks; damage is named; a size limit holds.

It keeps what ``Cache`` keeps, under the same keys, and locks each key while it is made, so that processes
that need the same maps at the same time do not all make them. The description of an entry (``.json``) is signed; the
array file (``.npz``) has its checksum there. The oldest in use go first where a limit is set.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from harness.cache.store import Arrays, Cache, Key, Made
from harness.core.cost import Cost, measured
from harness.core.digest import digest
from harness.core.errors import SpecError
from harness.core.files import write_atomically
from harness.core.locks import locked, remove_temporary, try_lock
from harness.core.signed import is_signed, signed, unsigned

LIMIT_VARIABLE: Final = "HARNESS_CACHE_LIMIT"
_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class SharedCache(Cache):
    """A folder of content-keyed arrays that many processes use at once.

    Args:
        root: the folder; None keeps nothing.
        limit: bytes that the folder may hold; None reads ``$HARNESS_CACHE_LIMIT`` (``20G``), 0 is no limit.
    """

    def __init__(self, root: Path | None, limit: int | None = None) -> None:
        super().__init__(root)
        self.limit = size_of(os.environ.get(LIMIT_VARIABLE, "0")) if limit is None else limit

    def get_or_make(self, key: Key, make: Callable[[], Arrays]) -> Made:
        """The arrays under ``key``: read if they are whole, else made by one process while the others wait."""
        if self.root is None:
            return super().get_or_make(key, make)
        name = entry_name(key)
        try:
            return read_entry(self.root, name)
        except (FileNotFoundError, DamagedEntry):
            pass
        with locked(self.root, name):
            try:
                return read_entry(self.root, name)
            except FileNotFoundError:
                pass
            except DamagedEntry as error:
                warnings.warn(f"{error}: made again", stacklevel=2)
            remove_temporary(self.root, name)
            made = _measured(make)
            self._keep(name, key, made)
        return made

    def _keep(self, name: str, key: Key, made: Made) -> None:
        """A full disk costs the next run some time, not this run its result."""
        assert self.root is not None  # noqa: S101  # for the type checker
        try:
            write_entry(self.root, name, key, made)
        except OSError as error:
            remove_entry(self.root, name)
            warnings.warn(f"nothing was kept in the cache {self.root}: {error.strerror or error}", stacklevel=3)
            return
        if self.limit:
            evict(self.root, self.limit, keep=name)


class DamagedEntry(ValueError):
    """An entry that is not what was written; the message names its file."""


def entry_name(key: Key) -> str:
    """Name of an entry: 40 hex of its key's digest."""
    return digest(dict(key))[:40]


def read_description(root: Path, name: str) -> dict[str, Any]:
    """Key, checksum and cost of an entry. Raises ``FileNotFoundError`` or ``DamagedEntry``."""
    path = root / f"{name}.json"
    try:
        description = _description(path.read_bytes())
        if entry_name(description["key"]) != name:
            raise ValueError("it describes another entry")
        return description
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise DamagedEntry(f"cache file {path} is damaged ({error})") from error


def _description(text: bytes) -> dict[str, Any]:
    """Entries that ``Cache`` wrote carry no checksum; their key answers for their name."""
    if is_signed(text):
        return unsigned(text)
    description: dict[str, Any] = json.loads(text)
    if set(description) != {"key", "sha256", "cost"}:
        raise ValueError("it carries no checksum")
    return description


def read_entry(root: Path, name: str) -> Made:
    """The arrays of an entry, which counts as used now. Raises ``FileNotFoundError`` or ``DamagedEntry``."""
    import numpy as np

    description = read_description(root, name)
    path = root / f"{name}.npz"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != description["sha256"]:
            raise ValueError("its checksum differs")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        made = Made(arrays, Cost(**{**description["cost"], "cached": True}))
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DamagedEntry(f"cache file {path} is damaged ({error})") from error
    _touch(root / f"{name}.json")
    return made


def verify_entry(root: Path, name: str) -> str:
    """What is wrong with an entry; empty if it is whole."""
    try:
        description = read_description(root, name)
        content = (root / f"{name}.npz").read_bytes()
    except FileNotFoundError as error:
        return f"cache file {error.filename} is missing"
    except (DamagedEntry, OSError) as error:
        return str(error)
    whole = hashlib.sha256(content).hexdigest() == description["sha256"]
    return "" if whole else f"cache file {root / name}.npz is damaged (its checksum differs)"


def write_entry(root: Path, name: str, key: Key, made: Made) -> None:
    """Write arrays, then their description, which makes them exist."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **made.arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for options
    content = buffer.getvalue()
    write_atomically(root / f"{name}.npz", content)
    checksum = hashlib.sha256(content).hexdigest()
    write_atomically(root / f"{name}.json", signed({"key": dict(key), "sha256": checksum, "cost": asdict(made.cost)}))


def remove_entry(root: Path, name: str) -> None:
    """Remove an entry, the description first: what is left without it does not exist."""
    for suffix in (".json", ".npz"):
        (root / f"{name}{suffix}").unlink(missing_ok=True)


def entry_names(root: Path) -> list[str]:
    """Names of all entries, whole or not, the least recently used first."""
    stamps: dict[str, float] = {}
    for path in root.glob("*"):
        if path.suffix in (".json", ".npz") and re.fullmatch("[0-9a-f]{40}", path.stem):
            stamps[path.stem] = max(stamps.get(path.stem, 0.0), _modified(path))
    return sorted(stamps, key=lambda name: (stamps[name], name))


def entry_bytes(root: Path, name: str) -> int:
    """Size of both files of an entry."""
    return sum(_size(root / f"{name}{suffix}") for suffix in (".json", ".npz"))


def evict(root: Path, limit: int, keep: str = "") -> list[str]:
    """Remove the least recently used entries until the rest fits; what a process is making stays, as does ``keep``."""
    sizes = {name: entry_bytes(root, name) for name in entry_names(root)}
    total, removed = sum(sizes.values()), []
    for name, size in sizes.items():
        if total <= limit:
            break
        held = None if name == keep else try_lock(root, name)
        if held is None:
            continue
        remove_entry(root, name)
        held.release()
        removed.append(name)
        total -= size
    return removed


def size_of(text: str) -> int:
    """Bytes of ``500M``, ``20G`` or a plain number. Raises ``SpecError``."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    if found is None:
        raise SpecError(f'"{text}" is no size', fix="write a number of bytes, or 500M, 20G, 1T; 0 is no limit")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _measured(make: Callable[[], Arrays]) -> Made:
    with measured() as cost:
        arrays = make()
    return Made(arrays, cost)


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
