"""Features in place of images."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from harness.core.errors import DataDamaged
from harness.data.classification_sets import SelectionFeatures, checked
from harness.data.files import first_file
from harness.data.fingerprint import checked_digest, value_digest
from harness.data.subsets import Subset
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plugin_api import DataFolders, Ids

_PARTS = ("train", "train_labels", "test", "test_labels")
_FIX = f"numpy.savez writes one: numpy.savez(PATH, {', '.join(f'{part}=...' for part in _PARTS)})"


@dataclass(frozen=True)
class Embeddings(SelectionFeatures):
    """Your own features in one .npz file: train (n, d), train_labels (n,), test (m, d), test_labels (m,).

    Use it with the network ``linear-head``. Written by
    ``numpy.savez(path, train=..., train_labels=..., test=..., test_labels=...)``; labels count from 0.

    Attributes:
        path: the file; relative to the data folder.
        selection_features: features that acquisitions see in place of these: an .npz file with ``train``, or .npy.
        limit: rows of the pool at most, each class in proportion, the first of each; 0 takes all.
        per_class: rows of the pool in each class at most, the first of each; 0 takes all.
        classes: labels to keep, in the pool and in the test set; empty keeps all.
    """

    path: str
    limit: Annotated[int, Ge(0)] = 0
    per_class: Annotated[int, Ge(0)] = 0
    classes: tuple[str | int, ...] = ()

    task: ClassVar[Task] = "active-learning"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the file, which is read and checked for it once. Raises as ``load`` does."""
        path = self._file(folders)
        content = checked_digest(path, folders, self._read)
        self.require_rows(lambda: len(self._labels(path)))
        return value_digest(["embeddings", content, *Subset.of(self).key])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Features as "images" (n, d, 1, 1) float32.

        Raises:
            DataMissing: there is no such file.
            DataDamaged: it is not an .npz file of plain arrays, or its arrays do not fit together.
        """
        return Subset.of(self).cut(self.with_selection(self._read(self._file(folders))))

    def labels(self, folders: DataFolders) -> Ids:
        """Labels (n,) of the pool."""
        path = self._file(folders)
        labels = self._labels(path)
        return Subset.of(self).labels(labels, _classes(path, labels))

    def _labels(self, path: Path) -> Ids:
        """Of the whole pool."""
        with np.load(path, allow_pickle=False) as file:
            labels: Ids = file["train_labels"].astype(np.int64)
        return labels

    def _read(self, path: Path) -> ClassificationSet:
        arrays = _arrays(path)
        # -1 is no value of unsigned types.
        labels = {part: arrays[f"{part}_labels"].astype(np.int64) for part in ("train", "test")}
        classes = _classes(path, labels["train"])
        return checked(
            ClassificationSet(
                name=path.stem,
                train_images=_single(path, "train", arrays["train"])[:, :, None, None],
                train_labels=labels["train"],
                test_images=_single(path, "test", arrays["test"])[:, :, None, None],
                test_labels=labels["test"],
                classes=classes,
                flip=False,
            )
        )

    def _file(self, folders: DataFolders) -> Path:
        return first_file(folders.root, [self.path], "the .npz file")


def _classes(path: Path, labels: Ids) -> tuple[str, ...]:
    """Names of the classes: their numbers. Raises ``DataDamaged`` for labels that are no numbers of classes."""
    count = int(labels.max(initial=-1)) + 1
    if count > len(labels):
        why = f"the largest is {count - 1:,}, with {len(labels):,} examples"
        raise DataDamaged(f"{path}: train_labels do not number classes", why=why, fix="number the classes from 0")
    return tuple(map(str, range(count)))


def _arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    """The four arrays, if each is what it should be by itself. Raises ``DataDamaged``."""
    arrays = _stored(path)
    for part in ("train", "test"):
        _require_features(path, part, arrays[part])
        _require_labels(path, part, arrays[f"{part}_labels"], len(arrays[part]))
    dimensions = arrays["train"].shape[1], arrays["test"].shape[1]
    if dimensions[0] != dimensions[1]:
        raise DataDamaged(f"{path}: train and test have {dimensions[0]} and {dimensions[1]} dims")
    if _smallest(arrays["train_labels"], arrays["test_labels"]) == 1:
        raise DataDamaged(f"{path}: labels begin at 1, so no example is of class 0", fix="subtract 1 from all labels")
    return arrays


def _stored(path: Path) -> Mapping[str, NDArray[Any]]:
    """The four arrays as they are. Raises ``DataDamaged``."""
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise DataDamaged(f"{path} is one array and no .npz file", fix=_FIX)
        with file:
            if missing := [name for name in _PARTS if name not in file]:
                held = ", ".join(file) or "nothing"
                raise DataDamaged(f"{path} has no {', '.join(missing)}; it holds {held}", fix=_FIX)
            return {name: file[name] for name in _PARTS}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataDamaged(f"{path} cannot be read: {error}", fix=_FIX) from error


def _smallest(*labels: NDArray[Any]) -> int:
    return min((int(part.min()) for part in labels if len(part)), default=0)


def _require_features(path: Path, part: str, features: NDArray[Any]) -> None:
    if features.ndim != 2 or features.dtype.kind != "f":
        raise DataDamaged(f"{path}: {part} should be finite floats (n, d), is {features.dtype} {features.shape}")
    if len(rows := np.flatnonzero(~np.isfinite(features).all(axis=1))):
        raise DataDamaged(
            f"{path}: NaN or infinity in {len(rows):,} of {len(features):,} rows of {part}, {part}[{rows[0]}] first",
            fix="leave these rows out, with their labels",
        )


def _require_labels(path: Path, part: str, labels: NDArray[Any], rows: int) -> None:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataDamaged(
            f"{path}: {part}_labels should be integers (n,), is {labels.dtype} {labels.shape}",
            fix="numpy.unique(labels, return_inverse=True)[1] numbers the classes of both parts together from 0",
        )
    if len(labels) != rows:
        raise DataDamaged(f"{path}: {part} has {rows:,} rows and {part}_labels {len(labels):,}", fix="one label a row")


def _single(path: Path, part: str, features: NDArray[Any]) -> Any:
    """Features in 32 bits, if these can hold them. Raises ``DataDamaged``."""
    with np.errstate(over="ignore"):
        single = features.astype(np.float32)
    if len(rows := np.flatnonzero(~np.isfinite(single).all(1))):
        largest = float(np.abs(features).max())
        raise DataDamaged(
            f"{path}: {len(rows):,} rows of {part} exceed the range of 32 bits, {part}[{rows[0]}] first",
            why=f"values go up to {largest:g}",
            fix="scale the features",
        )
    return single
