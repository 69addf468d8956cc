"""A dataset for vision-evaluation-harness."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt

from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class MyMethod:
    """Noisy stripes, level, upright or slanting: three classes (say here where the data come from).

    Attributes:
        images: images of the pool; half as many are there to test.
        seed: other seeds give other images.
    """

    task: ClassVar[Task] = "active-learning"  # or "retrieval": then load gives a harness.plugin_api.RetrievalSet

    images: Annotated[int, Gt(2)] = 300
    seed: Annotated[int, Ge(0)] = 0

    def fingerprint(self, folders: DataFolders) -> str:
        """What the data are: other data, another digest. Of files, ``harness.data.fingerprint.files_digest``.

        Args:
            folders: ``root``, where the user's data lie, and ``cache``, for what can be made again.

        Returns:
            Hex digits; runs of one fingerprint are compared with each other.
        """
        return hashlib.sha256(f"stripes 1, {self.images} images, seed {self.seed}".encode()).hexdigest()

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, C, H, W) uint8 and labels (n,) int64 in [0, classes), to choose from and to test."""
        rng = np.random.default_rng(self.seed)
        train, test = self._draw(self.images, rng), self._draw(self.images // 2, rng)
        return ClassificationSet("my-method", *train, *test, classes=("level", "upright", "slanting"), flip=False)

    def _draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count, dtype=np.int64) % 3
        rows, columns = np.mgrid[:12, :12]
        along = np.stack([rows, columns, rows + columns])[labels] + rng.uniform(0, 6, (count, 1, 1))
        grey = 128 + 60 * np.sin(along) + rng.normal(0, 120, along.shape)
        return grey.clip(0, 255).astype(np.uint8)[:, None], labels
