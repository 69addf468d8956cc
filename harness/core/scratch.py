"""A folder for the temporary files of this process and those it starts, removed with it; after a kill by the next one.

All lie in ``harness-UID`` of the system's folder for temporary files, each under a lock of its process.
"""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

from harness.core.locks import Lock, sweep, try_lock

_held: list[Lock] = []
"""Locks of this process, kept until it ends."""


def scratch_folder() -> Path:
    """The folder of this process; folders of processes that are no more are removed."""
    return _scratch_folder(os.getpid())


@functools.cache
def _scratch_folder(process: int) -> Path:
    root = _root()
    name = f"{process}-{secrets.token_hex(3)}"
    lock = try_lock(root, name)
    if lock is not None:  # nobody else has this name
        _held.append(lock)
    folder = root / name
    folder.mkdir(mode=0o700)
    atexit.register(_remove, folder, process)
    remove_abandoned(root)
    return folder


def remove_abandoned(root: Path) -> None:
    """Remove what processes left that were killed."""
    for folder in root.iterdir():
        lock = try_lock(root, folder.name) if folder.is_dir() and not folder.is_symlink() else None
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
    sweep(root)


def _root() -> Path:
    """The folder of this user alone."""
    root = Path(tempfile.gettempdir()) / f"harness-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    state = root.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():  # somebody else's: a trap
        return Path(tempfile.mkdtemp(prefix="harness-"))
    return root


def _remove(folder: Path, process: int) -> None:
    if os.getpid() != process:  # a fork of it
        return
    shutil.rmtree(folder, ignore_errors=True)
    while _held:
        _held.pop().release()
