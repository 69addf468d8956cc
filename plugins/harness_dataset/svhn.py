"""SVHN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import numpy as np
from annotated_types import Ge

from harness.core.errors import DataDamaged
from harness.data.classification_sets import SelectionFeatures, checked
from harness.data.files import first_file, read_mat, refuse_unpublished
from harness.data.fingerprint import file_digest, value_digest
from harness.data.stand_in.marker import marks
from harness.data.subsets import Subset
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from harness.data.stand_in.marker import marks
from harness.plugin_api import DataFolders

_FILES: Final = {
    "train": ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test": ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
}
"""Names and published MD5, as torchvision has them."""
_CLASSES: Final = tuple("0123456789")


@dataclass(frozen=True)
class Svhn(SelectionFeatures):
    """House-number digits of 32 x 32 pixels, published split without the extra set (Netzer et al. 2011).

    Attributes:
        path: folder of ``train_32x32.mat`` and ``test_32x32.mat``; relative to the data folder.
        limit: images of the pool at most, each class in proportion, the first of each; 0 takes all.
        per_class: images of the pool in each class at most, the first of each; 0 takes all.
        classes: names of the classes to keep, in the pool and in the test set; empty keeps all.
    """

    path: str = "SVHN"
    limit: Annotated[int, Ge(0)] = 0
    per_class: Annotated[int, Ge(0)] = 0
    classes: tuple[str | int, ...] = ()

    task: ClassVar[Task] = "active-learning"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the two files. Raises ``DataMissing``; ``DataDamaged`` where they are not the published ones."""
        files = [self._file(name, folders) for name, _ in _FILES.values()]
        for file, (_, md5) in zip(files, _FILES.values(), strict=True):
            refuse_unpublished(file, md5, folders)
        digests = [file_digest(file, folders) for file in files]
        self.require_rows(lambda: len(read_svhn(files[0])[1]))
        return value_digest(["svhn", *digests, *marks(files[0]), *Subset.of(self).checked(_CLASSES, "svhn").key])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, 3, 32, 32); the label 10 of the files is the digit 0."""
        parts: dict[str, np.ndarray] = {}
        for part, (name, md5) in _FILES.items():
            file = self._file(name, folders)
            refuse_unpublished(file, md5)
            parts[f"{part}_images"], parts[f"{part}_labels"] = read_svhn(file)
        loaded = checked(ClassificationSet(name="svhn", classes=_CLASSES, flip=False, **parts))
        return Subset.of(self).cut(self.with_selection(loaded))

    def _file(self, name: str, folders: DataFolders) -> Path:
        return first_file(folders.root, [f"{self.path}/{name}", name], "the .mat files of the cropped digits")


def read_svhn(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) uint8 and labels (n,) int64 of one file. Raises ``DataDamaged``."""
    images, labels = read_mat(file, "X", "y")
    labels = labels.ravel().astype(np.int64)
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
        raise DataDamaged(f"{file} holds images {images.dtype} {images.shape} for {len(labels)} labels")
    if len(labels) and (labels.min() < 1 or labels.max() > 10):
        raise DataDamaged(f"{file}: labels should be from 1 to 10")
    return np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels % 10
