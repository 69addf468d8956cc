"""Generated instances as they lie in a folder: images, and the ground truth as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.core.errors import DataDamaged
from harness.plugin_api import RetrievalSet

GROUND_TRUTH: Final = "ground_truth.json"


def read(folder: Path) -> dict[str, Any]:
    """What a generator wrote beside the images."""
    document: dict[str, Any] = json.loads((folder / GROUND_TRUTH).read_text(encoding="utf-8"))
    return document


def stored_instances(name: str, folder: Path, images: int, queries: int) -> RetrievalSet:
    """A generated data set: ``database/00000.jpg``, ..., ``queries/00000.jpg``, ..., ``ground_truth.json``.

    Raises:
        DataDamaged: files are gone, or the ground truth cannot be read.
    """
    paths = {
        part: [folder / part / f"{number:05d}.jpg" for number in range(count)]
        for part, count in (("database", images), ("queries", queries))
    }
    if lost := [path for files in paths.values() for path in files if not path.is_file()]:
        raise DataDamaged(f"{len(lost)} generated images are gone, {lost[0]} first", fix=f"remove {folder}")
    try:
        drawn = read(folder)
    except (OSError, ValueError) as error:
        reason = f"the ground truth in {folder} cannot be read: {error}"
        raise DataDamaged(reason, fix=f"remove {folder}") from error
    return RetrievalSet(
        name=name,
        images=paths["database"],
        queries=paths["queries"],
        boxes=[None if box is None else tuple(box) for box in drawn["boxes"]],
        ground_truth=drawn["ground_truth"],
        pairs=np.array(drawn["pairs"], np.int64).reshape(-1, 2),
        image_boxes=[None if box is None else tuple(box) for box in drawn["image_boxes"]],
    )
