"""What is in a cache folder: list it, check it, clear it, and explain how an entry differs from the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.cache.entries import DamagedEntry, EntryFolder
from harness.core.errors import SpecError
from harness.core.locks import sweep, try_lock

SUBFOLDERS: Final = ("arrays", "images")
"""Folders of the cache that hold entries."""


@dataclass(frozen=True)
class StoredEntry:
    """One entry on disk; ``damage`` says what is wrong with it, where something is."""

    folder: Path
    name: str
    bytes: int
    key: Mapping[str, Any]
    seconds: float
    damage: str = ""
    foreign: Sequence[Sequence[str]] = ()
    """Name and source digest of foreign code that was loaded in the process that computed it."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The run that computed it; empty where it was no run."""

    @property
    def stage(self) -> str:
        """What part of a run it belongs to."""
        return str(self.key.get("stage", self.key.get("kind", "?"))) if self.key else "damaged"


def cache_entries(cache: Path) -> list[StoredEntry]:
    """All entries, the least recently used first; only descriptions are read (``verify_cache`` reads the arrays)."""
    return [_stored(folder, name) for folder in _folders(cache) for name in folder.names()]


def verify_cache(cache: Path, *, remove: bool = True) -> list[StoredEntry]:
    """Check every byte of every entry. Returns the damaged ones; they are removed, and computed again when needed."""
    damaged = []
    for folder in _folders(cache):
        sweep(folder.root)
        for name in folder.names():
            lock = try_lock(folder.root, name)
            if lock is None:  # it is being computed
                continue
            try:
                if damage := folder.damage(name):
                    damaged.append(StoredEntry(folder.root, name, folder.size(name), {}, 0.0, damage))
                    if remove:
                        folder.remove(name)
            finally:
                lock.release()
    return damaged


def sweep_cache(cache: Path) -> None:
    """Remove locks and temporary files that processes left which were killed."""
    for folder in _folders(cache):
        sweep(folder.root)


def clear_cache(cache: Path, *, limit: int = 0) -> list[str]:
    """Remove entries, the least recently used first, until at most ``limit`` bytes are left in each folder.

    An entry that a process is computing stays.
    """
    removed = []
    for folder in _folders(cache):
        sweep(folder.root)
        removed += folder.evict(limit)
    return removed


def explain_entry(name: str, cache: Path) -> tuple[StoredEntry, list[str]]:
    """One entry, found by the beginning of its name, and how it differs from the entry most like it.

    Returns:
        The entry, and lines ``path: here, there``; the first line names the other entry. No lines: there is no other.

    Raises:
        SpecError: no entry, or several, begin with ``name``.
    """
    entries = cache_entries(cache)
    chosen = [entry for entry in entries if entry.name.startswith(name)]
    if len(chosen) != 1:
        count = "no entry" if not chosen else f"{len(chosen)} entries"
        raise SpecError(f'{count} of the cache begin with "{name}"', fix="harness cache list shows their names")
    entry = chosen[0]
    others = [other for other in entries if other.stage == entry.stage and other.name != entry.name and other.key]
    if not entry.key or not others:
        return entry, []
    nearest = min(others, key=lambda other: (len(_differences(entry.key, other.key)), other.name))
    return entry, [f"nearest: {nearest.name}", *_differences(entry.key, nearest.key)]


def _folders(cache: Path) -> list[EntryFolder]:
    return [EntryFolder(cache / name) for name in SUBFOLDERS if (cache / name).is_dir()]


def _stored(folder: EntryFolder, name: str) -> StoredEntry:
    size = folder.size(name)
    try:
        description = folder.description(name)
        return StoredEntry(
            folder.root,
            name,
            size,
            description["key"],
            float(description["cost"]["wall_s"]),
            foreign=description["foreign"],
            recipe=description.get("recipe", {}),
        )
    except FileNotFoundError:
        return StoredEntry(folder.root, name, size, {}, 0.0, "its description is missing")
    except DamagedEntry as error:
        return StoredEntry(folder.root, name, size, {}, 0.0, str(error))


def _differences(here: Any, there: Any) -> list[str]:
    left, right = dict(_leaves(here)), dict(_leaves(there))
    return [
        f"{path}: {left.get(path, 'absent')!s}, there {right.get(path, 'absent')!s}"
        for path in sorted({*left, *right})
        if left.get(path, _leaves) != right.get(path, _leaves)
    ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}".lstrip("."))
    else:
        yield path, value
