"""Image files of a folder, wherever official archives and users have put them below it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.core.errors import DataDamaged, DataMissing

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_SHOWN: Final = 3


def stems(folder: Path) -> dict[str, Path]:
    """Images below a folder by name without suffix: ``paris/defense/paris_defense_000001.jpg`` by its last part.

    Raises:
        DataDamaged: two images of one name, as either could be meant.
    """
    found: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in SUFFIXES or name.startswith("."):
                continue
            if stem in found:
                raise DataDamaged(
                    f"two images of {folder} are called {stem}: {found[stem]} and {parent}/{name}",
                    fix="keep one of the two",
                )
            found[stem] = Path(parent, name)
    return found


def first_folder(root: Path, candidates: Sequence[str], what: str, suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """The first of these folders that holds, at any depth, a file with one of the suffixes.

    Raises:
        DataMissing: none does; names the first, which is the usual place.
    """
    for candidate in candidates:
        for _, _, names in os.walk(root / candidate, followlinks=True):
            if any(name.lower().endswith(suffixes) for name in names):
                return root / candidate
    raise DataMissing(f"{what} are missing in {root / candidates[0]}", fix="put them there")


def refuse_missing(missing: Sequence[str], of: int, folder: Path) -> None:
    """Raise ``DataMissing`` that says how many of the images are missing and names the first."""
    if missing:
        names = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        raise DataMissing(
            f"{len(missing):,} of {of:,} images are not in {folder}: {names}", fix=f"put them into {folder}"
        )
