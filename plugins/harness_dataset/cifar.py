"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np

from harness.core.errors import DataDamaged
from harness.data.classification import checked
from harness.data.fingerprint import file_digest, value_digest
from harness.data.pickled import read_pickle
from harness.data.published import published_file
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class _Files:
    """Names and published MD5 of the files, as torchvision has them."""

    train: dict[str, str]
    test: dict[str, str]
    meta: dict[str, str]
    labels: str
    names: str


_CIFAR: Final = {
    10: _Files(
        train={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        test={"test_batch": "40351d587109b95175f43aff81a1287e"},
        meta={"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"},
        labels="labels",
        names="label_names",
    ),
    100: _Files(
        train={"train": "16019d7e3df5f24257cddd939b257f8d"},
        test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        meta={"meta": "7973b15100ade9c7d40fb424638fde48"},
        labels="fine_labels",
        names="fine_label_names",
    ),
}
_SIDE: Final = 32


@dataclass(frozen=True)
class Cifar:
    """Photographs of 32 x 32 pixels from the published Python batches (Krizhevsky 2009).

    The batches are pickles: they are read without running anything, after their MD5 was found to be the published one.

    Attributes:
        path: folder of the batches; relative to the data folder.
        classes: 10, or 100 (fine labels).
    """

    path: str = "cifar-10-batches-py"
    classes: Literal[10, 100] = 10

    task: ClassVar[Task] = "active-learning"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the files as they lie there. Raises ``DataMissing``."""
        files = _CIFAR[self.classes]
        names = [*files.train, *files.test, *files.meta]
        return value_digest(
            ["cifar", self.classes, *(file_digest(self._file(name, folders), folders) for name in names)]
        )

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, 3, 32, 32). Raises ``DataMissing`` or ``DataDamaged``."""
        files = _CIFAR[self.classes]
        parts: dict[str, Any] = {}
        for part, batches in (("train", files.train), ("test", files.test)):
            read = [self._batch(name, md5, files.labels, folders) for name, md5 in batches.items()]
            parts[f"{part}_images"] = np.concatenate([images for images, _ in read])
            parts[f"{part}_labels"] = np.concatenate([labels for _, labels in read])
        ((name, md5),) = files.meta.items()
        names = self._read(name, md5, folders).get(files.names)
        if not isinstance(names, list) or len(names) != self.classes:
            raise DataDamaged(f"{self._file(name, folders)} should name {self.classes} classes")
        return checked(ClassificationSet(name=f"cifar{self.classes}", classes=tuple(map(str, names)), **parts))

    def _batch(self, name: str, md5: str, labels: str, folders: DataFolders) -> tuple[np.ndarray, np.ndarray]:
        batch = self._read(name, md5, folders)
        images, found = batch.get("data"), batch.get(labels)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or not isinstance(found, list):
            raise DataDamaged(f"{self._file(name, folders)} holds no data of uint8 with {labels}")
        if images.shape != (len(found), 3 * _SIDE**2) or not all(isinstance(label, int) for label in found):
            raise DataDamaged(f"{self._file(name, folders)} holds images {images.shape} for {len(found)} labels")
        return images.reshape(-1, 3, _SIDE, _SIDE), np.array(found, dtype=np.int64)

    def _read(self, name: str, md5: str, folders: DataFolders) -> dict[str, Any]:
        file = self._file(name, folders, md5)
        content = read_pickle(file)
        if not isinstance(content, dict):
            raise DataDamaged(f"{file} holds a {type(content).__name__}, not a batch")
        return content

    def _file(self, name: str, folders: DataFolders, md5: str = "") -> Path:
        archive = f"cifar-{self.classes}-python.tar.gz"
        inner = f"{self.path}/{'cifar-10-batches-py' if self.classes == 10 else 'cifar-100-python'}"
        return published_file(folders.root, [self.path, inner], name, md5, f"the files of {archive}")
