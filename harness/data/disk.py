"""Errors of the disk as errors that a user can fix."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harness.core.errors import BAD_DATA, HarnessError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
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
