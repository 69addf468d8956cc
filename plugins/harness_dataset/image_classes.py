"""A folder of images per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness.cache import Cache
from harness.core.errors import DataDamaged
from harness.data import DECODING_VERSION, RESULT_VERSION
from harness.data.class_folders import class_files, scan_classes
from harness.data.classification_sets import SelectionFeatures, checked
from harness.data.decode import decode_squares
from harness.data.fingerprint import files_digest, value_digest
from harness.data.subsets import Subset
from harness.plugin_api import ClassificationSet, FileListing, Orientation, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders

Files = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class ImageClasses(SelectionFeatures):
    """Your own images: train/<class>/*.jpg and test/<class>/*.jpg.

    Attributes:
        path: folder that holds ``train`` and ``test``; relative to the data folder.
        size: side in pixels to which all images are resized.
        channels: 3 for colour, 1 for grey.
        flip: whether a mirrored image keeps its class (false for digits).
        train: name of the folder of the pool.
        test: name of the folder of the test images.
        per_class: images of the pool in each class at most, the first by name; 0 takes all.
        orientation: ``upright`` turns images as their EXIF says, ``stored`` takes the pixels as they lie in the file.
        limit: images of the pool at most, each class in proportion, the first by name; 0 takes all.
        classes: names of the classes to keep, in the pool and in the test set; empty keeps all.
    """

    path: str
    size: Annotated[int, Gt(0)] = 32
    channels: Literal[1, 3] = 3
    flip: bool = True
    train: str = "train"
    test: str = "test"
    per_class: Annotated[int, Ge(0)] = 0
    orientation: Orientation = "upright"
    limit: Annotated[int, Ge(0)] = 0
    classes: tuple[str | int, ...] = ()

    task: ClassVar[Task] = "active-learning"
    result_version: ClassVar[int] = 2  # 16 bits, transparency, orientation

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of all image files, their names, and how they are read. Raises as ``load`` does."""
        root = folders.root / self.path
        self.require_rows(lambda: self._rows(root)[0])
        files = chain.from_iterable(chain.from_iterable(part.values()) for part in self._parts(root))
        content = [files_digest(files, root, folders), self.size, self.channels, self.flip, self.train, self.test]
        return value_digest([*content, *([] if self.orientation == "upright" else [self.orientation])])

    def files(self, folders: DataFolders) -> FileListing:
        """The files that are read, and those that are not."""
        root = folders.root / self.path
        parts = dict(zip(("train", "test"), self._parts(root), strict=True))
        classes = tuple(parts["train"])
        skipped = [file for part in (self.train, self.test) for file in scan_classes(root / part).skipped]
        return FileListing(
            classes=classes,
            files={part: list(chain.from_iterable(files.values())) for part, files in parts.items()},
            labels={part: _labels(classes, files).tolist() for part, files in parts.items()},
            skipped=[(file.path, file.reason) for file in skipped],
            orientation=self.orientation,
        )

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, channels, size, size), decoded once and stored in the cache.

        Raises:
            DataMissing: no folder, or no images in it.
            DataDamaged: a class without images or of the test alone; an image that cannot be read.
        """
        root = folders.root / self.path
        train, test = self._parts(root)
        cache = Cache(folders.cache / "images")
        code = [RESULT_VERSION, DECODING_VERSION]
        key = {"stage": "decode", "code": code, "fingerprint": self.fingerprint(folders)}
        arrays = cache.get_or_compute(key, lambda: self._decode(train, test)).arrays
        loaded = checked(ClassificationSet(name=root.name, classes=tuple(train), flip=self.flip, **arrays))
        return loaded if self.selection_features is None else self.with_selection(loaded, *self._rows(root))

    def _rows(self, root: Path) -> tuple[int, np.ndarray]:
        """Images of the whole pool, by class and by name, and the positions of those that are taken."""
        whole, taken = class_files(root / self.train), self._parts(root)[0]
        rows: list[int] = []
        start = 0
        for name, files in whole.items():
            rows += range(start, start + len(taken.get(name, ())))
            start += len(files)
        return start, np.array(rows, np.int64)

    def _parts(self, root: Path) -> tuple[Files, Files]:
        """Files of the pool and of the test set, by class."""
        train, test = class_files(root / self.train), class_files(root / self.test)
        if unknown := sorted(set(test) - set(train)):
            raise DataDamaged(
                f"{root / self.test} has the class {unknown[0]}, which {self.train} does not have",
                fix=f"the classes of {self.train}: {', '.join(list(train)[:20])}",
            )
        subset = Subset.of(self)
        names = subset.names(tuple(train), root)
        numbers = subset.numbers([len(train[name]) for name in names])
        pool = {name: train[name][:number] for name, number in zip(names, numbers, strict=True)}
        return pool, {name: test[name] for name in names if name in test}

    def _decode(self, train: Files, test: Files) -> dict[str, np.ndarray]:
        arrays = {}
        for part, files in (("train", train), ("test", test)):
            paths = list(chain.from_iterable(files.values()))
            arrays[f"{part}_images"] = decode_squares(paths, self.size, self.channels, self.orientation)
            arrays[f"{part}_labels"] = _labels(tuple(train), files)
        return arrays


def _labels(classes: Sequence[str], files: Files) -> np.ndarray:
    return np.repeat(np.arange(len(classes)), [len(files.get(name, ())) for name in classes]).astype(np.int64)
