"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import FileUnusable


def write_atomically(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """A reader sees the old file, or the new one whole, or none.

    Args:
        path: the file.
        content: of it.
        lasting: also where the machine stops meanwhile. That waits for the disk; without, a reader has to find out by
            itself whether the content is whole.

    Raises:
        OSError: names the file.
    """
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        _replace(path, handle, temporary, content, lasting)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors name the file that is to be, not a temporary one or none."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise


def _replace(path: Path, handle: int, temporary: str, content: bytes, lasting: bool) -> None:
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """What the system refuses while something is written there is a ``FileUnusable`` of that place."""
    try:
        yield
    except OSError as error:
        raise FileUnusable.of(error, place) from error


@contextmanager
def unfinished_folder(place: Path) -> Iterator[Path]:
    """A new folder beside ``place`` to write into; rename it to ``place`` when it is complete, or it is removed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        folder.chmod(0o755)  # mkdtemp makes it private
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
