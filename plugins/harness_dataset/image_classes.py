"""A folder of images per class."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness.cache import Cache
from harness.core.errors import DataDamaged
from harness.data import DECODING_VERSION, RESULT_VERSION
from harness.data.classification_sets import checked, class_files
from harness.data.decode import decode_squares
from harness.data.fingerprint import files_digest, value_digest
from harness.plugin_api import ClassificationSet, Orientation, Task

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class ImageClasses:
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
    """

    path: str
    size: Annotated[int, Gt(0)] = 32
    channels: Literal[1, 3] = 3
    flip: bool = True
    train: str = "train"
    test: str = "test"
    per_class: Annotated[int, Ge(0)] = 0
    orientation: Orientation = "upright"

    task: ClassVar[Task] = "active-learning"
    result_version: ClassVar[int] = 2  # 16 bits, transparency, orientation

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of all image files, their names, and how they are read."""
        root = folders.root / self.path
        files = chain.from_iterable(
            chain.from_iterable(classes.values()) for classes in (self._pool(root), class_files(root / self.test))
        )
        content = [files_digest(files, root, folders), self.size, self.channels, self.flip, self.train, self.test]
        return value_digest([*content, *([] if self.orientation == "upright" else [self.orientation])])

    def _pool(self, root: Path) -> dict[str, list[Path]]:
        files = class_files(root / self.train)
        return {name: paths[: self.per_class or None] for name, paths in files.items()}

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, channels, size, size), decoded once and stored in the cache."""
        root = folders.root / self.path
        train, test = self._pool(root), class_files(root / self.test)
        if unknown := sorted(set(test) - set(train)):
            raise DataDamaged(f"{root / self.test} has the class {unknown[0]}, which {self.train} does not have")
        classes = tuple(train)
        cache = Cache(folders.cache / "images")
        key = {"stage": "decode", "code": [RESULT_VERSION, DECODING_VERSION], "fingerprint": self.fingerprint(folders)}
        arrays = cache.get_or_compute(key, lambda: self._decode(classes, train, test)).arrays
        return checked(ClassificationSet(name=root.name, classes=classes, flip=self.flip, **arrays))

    def _decode(
        self, classes: tuple[str, ...], train: dict[str, list[Path]], test: dict[str, list[Path]]
    ) -> dict[str, np.ndarray]:
        arrays = {}
        for part, files in (("train", train), ("test", test)):
            arrays[f"{part}_images"] = decode_squares(
                list(chain.from_iterable(files.values())), self.size, self.channels, self.orientation
            )
            labels = [np.full(len(files.get(name, ())), label) for label, name in enumerate(classes)]
            arrays[f"{part}_labels"] = np.concatenate(labels).astype(np.int64)
        return arrays
