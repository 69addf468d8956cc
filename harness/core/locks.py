"""Locks between processes: one hidden file a lock, held by the operating system and gone with a process that dies.

The file is removed by whoever holds the lock; what a killed process leaves (a lock file, a half-written temporary file)
is removed under the lock of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from filelock import FileLock

_POLL_SECONDS: Final = 0.02


class Lock:
    """A lock that this process holds until ``release``."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self._path, self._lock = path, lock

    def release(self) -> None:
        """Remove the file and let the next one in. A waiting process notices that its file is gone and asks again."""
        self._path.unlink(missing_ok=True)
        self._lock.release(force=True)


def lock_path(folder: Path, name: str) -> Path:
    """File of the lock ``name`` of a folder."""
    return folder / f".{name}.lock"


def try_lock(folder: Path, name: str) -> Lock | None:
    """The lock, or None while another process (or another holder in this one) has it."""
    return _acquire(folder, name, blocking=False)


class Held(Exception):
    """Somebody has the lock."""


@contextmanager
def locked_at_once(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock for a block of code. Raises ``Held``: who holds another lock must not wait for one more."""
    lock = try_lock(folder, name)
    if lock is None:
        raise Held
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Wait for the lock and hold it for a block of code."""
    lock = _acquire(folder, name, blocking=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def sweep(folder: Path) -> list[Path]:
    """Remove what killed processes left in a folder: lock files and temporary files that nobody holds."""
    removed: list[Path] = []
    names = {name for path in folder.glob(".*") if (name := _owner(path))}
    for name in sorted(names):
        lock = try_lock(folder, name)
        if lock is None:
            continue
        try:
            removed += remove_temporary(folder, name)
        finally:
            lock.release()
    return removed


def remove_temporary(folder: Path, name: str) -> list[Path]:
    """Remove temporary files of ``name``; only its holder may do so."""
    files = [*folder.glob(f".{name}.*.tmp")]
    for path in files:
        path.unlink(missing_ok=True)
    return files


def _owner(path: Path) -> str:
    """``abc`` of ``.abc.lock`` and ``.abc.json.x1y2z3.tmp``; empty for other files."""
    if path.suffix not in (".lock", ".tmp"):
        return ""
    return path.name[1:].split(".")[0]


def _acquire(folder: Path, name: str, *, blocking: bool) -> Lock | None:
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    path = lock_path(folder, name)
    # Not thread-local: the thread that lets go may be another one.
    lock = FileLock(path, thread_local=False)
    with suppress(Timeout):
        lock.acquire(blocking=blocking, poll_interval=_POLL_SECONDS)
        return Lock(path, lock)
    return None
