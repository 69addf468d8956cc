"""MNIST, and sets in files of its format."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from harness.core.errors import DataDamaged
from harness.data.classification_sets import SelectionFeatures, checked
from harness.data.files import first_file
from harness.data.fingerprint import file_digest, value_digest
from harness.data.stand_in.marker import is_stand_in, marks
from harness.data.subsets import Subset
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders, Ids

_FILES = {
    "train_images": ("train-images-idx3-ubyte", (60_000, 28, 28)),
    "train_labels": ("train-labels-idx1-ubyte", (60_000,)),
    "test_images": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte", (10_000,)),
}
_UNSIGNED_BYTE = 8


@dataclass(frozen=True)
class IdxFiles(SelectionFeatures):
    """What sets in four idx files have in common; the class says what the set is called.

    Attributes:
        path: folder of the files, plain or gzipped; relative to the data folder.
        limit: images of the pool at most, each class in proportion, the first of each; 0 takes all.
        per_class: images of the pool in each class at most, the first of each; 0 takes all.
        classes: names of the classes to keep, in the pool and in the test set; empty keeps all.
    """

    path: str = ""
    limit: Annotated[int, Ge(0)] = 0
    per_class: Annotated[int, Ge(0)] = 0
    classes: tuple[str | int, ...] = ()

    task: ClassVar[Task] = "active-learning"
    name: ClassVar[str]
    title: ClassVar[str]
    all_classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    flip: ClassVar[bool] = False

    def idx_files(self) -> Mapping[str, tuple[str, tuple[int, ...]]]:
        """Part -> name of its file and shape of what it holds."""
        return _FILES

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the four files as they are."""
        files = [self._file(name, folders) for name, _ in self.idx_files().values()]
        digests = [file_digest(file, folders) for file in files]
        self.require_rows(lambda: len(self._labels(folders)))
        subset = Subset.of(self).checked(self.all_classes, self.name)
        return value_digest([self.name, *digests, *marks(files[0]), *subset.key])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, 1, H, W)."""
        parts = {part: read_idx(self._file(name, folders), shape) for part, (name, shape) in self.idx_files().items()}
        loaded = ClassificationSet(
            name=self.name,
            train_images=parts["train_images"][:, None],
            train_labels=parts["train_labels"].astype(np.int64),
            test_images=parts["test_images"][:, None],
            test_labels=parts["test_labels"].astype(np.int64),
            classes=self.all_classes,
            flip=self.flip,
        )
        return Subset.of(self).cut(self.with_selection(checked(loaded)))

    def labels(self, folders: DataFolders) -> Ids:
        """Labels (n,) of the pool."""
        return Subset.of(self).labels(self._labels(folders), self.all_classes)

    def _labels(self, folders: DataFolders) -> Ids:
        """Of the whole pool."""
        name, shape = self.idx_files()["train_labels"]
        return read_idx(self._file(name, folders), shape).astype(np.int64)

    def _file(self, name: str, folders: DataFolders) -> Path:
        path = f"{self.path}/{name}"
        what = f"the four idx files of {self.title}, plain or gzipped,"
        return first_file(folders.root, [path, f"{path}.gz"], what)


@dataclass(frozen=True)
class Mnist(IdxFiles):
    """Handwritten digits of 28 x 28 pixels, published split (LeCun et al. 1998)."""

    path: str = "MNIST/raw"

    name, title = "mnist", "MNIST"


@dataclass(frozen=True)
class FashionMnist(IdxFiles):
    """Photographs of clothes of 28 x 28 pixels, ten classes, published split (Xiao et al. 2017)."""

    path: str = "FashionMNIST/raw"

    name, title = "fashion-mnist", "Fashion-MNIST"
    all_classes = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    flip = True


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A uint8 array of this shape from an idx file, plain or gzipped; a stand-in may hold any number of items.

    Raises:
        DataDamaged: the file cannot be read, or holds something else.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            if is_stand_in(path):
                shape = (int.from_bytes(file.read(8)[4:]), *shape[1:])
                file.seek(0)
            size = 4 + 4 * len(shape) + int(np.prod(shape))
            content = file.read(size + 1)  # what is longer is wrong, and need not be read
    except (OSError, EOFError, zlib.error) as error:
        raise DataDamaged(f"{path} cannot be read: {error}") from error
    header = np.frombuffer(content[: 4 + 4 * len(shape)], dtype=">u4")
    wanted = [_UNSIGNED_BYTE << 8 | len(shape), *shape]
    if len(content) != size or header.tolist() != wanted:
        raise DataDamaged(f"{path} is not the published file", why=f"an idx file of {shape} bytes should be there")
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    return values.copy()  # torch warns about arrays that it must not write to
