"""Features in place of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.core.errors import DataDamaged
from harness.data.classification_sets import SelectionFeatures, checked
from harness.data.files import first_file
from harness.data.fingerprint import file_digest, value_digest
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plugin_api import DataFolders

_PARTS = ("train", "train_labels", "test", "test_labels")


@dataclass(frozen=True)
class Embeddings(SelectionFeatures):
    """Your own features in one .npz file: train (n, d), train_labels (n,), test (m, d), test_labels (m,).

    Use it with the network ``linear-head``. Written by
    ``numpy.savez(path, train=..., train_labels=..., test=..., test_labels=...)``; labels count from 0.

    Attributes:
        path: the file; relative to the data folder.
        selection_features: features that acquisitions see in place of these: an .npz file with ``train``, or .npy.
    """

    path: str

    task: ClassVar[Task] = "active-learning"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the file."""
        return value_digest(["embeddings", file_digest(self._file(folders), folders)])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Features as "images" (n, d, 1, 1) float32.

        Raises:
            DataMissing: there is no such file.
            DataDamaged: it is not an .npz file of plain arrays, or its arrays do not fit together.
        """
        path = self._file(folders)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in _PARTS}
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DataDamaged(
                f"{path} cannot be read: {error}", fix=f"an .npz file with {', '.join(_PARTS)}"
            ) from error
        for part in ("train", "test"):
            features, labels = arrays[part], arrays[f"{part}_labels"]
            if features.ndim != 2 or features.dtype.kind != "f" or not np.isfinite(features).all():
                raise DataDamaged(
                    f"{path}: {part} should be finite floats (n, d), is {features.dtype} {features.shape}"
                )
            if labels.ndim != 1 or labels.dtype.kind not in "iu":
                raise DataDamaged(f"{path}: {part}_labels should be integers (n,), is {labels.dtype} {labels.shape}")
        if arrays["train"].shape[1] != arrays["test"].shape[1]:
            raise DataDamaged(
                f"{path}: train and test have {arrays['train'].shape[1]} and {arrays['test'].shape[1]} dims"
            )
        count = int(arrays["train_labels"].max(initial=-1)) + 1
        return self.with_selection(
            checked(
                ClassificationSet(
                    name=path.stem,
                    train_images=arrays["train"].astype(np.float32)[:, :, None, None],
                    train_labels=arrays["train_labels"].astype(np.int64),
                    test_images=arrays["test"].astype(np.float32)[:, :, None, None],
                    test_labels=arrays["test_labels"].astype(np.int64),
                    classes=tuple(map(str, range(count))),
                    flip=False,
                )
            )
        )

    def _file(self, folders: DataFolders) -> Path:
        return first_file(folders.root, [self.path], "the .npz file")
