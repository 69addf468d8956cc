"""The digits of scikit-learn."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from harness.core.errors import DataMissing
from harness.data.classification_sets import checked
from harness.data.fingerprint import file_digest, value_digest
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders

_TEST = 500


@dataclass(frozen=True)
class Digits:
    """Handwritten digits of 8 x 8 pixels shipped with scikit-learn: 1,297 in the pool, 500 to test.

    Attributes:
        split_seed: which digits are held out for the test; each class gives its share.
    """

    split_seed: Annotated[int, Ge(0)] = 0

    task: ClassVar[Task] = "active-learning"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the shipped file and of the split."""
        return value_digest(["digits", file_digest(_file(), folders), self.split_seed])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, 1, 8, 8), the 17 grey levels spread over 0 to 255."""
        table = np.loadtxt(_file(), delimiter=",", dtype=np.int64)
        images = (table[:, :-1] * 255 // 16).astype(np.uint8).reshape(-1, 1, 8, 8)
        labels = table[:, -1]
        test = _stratified(labels, _TEST, np.random.default_rng(self.split_seed))
        return checked(
            ClassificationSet(
                name="digits",
                train_images=images[~test],
                train_labels=labels[~test],
                test_images=images[test],
                test_labels=labels[test],
                classes=tuple("0123456789"),
                flip=False,
            )
        )


def _file() -> Path:
    """Found without importing scikit-learn, which takes a second."""
    spec = importlib.util.find_spec("sklearn")
    path = Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if spec else Path()
    if not path.is_file():
        raise DataMissing("the digits come with scikit-learn, which is not installed", fix="pip install scikit-learn")
    return path


def _stratified(labels: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """Mask of ``total`` examples, each class in proportion (largest remainders first)."""
    counts = np.bincount(labels)
    share = counts * total / len(labels)
    take = np.floor(share).astype(np.int64)
    order = np.argsort(take - share, kind="stable")
    take[order[: total - take.sum()]] += 1
    mask = np.zeros(len(labels), dtype=bool)
    for label, number in enumerate(take):
        mask[rng.permutation(np.flatnonzero(labels == label))[:number]] = True
    return mask
