"""The image files of a folder by the names that a ground truth gives them, and what was meant by a name of no file."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from harness.data.files import IMAGE_SUFFIXES


class ImageNames:
    """Names are relative to the folder, with ``/``; one without a suffix means the only image of that name.

    Args:
        folder: holds the images.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, name: str) -> Path | None:
        """The file of a name that does not lead out of the folder; None where there is none."""
        if (path := self._folder / name).is_file():
            return path
        return None if name.lower().endswith(IMAGE_SUFFIXES) else self._by_stem.get(name)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return self.file(name) is not None

    def suggestion(self, name: str) -> str:
        """``; 'a/b.jpg' exists``: the file that a name of none probably means; empty where there is none."""
        parts = PurePosixPath(_plain(name)).parts
        for start in range(len(parts)):
            rest = "/".join(parts[start:])
            if file := self._plainly.get(rest) or self._plainly.get(os.path.splitext(rest)[0]):
                same = unicodedata.normalize("NFC", file) == unicodedata.normalize("NFC", name)
                return f"; {file!r} exists" + (" (the same letters in another Unicode form)" if same else "")
        return ""

    def others(self, names: set[Path]) -> Iterator[tuple[Path, str]]:
        """Files of the folder that are none of these, each with the reason why it is not read."""
        for parent, folders, files in os.walk(self._folder, followlinks=True):
            folders.sort()
            for file in sorted(files):
                if (path := Path(parent, file)) not in names:
                    is_image = file.lower().endswith(IMAGE_SUFFIXES)
                    hidden = file.startswith(".")
                    yield path, "hidden" if hidden else "not in the ground truth" if is_image else "other suffix"

    @cached_property
    def _names(self) -> list[str]:
        return [
            Path(parent, file).relative_to(self._folder).as_posix()
            for parent, _, files in os.walk(self._folder, followlinks=True)
            for file in files
            if file.lower().endswith(IMAGE_SUFFIXES) and not file.startswith(".")
        ]

    @cached_property
    def _by_stem(self) -> dict[str, Path]:
        """Name without suffix -> file, of names that mean one file only, in whatever sub-folder."""
        found: dict[str, list[str]] = {}
        for name in self._names:
            stem = os.path.splitext(name)[0]
            for key in {stem, os.path.basename(stem)}:
                found.setdefault(key, []).append(name)
        return {stem: self._folder / names[0] for stem, names in found.items() if len(names) == 1}

    @cached_property
    def _plainly(self) -> dict[str, str]:
        plain: dict[str, str] = {}
        for name in sorted(self._names, reverse=True):
            plain[os.path.splitext(_plain(name))[0]] = name
        return plain | {_plain(name): name for name in self._names}


def _plain(name: str) -> str:
    """What names that look alike have in common: one Unicode form, ``/``, lower case."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").casefold().removeprefix("./")
