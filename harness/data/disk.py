"""Errors of the disk as errors that a user can fix, and folders that are written once."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.core.errors import BAD_DATA, HarnessError
from harness.core.files import unfinished_folder

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_ABANDONED_SECONDS: Final = 3600
"""An unfinished folder of this age was left by a process that was killed."""
_CLOSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


class NoSpace(HarnessError):
    """The disk is full, or may not be written to."""

    code = "D430"
    exit_code = BAD_DATA


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """What the operating system refuses inside becomes a ``NoSpace`` that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(
                f"the disk of {folder} is full", fix="make room and run the same command again to resume"
            ) from error
        if error.errno in _CLOSED:
            raise NoSpace(
                f"{folder} cannot be written to: {error.strerror}", fix="choose another data folder (--data)"
            ) from error
        raise


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise ``NoSpace`` if so many bytes do not fit on the disk of an existing folder."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise NoSpace(
            f"{what} needs {size_text(needed)}, the disk of {folder} has {size_text(free)} left",
            fix="make room, or choose another data folder (--data)",
        )


def size_text(size: float) -> str:
    """``1.9 GB``, decimal as disks and downloads are counted."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:,.1f} {unit}"


def write_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a folder unless it exists; it appears as a whole, also where several processes write it."""
    if folder.exists():
        return
    for unfinished in folder.parent.glob(f".{folder.name}-*"):
        if time.time() - unfinished.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(unfinished, ignore_errors=True)
    with unfinished_folder(folder) as unfinished:
        write(unfinished)
        try:
            os.rename(unfinished, folder)
        except OSError:
            if not folder.exists():  # else another process has written the same meanwhile
                raise
