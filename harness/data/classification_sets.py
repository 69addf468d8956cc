"""What loaders of classification sets share: checks of the arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import DataDamaged
from harness.data.array_files import ARRAY_ERRORS, array_in
from harness.plugin_api import ClassificationSet

if TYPE_CHECKING:
    from harness.plugin_api import Ids

_FORM: Final = "an .npy file (n, d), or an .npz file with train"


@dataclass(frozen=True, kw_only=True)
class SelectionFeatures:
    """The parameter of classification sets for what acquisitions see in place of the network's features.

    Attributes:
        selection_features: features that acquisitions see in place of the network's: an .npy file (n, d) of floats, a
            row for each image of the whole pool, or an .npz file that has them as ``train``.
    """

    selection_features: Path | None = None

    def with_selection(
        self, dataset: ClassificationSet, of_pool: int | None = None, rows: Ids | None = None
    ) -> ClassificationSet:
        """The dataset with these features, if any. Raises ``DataDamaged`` where they do not fit its pool.

        Args:
            dataset: as loaded.
            of_pool: images of the whole pool, where the dataset is a part of it already.
            rows: positions in the whole pool of the images of that part.
        """
        if self.selection_features is None:
            return dataset
        features = self._features(self.selection_features, len(dataset.train_images) if of_pool is None else of_pool)
        if not np.isfinite(features).all():
            row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
            raise DataDamaged(f"{self.selection_features} is not finite in row {row}")
        part = features if rows is None else features[rows]
        return dataclasses.replace(dataset, selection_features=part.astype(np.float32))

    def require_rows(self, of_pool: Callable[[], int]) -> None:
        """For plans: raises ``DataDamaged`` where there are features, but not one for each image of the whole pool."""
        if self.selection_features is not None:
            self._features(self.selection_features, of_pool())

    def _features(self, path: Path, of_pool: int) -> NDArray[np.floating]:
        try:
            features = array_in(path, "train")
        except ARRAY_ERRORS as error:
            raise DataDamaged(f"{path} cannot be read: {error}", fix=_FORM) from error
        if features is None:
            raise DataDamaged(f"{path} has no train", fix=_FORM)
        if features.ndim != 2 or features.dtype.kind != "f" or len(features) != of_pool:
            raise DataDamaged(
                f"{path} holds {features.dtype} {features.shape}",
                fix=f"selection_features: floats (n, d) of the {of_pool} examples of the pool",
            )
        return features


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
