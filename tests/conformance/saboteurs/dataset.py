"""Datasets."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import honest

from harness.plugin_api import ClassificationSet, RetrievalSet
from saboteurs.making import breaks


@breaks("dataset", "task")
@dataclass(frozen=True)
class WrongTask(honest.Classes):
    """Says that it is for retrieval."""

    task: ClassVar[str] = "retrieval"


@breaks("dataset", "fingerprint")
@dataclass(frozen=True)
class Clocked(honest.Classes):
    """Its digest is the time."""

    def fingerprint(self, folders):
        return f"{time.time_ns():064x}"


@breaks("dataset", "labels")
@dataclass(frozen=True)
class FromOne(honest.Classes):
    """Counts classes from 1."""

    def load(self, folders):
        found = super().load(folders)
        return ClassificationSet("noise", found.train_images, found.train_labels + 1, *_test(found), found.classes)


@breaks("dataset", "held-out")
@dataclass(frozen=True)
class Leaking(honest.Classes):
    """One test image is in the pool."""

    def load(self, folders):
        found = super().load(folders)
        images, labels = found.train_images, found.train_labels
        return ClassificationSet("noise", images, labels, images[:2], labels[:2], found.classes)


@breaks("dataset", "ground-truth")
@dataclass(frozen=True)
class Contradictory(honest.Instances):
    """One image is an answer and junk."""

    def load(self, folders):
        found = super().load(folders)
        truth = [{"easy": [0], "hard": [1], "junk": [0]}]
        return RetrievalSet("files", found.images, found.queries, [None], truth)


@breaks("dataset", "files")
@dataclass(frozen=True)
class Gone(honest.Instances):
    """One image does not exist."""

    def load(self, folders):
        found = super().load(folders)
        return RetrievalSet("files", [*found.images[:2], Path("gone")], found.queries, [None], found.ground_truth)


@breaks("dataset", "missing-data", check={"size": 4})
@dataclass(frozen=True)
class Blunt(honest.Classes):
    """Does not say what is missing."""

    size: int = 4

    def load(self, folders):
        list(folders.root.iterdir())
        return super().load(folders)


def _test(found):
    return found.test_images, found.test_labels


@breaks("dataset", "instances")
@dataclass(frozen=True)
class Misremembering(honest.Known):
    """What it knows is not what it loads."""

    def instances(self, folders):
        truth = {"easy": (1,), "hard": (0,), "junk": (2,)}
        return dataclasses.replace(super().instances(folders), ground_truth=(truth,))


@breaks("dataset", "listing")
@dataclass(frozen=True)
class Forgetful(honest.Listed):
    """Lists the labels of the pool in another order."""

    def files(self, folders):
        listing = super().files(folders)
        return dataclasses.replace(listing, labels={**listing.labels, "train": listing.labels["train"][::-1]})


@breaks("dataset", "known-labels")
@dataclass(frozen=True)
class OtherLabels(honest.Classes):
    """Counts its labels from the other end."""

    def labels(self, folders):
        return 1 - self.load(folders).train_labels
