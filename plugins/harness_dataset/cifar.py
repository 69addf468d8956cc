"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge

from harness.core.errors import DataDamaged
from harness.data.classification_sets import SelectionFeatures, checked
from harness.data.files import first_file, refuse_unpublished
from harness.data.fingerprint import file_digest, value_digest
from harness.data.pickled import read_pickle
from harness.data.stand_in.marker import marks
from harness.data.subsets import Subset
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from harness.data.stand_in.marker import marks
from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class _Files:
    """Names and published MD5 of the files, as torchvision has them."""

    train: dict[str, str]
    test: dict[str, str]
    meta: dict[str, str]
    folder: str
    labels: str
    names: str

    @property
    def md5(self) -> dict[str, str]:
        return self.train | self.test | self.meta


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
        folder="cifar-10-batches-py",
        labels="labels",
        names="label_names",
    ),
    100: _Files(
        train={"train": "16019d7e3df5f24257cddd939b257f8d"},
        test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        meta={"meta": "7973b15100ade9c7d40fb424638fde48"},
        folder="cifar-100-python",
        labels="fine_labels",
        names="fine_label_names",
    ),
}
_SIDE: Final = 32


@dataclass(frozen=True)
class Cifar(SelectionFeatures):
    """Photographs of 32 x 32 pixels from the published Python batches (Krizhevsky 2009).

    The batches are pickles: they are read without running anything, once their MD5 is the published one.

    Attributes:
        path: folder of the batches; relative to the data folder.
        classes: 10, or 100 (fine labels); or the names of those to keep, in the pool and in the test set.
        limit: images of the pool at most, each class in proportion, the first of each; 0 takes all.
        per_class: images of the pool in each class at most, the first of each; 0 takes all.
    """

    path: str = "cifar-10-batches-py"
    classes: Literal[10, 100] | tuple[str, ...] = 10
    limit: Annotated[int, Ge(0)] = 0
    per_class: Annotated[int, Ge(0)] = 0

    task: ClassVar[Task] = "active-learning"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the files. Raises ``DataMissing``; ``DataDamaged`` where they are not the published ones."""
        number = self._number(folders)
        files = [self._file(name, number, folders) for name in _CIFAR[number].md5]
        for file, md5 in zip(files, _CIFAR[number].md5.values(), strict=True):
            refuse_unpublished(file, md5, folders)
        digests = [file_digest(file, folders) for file in files]
        self.require_rows(lambda: len(self._part("train", folders)[1]))
        return value_digest(["cifar", number, *digests, *marks(files[0]), *Subset.of(self).key])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, 3, 32, 32). Raises ``DataMissing`` or ``DataDamaged``."""
        number = self._number(folders)
        published = _CIFAR[number]
        parts: dict[str, Any] = {}
        for part in ("train", "test"):
            parts[f"{part}_images"], parts[f"{part}_labels"] = self._part(part, folders)
        (meta,) = (self._published(name, number, folders) for name in published.meta)
        names = _read(meta).get(published.names)
        if not isinstance(names, list) or len(names) != number:
            raise DataDamaged(f"{meta} should name {number} classes")
        loaded = checked(ClassificationSet(name=f"cifar{number}", classes=tuple(map(str, names)), **parts))
        return Subset.of(self).cut(self.with_selection(loaded))

    def _part(self, part: Literal["train", "test"], folders: DataFolders) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of all batches of the pool or of the test set."""
        number = self._number(folders)
        batches = _CIFAR[number].train if part == "train" else _CIFAR[number].test
        read = [_batch(self._published(name, number, folders), _CIFAR[number].labels) for name in batches]
        return np.concatenate([images for images, _ in read]), np.concatenate([labels for _, labels in read])

    def _number(self, folders: DataFolders) -> int:
        """10 or 100: as stated, or by which of the two the files are."""
        if isinstance(self.classes, int):
            return self.classes
        places = [folders.root / self.path / part / "train" for part in ("", _CIFAR[100].folder)]
        return 100 if any(place.is_file() for place in places) else 10

    def _published(self, name: str, number: int, folders: DataFolders) -> Path:
        file = self._file(name, number, folders)
        refuse_unpublished(file, _CIFAR[number].md5[name])
        return file

    def _file(self, name: str, number: int, folders: DataFolders) -> Path:
        inner = f"{self.path}/{_CIFAR[number].folder}"
        archive = f"cifar-{number}-python.tar.gz"
        return first_file(folders.root, [f"{self.path}/{name}", f"{inner}/{name}"], f"the files of {archive}")


def _batch(file: Path, labels_key: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) uint8 and labels (n,) int64."""
    batch = _read(file)
    images, labels = batch.get("data"), batch.get(labels_key)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or not isinstance(labels, list):
        raise DataDamaged(f"{file} holds no data of uint8 with {labels_key}")
    if images.shape != (len(labels), 3 * _SIDE**2) or not all(isinstance(label, int) for label in labels):
        raise DataDamaged(f"{file} holds images {images.shape} for {len(labels)} labels")
    return images.reshape(-1, 3, _SIDE, _SIDE), np.array(labels, dtype=np.int64)


def _read(file: Path) -> dict[str, Any]:
    content = read_pickle(file)
    if not isinstance(content, dict):
        raise DataDamaged(f"{file} holds a {type(content).__name__}, not a batch")
    return content
