"""USPS."""

from __future__ import annotations

import bz2
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.core.errors import DataDamaged
from harness.data.classification_sets import checked
from harness.data.fingerprint import file_digest, value_digest
from harness.data.stand_in.marker import is_stand_in
from harness.data.subsets import Subset
from harness.plugin_api import ClassificationSet
from harness_dataset.mnist import IdxFiles

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders, Ids

_SIDE: Final = 16
_IDX: Final = {
    "train_images": ("train-images-idx3-ubyte", (7291, _SIDE, _SIDE)),
    "train_labels": ("train-labels-idx1-ubyte", (7291,)),
    "test_images": ("t10k-images-idx3-ubyte", (2007, _SIDE, _SIDE)),
    "test_labels": ("t10k-labels-idx1-ubyte", (2007,)),
}
_TEXT: Final = {"train": ("usps.bz2", 7291), "test": ("usps.t.bz2", 2007)}
"""The published files: a line a digit, the label from 1 and ``number:value`` with values from -1 to 1."""


@dataclass(frozen=True)
class Usps(IdxFiles):
    """Handwritten digits of 16 x 16 pixels from envelopes, published split (Hull 1994).

    Attributes:
        path: folder of the published ``usps.bz2`` and ``usps.t.bz2``, or of four idx files, plain or gzipped; relative
            to the data folder.
    """

    path: str = "USPS/raw"

    name, title = "usps", "USPS"

    def idx_files(self) -> Mapping[str, tuple[str, tuple[int, ...]]]:
        """Part -> name of its idx file and shape of what it holds."""
        return _IDX

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the files as they are."""
        if not (published := self._published(folders)):
            return super().fingerprint(folders)
        digests = [file_digest(file, folders) for file in published.values()]
        self.require_rows(lambda: len(self._labels(folders)))
        return value_digest(["usps", *digests, *Subset.of(self).checked(self.all_classes, self.name).key])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, 1, 16, 16)."""
        if not (published := self._published(folders)):
            return super().load(folders)
        (train, train_labels), (test, test_labels) = (
            read_text(published[part], number) for part, (_, number) in _TEXT.items()
        )
        loaded = ClassificationSet("usps", train, train_labels, test, test_labels, self.all_classes, flip=False)
        return Subset.of(self).cut(self.with_selection(checked(loaded)))

    def _labels(self, folders: DataFolders) -> Ids:
        """Of the whole pool."""
        published = self._published(folders)
        return read_text(published["train"], _TEXT["train"][1])[1] if published else super()._labels(folders)

    def _published(self, folders: DataFolders) -> dict[str, Path]:
        """The published files by part; empty where one is not there."""
        paths = {part: folders.root / self.path / name for part, (name, _) in _TEXT.items()}
        return paths if all(path.is_file() for path in paths.values()) else {}


def read_text(path: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (number, 1, 16, 16) uint8 and labels (number,) int64 from 0, as torchvision reads them.

    Raises:
        DataDamaged: the file cannot be read, or holds something else.
    """
    try:
        rows = [line.split() for line in bz2.decompress(path.read_bytes()).decode("ascii").splitlines()]
        values = np.array([[float(entry.partition(":")[2]) for entry in row[1:]] for row in rows], np.float32)
        labels = np.array([int(float(row[0])) - 1 for row in rows], np.int64)
        images = ((values.reshape(-1, 1, _SIDE, _SIDE) + 1) / 2 * 255).astype(np.uint8)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DataDamaged(f"{path} cannot be read: {error}") from error
    if len(images) != number and not is_stand_in(path):
        raise DataDamaged(f"{path} is not the published file", why=f"it should hold {number} digits, not {len(images)}")
    return images, labels
