"""The digits of scikit-learn."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from harness.core.errors import DataMissing
from harness.data.classification_sets import SelectionFeatures, checked
from harness.data.fingerprint import file_digest, value_digest
from harness.data.subsets import Subset, in_proportion
from harness.plugin_api import ClassificationSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders

_TEST = 500
_CLASSES = tuple("0123456789")


@dataclass(frozen=True)
class Digits(SelectionFeatures):
    """Handwritten digits of 8 x 8 pixels shipped with scikit-learn: 1,297 in the pool, 500 to test.

    Attributes:
        split_seed: which digits are held out for the test; each class gives its share.
        limit: images of the pool at most, each class in proportion, the first of each; 0 takes all.
        per_class: images of the pool in each class at most, the first of each; 0 takes all.
        classes: names of the classes to keep, in the pool and in the test set; empty keeps all.
    """

    split_seed: Annotated[int, Ge(0)] = 0
    limit: Annotated[int, Ge(0)] = 0
    per_class: Annotated[int, Ge(0)] = 0
    classes: tuple[str | int, ...] = ()

    task: ClassVar[Task] = "active-learning"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the shipped file and of the split."""
        self.require_rows(lambda: len(_table()) - _TEST)
        subset = Subset.of(self).checked(_CLASSES, "digits")
        return value_digest(["digits", file_digest(_file(), folders), self.split_seed, *subset.key])

    def load(self, folders: DataFolders) -> ClassificationSet:
        """Images (n, 1, 8, 8), the 17 grey levels spread over 0 to 255."""
        table = _table()
        images = (table[:, :-1] * 255 // 16).astype(np.uint8).reshape(-1, 1, 8, 8)
        labels = table[:, -1]
        test = _stratified(labels, _TEST, np.random.default_rng(self.split_seed))
        loaded = checked(
            ClassificationSet(
                name="digits",
                train_images=images[~test],
                train_labels=labels[~test],
                test_images=images[test],
                test_labels=labels[test],
                classes=_CLASSES,
                flip=False,
            )
        )
        return Subset.of(self).cut(self.with_selection(loaded))


def _table() -> np.ndarray:
    """A line a digit: its pixels and its label."""
    return np.loadtxt(_file(), delimiter=",", dtype=np.int64)


def _file() -> Path:
    """Found without importing scikit-learn, which takes a second."""
    spec = importlib.util.find_spec("sklearn")
    path = Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if spec else Path()
    if not path.is_file():
        raise DataMissing("the digits come with scikit-learn, which is not installed", fix="pip install scikit-learn")
    return path


def _stratified(labels: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """Mask of ``total`` examples, each class in proportion (largest remainders first)."""
    mask = np.zeros(len(labels), dtype=bool)
    for label, number in enumerate(in_proportion(np.bincount(labels), total)):
        mask[rng.permutation(np.flatnonzero(labels == label))[:number]] = True
    return mask
