"""What loaders of classification sets share: checks of the arrays."""

from __future__ import annotations

import dataclasses
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core.errors import DataDamaged
from harness.plugin_api import ClassificationSet


@dataclass(frozen=True, kw_only=True)
class SelectionFeatures:
    """The parameter of classification sets for what acquisitions see in place of the network's features.

    Attributes:
        selection_features: an .npy file (n, d) of floats, a row for each image of the pool, or an .npz file that has
            them as ``train``, as for the dataset ``embeddings``.
    """

    selection_features: Path | None = None

    def with_selection(self, dataset: ClassificationSet) -> ClassificationSet:
        """The dataset with these features, if any. Raises ``DataDamaged`` where they do not fit its pool."""
        path = self.selection_features
        if path is None:
            return dataset
        try:
            content = np.load(path, allow_pickle=False)
            features = content if isinstance(content, np.ndarray) else content["train"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            fix = "an .npy file (n, d), or an .npz file with train"
            raise DataDamaged(f"{path} cannot be read: {error}", fix=fix) from error
        if features.ndim != 2 or features.dtype.kind != "f" or len(features) != len(dataset.train_images):
            raise DataDamaged(
                f"{path} holds {features.dtype} {features.shape}",
                fix=f"selection_features: floats (n, d) of the {len(dataset.train_images)} examples of the pool",
            )
        if not np.isfinite(features).all():
            row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
            raise DataDamaged(f"{path} is not finite in row {row}")
        return dataclasses.replace(dataset, selection_features=features.astype(np.float32))


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
        if len(wrong := np.flatnonzero((labels < 0) | (labels >= classes))):
            found = f"{part}_labels[{wrong[0]}] is {labels[wrong[0]]}"
            raise DataDamaged(f"{dataset.name}: {part} labels should be from 0 to {classes - 1}, {found}")
    return dataset
