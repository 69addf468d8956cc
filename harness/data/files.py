"""Files of datasets, wherever official archives and users have put them below the data folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from harness.core.digest import file_checksum
from harness.core.errors import DataDamaged, DataMissing
from harness.data.fingerprint import md5_digest
from harness.data.stand_in.marker import is_stand_in
from harness.plugin_api import DataFolders

IMAGE_SUFFIXES: Final = tuple(
    ".jpg .jpeg .jfif .png .bmp .webp .gif .tif .tiff .ppm .pgm .pbm .pnm .jp2 .avif .heic .heif".split()
)
"""Of the files that ``harness.data.decode`` opens."""
_SHOWN: Final = 3


def images_by_stem(folder: Path) -> dict[str, Path]:
    """Images below a folder by name without suffix: ``paris/defense/paris_defense_000001.jpg`` by its last part.

    Raises:
        DataDamaged: two images of one name, as either could be meant.
    """
    images: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in IMAGE_SUFFIXES or name.startswith("."):
                continue
            if stem in images:
                raise DataDamaged(
                    f"two images of {folder} are called {stem}: {images[stem]} and {parent}/{name}",
                    fix="keep one of the two",
                )
            images[stem] = Path(parent, name)
    return images


def first_folder(root: Path, candidates: Sequence[str], what: str, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> Path:
    """The first of these folders that holds, at any depth, a file with one of the suffixes.

    Raises:
        DataMissing: none does; names the first, which is the usual place.
    """
    for candidate in candidates:
        for _, _, names in os.walk(root / candidate, followlinks=True):
            if any(name.lower().endswith(suffixes) for name in names):
                return root / candidate
    raise DataMissing(f"{what} are missing in {root / candidates[0]}", fix="put them there")


def first_file(root: Path, candidates: Sequence[str], what: str) -> Path:
    """The first of these files that exists.

    Raises:
        DataMissing: none does; names the first, which is the usual place, and says to put ``what`` there.
    """
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    usual = root / candidates[0]
    raise DataMissing(f"there is no {usual.name} in {usual.parent}", fix=f"put {what} there")


def refuse_missing(missing: Sequence[str], of: int, folder: Path) -> None:
    """Raise ``DataMissing`` that says how many of the images are missing and names the first."""
    if missing:
        names = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        raise DataMissing(
            f"{len(missing):,} of {of:,} images are not in {folder}: {names}", fix=f"put them into {folder}"
        )


def refuse_outside(names: Sequence[str], source: object, folder: Path) -> None:
    """Raise ``DataDamaged`` for a name in ``source`` that leads out of the folder."""
    if outside := [name for name in names if name.startswith("/") or ".." in name.split("/")]:
        raise DataDamaged(f"{source} names {outside[0]}, which is not inside of {folder}")


def refuse_unpublished(file: Path, md5: str, folders: DataFolders | None = None) -> None:
    """Raise ``DataDamaged`` for a file that does not have its published checksum and is not of a stand-in.

    With ``folders`` the checksum may be remembered there: for plans. What is read as a pickle is checked without.
    """
    checksum = md5_digest(file, folders) if folders else file_checksum(file, "md5")
    if checksum != md5 and not is_stand_in(file):
        raise DataDamaged(
            f"{file} is not the published file: its MD5 is {checksum}, published is {md5}",
            fix="remove it and get it again; for a copy of your own as images in folders, name the dataset"
            " image-classes in the spec (harness datasets show image-classes)",
        )


def listed(list_file: Path, folder: Path, *, skip_missing: bool) -> list[str]:
    """Files of a list with one name a line, relative to a folder: the distractors, in the order of the list.

    Args:
        list_file: text, one file a line.
        folder: where the files are.
        skip_missing: leave out what the list names but the folder does not hold.

    Raises:
        DataMissing: no list, no folder, or files are missing and may not be.
        DataDamaged: a name is a duplicate, or leaves the folder.
    """
    try:
        names = [line.strip() for line in list_file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise DataMissing(f"there is no list of distractors {list_file}", fix="put it there") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataDamaged(f"the list of distractors {list_file} cannot be read: {error}") from error
    if len(set(names)) != len(names):
        raise DataDamaged(f"{list_file} has {len(names) - len(set(names)):,} duplicate names")
    refuse_outside(names, list_file, folder)
    present = set(_below(folder))
    if not skip_missing:
        refuse_missing([name for name in names if name not in present], len(names), folder)
    return [f"{folder}/{name}" for name in names if name in present]


def _below(folder: Path) -> Iterator[str]:
    """Files below a folder, relative to it; the prefix is found once a folder, as there may be a million files."""
    for parent, _, files in os.walk(folder, followlinks=True):
        prefix = os.path.relpath(parent, folder).replace(os.sep, "/") + "/"
        yield from files if prefix == "./" else (prefix + name for name in files)


def read_mat(file: Path, *names: str) -> list[Any]:
    """Variables of a MATLAB file.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is not a MATLAB file, or a variable is missing.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not file.is_file():
        raise DataMissing(f"there is no file {file}", fix=f"put {file.name} there")
    try:
        content = loadmat(file, variable_names=names)
        return [content[name] for name in names]
    except (MatReadError, OSError, KeyError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
        why = f"it should hold {', '.join(names)}"
        raise DataDamaged(f"{file} is not the published file: {error}", why=why) from error
