"""Folders of images by class: which files are read, which are not, and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from harness.core.errors import DataDamaged, DataMissing
from harness.data.files import IMAGE_SUFFIXES

SUFFIXES: Final = " ".join(IMAGE_SUFFIXES)
_HIDDEN_FOLDERS: Final = ("__MACOSX",)

Reason = Literal["hidden", "other suffix", "in a sub-folder", "not a file", "outside of the class folders"]


@dataclass(frozen=True)
class Skipped:
    """A file that is not read; of a sub-folder each of its images."""

    path: Path
    reason: Reason


@dataclass(frozen=True)
class ClassFolders:
    """What lies in a folder of class folders.

    Attributes:
        files: class -> its image files, both sorted by name; classes without any are not left out.
        skipped: all other files.
    """

    files: Mapping[str, Sequence[Path]]
    skipped: Sequence[Skipped]


def scan_classes(folder: Path) -> ClassFolders:
    """What is read of ``folder/<class>/`` and what is not. Raises ``DataMissing`` where there is no folder."""
    if not folder.is_dir():
        raise DataMissing(f"there is no folder {folder}", fix=f"put one folder of images ({SUFFIXES}) per class there")
    files: dict[str, list[Path]] = {}
    skipped: list[Skipped] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if _is_hidden(entry.name):
            skipped += [Skipped(Path(entry.path), "hidden")]
        elif entry.is_dir():
            files[entry.name] = _scan_class(entry.path, skipped)
        else:
            skipped.append(Skipped(Path(entry.path), "outside of the class folders"))
    return ClassFolders(files, skipped)


def class_files(folder: Path) -> dict[str, list[Path]]:
    """Image files of ``folder/<class>/``, classes and files sorted by name.

    Raises:
        DataMissing: no folder, or no images in it.
        DataDamaged: a class folder without images, which would vanish.
    """
    scanned = scan_classes(folder)
    if not any(scanned.files.values()):
        raise DataMissing(
            f"{folder} holds no images in class folders",
            why=_inventory([skipped for skipped in scanned.skipped]),
            fix=f"put one folder of images ({SUFFIXES}) per class into it",
        )
    for name, paths in scanned.files.items():
        if not paths:
            inside = [skipped for skipped in scanned.skipped if (folder / name) in skipped.path.parents]
            raise DataDamaged(
                f"the class folder {folder / name} holds no images",
                why=_inventory(inside) or "it is empty",
                fix=f"put images ({SUFFIXES}) directly into it, or remove it",
            )
    return {name: list(paths) for name, paths in scanned.files.items()}


def _scan_class(folder: str, skipped: list[Skipped]) -> list[Path]:
    images = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        is_image = entry.name.lower().endswith(IMAGE_SUFFIXES)
        if _is_hidden(entry.name):
            skipped.append(Skipped(Path(entry.path), "hidden"))
        elif entry.is_dir():
            nested = _images_below(entry.path)
            skipped += [Skipped(path, "in a sub-folder") for path in nested]
            if is_image and not nested:
                skipped.append(Skipped(Path(entry.path), "not a file"))
        elif not is_image:
            skipped.append(Skipped(Path(entry.path), "other suffix"))
        elif not entry.is_file() and not entry.is_symlink():  # a link that leads nowhere is missed when it is read
            skipped.append(Skipped(Path(entry.path), "not a file"))
        else:
            images.append(Path(entry.path))
    return images


def _images_below(folder: str) -> list[Path]:
    return [
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in sorted(names)
        if name.lower().endswith(IMAGE_SUFFIXES) and not _is_hidden(name)
    ]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _HIDDEN_FOLDERS


def _inventory(skipped: Sequence[Skipped]) -> str:
    """``3 files in a sub-folder (a/b.jpg), 2 with another suffix (c.svg)``; empty for none."""
    counts = Counter(file.reason for file in skipped)
    first = {file.reason: file.path for file in reversed(skipped)}
    return ", ".join(f"{number:,} {reason}, such as {first[reason]}" for reason, number in counts.items())
