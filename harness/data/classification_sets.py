"""What loaders of classification sets share: checks of the arrays, folders of images by class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.core.errors import DataDamaged, DataMissing
from harness.data.files import IMAGE_SUFFIXES
from harness.plugin_api import ClassificationSet


def checked(dataset: ClassificationSet) -> ClassificationSet:
    """The dataset, if its parts fit together. Raises ``DataDamaged``."""
    classes = len(dataset.classes)
    for part in ("train", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        right_type = images.dtype in (np.uint8, np.float32) and images.ndim == 4
        if not right_type or len(images) != len(labels) or len(labels) == 0:
            raise DataDamaged(
                f"{dataset.name}: {part} images are {images.dtype} {images.shape} for {len(labels)} labels",
                fix="images are uint8 (n, channels, height, width), features float32 (n, d, 1, 1), each with a label",
            )
        if labels.min() < 0 or labels.max() >= classes:
            raise DataDamaged(f"{dataset.name}: {part} labels should be from 0 to {classes - 1}")
    return dataset


def class_files(folder: Path) -> dict[str, list[Path]]:
    """Image files of ``folder/<class>/``, classes and files sorted by name. Raises ``DataMissing``."""
    if not folder.is_dir():
        raise DataMissing(f"there is no folder {folder}", fix="put one folder of images per class into it")
    files = {
        place.name: sorted(path for path in place.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
    }
    files = {name: paths for name, paths in files.items() if paths}
    if not files:
        raise DataMissing(f"{folder} holds no images", fix="put one folder of images per class into it")
    return files
