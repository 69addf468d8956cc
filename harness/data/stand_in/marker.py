"""The mark of stand-ins: a file in their folder, which fingerprints, records and boards take notice of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MARKER: Final = "STAND-IN.json"
NOTE: Final = "stand-in data: not comparable"


def mark(folder: Path, name: str, images: int, seed: int) -> None:
    """Write the marker of a stand-in in the folder ``name``."""
    content = {"stand_in": name, "images": images, "seed": seed, "note": NOTE}
    (folder / MARKER).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def is_stand_in(path: Path) -> bool:
    """Whether a file or folder belongs to a stand-in: the marker is in it, or in one of the two folders above it."""
    return any((place / MARKER).is_file() for place in (path, *list(path.parents)[:2]))


def marks(folder: Path) -> list[str]:
    """What a fingerprint takes up besides the data: nothing, or that they are a stand-in."""
    return ["stand-in"] if is_stand_in(folder) else []


def names_stand_in(parameters: Mapping[str, Any], root: Path) -> bool:
    """Whether a parameter names a file or folder of a stand-in.

    Args:
        parameters: of a loader or a method.
        root: the data folder; names are relative to it, or to its ``networks`` (``imagenet``), or absolute.
    """
    texts = [value for value in parameters.values() if isinstance(value, str) and value]
    paths = [folder / text for text in texts for folder in (root, root / "networks")]
    return any(path.exists() and is_stand_in(path) for path in paths)
