"""A folder of generated files that appears whole or not at all: written beside its place, then put there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from harness.core.errors import FileUnusable, InvalidInput
from harness.core.files import unfinished_folder

MARK: Final = '<meta name="generator" content="harness page">'
"""Stands in every index.html that was generated: only such a folder is ever replaced."""


@contextmanager
def replaced_folder(place: Path) -> Iterator[Path]:
    """A new folder to write into; when the block ends without an exception it is at ``place``.

    Raises:
        InvalidInput: ``place`` holds something that was not generated.
        FileUnusable: it cannot be written.
    """
    place = Path(os.path.realpath(place))  # of a link, the folder behind it is replaced
    _refuse_foreign(place)
    with ExitStack() as stack:
        try:
            new = stack.enter_context(unfinished_folder(place))
        except OSError as error:
            raise FileUnusable.of(error, place) from error
        yield new
        _put(new, place)


def _put(new: Path, place: Path) -> None:
    if not place.exists():
        new.rename(place)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}-old-", dir=place.parent))
    place.rename(old / place.name)
    try:
        new.rename(place)
    except BaseException:
        (old / place.name).rename(place)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _refuse_foreign(place: Path) -> None:
    if not place.exists():
        return
    if not place.is_dir():
        raise InvalidInput(f"{place} is a file", fix="a folder, new or written by harness page")
    index = place / "index.html"
    if any(place.iterdir()) and not (index.is_file() and MARK in index.read_text("utf-8", errors="replace")[:2000]):
        raise InvalidInput(
            f"{place} holds files that harness page did not write, and would be replaced as a whole",
            fix="a new or empty folder, or one that harness page wrote",
        )
