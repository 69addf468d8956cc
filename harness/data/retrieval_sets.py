"""What the loaders of published retrieval sets share: from ground truth and image files to a ``RetrievalSet``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import overload

import numpy as np

from harness.core.digest import digest
from harness.data.files import refuse_missing
from harness.data.fingerprint import named_digest
from harness.data.instances import Instances
from harness.data.stand_in.marker import marks
from harness.plugin_api import DataFolders, Orientation, RetrievalSet


class Paths(Sequence[Path]):
    """A million files take a quarter of the memory as texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | Sequence[Path]:
        return Paths(self._texts[index]) if isinstance(index, slice) else Path(self._texts[index])


def image_files(truth: Instances, files: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """The file of every image and query of a ground truth.

    Args:
        truth: the ground truth; names with or without suffix.
        files: what is in the folder, by name without suffix.
        folder: for messages.

    Raises:
        DataMissing: files are missing; says how many and names the first.
    """
    names = list(dict.fromkeys((*truth.images, *truth.queries)))
    located = {name: files[_stem(name)] for name in names if _stem(name) in files}
    refuse_missing([name for name in names if name not in located], len(names), folder)
    return located


def _stem(name: str) -> str:
    return os.path.splitext(os.path.basename(name))[0] if name.lower().endswith((".jpg", ".jpeg", ".png")) else name


def retrieval_set(
    name: str,
    truth: Instances,
    files: Mapping[str, Path],
    distractors: Sequence[str] = (),
    orientation: Orientation = "stored",
    leave_one_out: bool = False,
) -> RetrievalSet:
    """The dataset; distractors follow the images of the ground truth and are relevant to no query."""
    images: Sequence[Path] = [files[image] for image in truth.images]
    return RetrievalSet(
        name=name,
        images=Paths([*map(str, images), *distractors]) if distractors else images,
        queries=[files[query] for query in truth.queries],
        boxes=truth.boxes,
        ground_truth=truth.ground_truth,
        pairs=np.array(truth.pairs, np.int64).reshape(-1, 2),
        distractors=len(distractors),
        orientation=orientation,
        groups=truth.groups,
        leave_one_out=leave_one_out,
    )


def content_digest(truth: Instances, files: Mapping[str, Path], folder: Path, folders: DataFolders) -> str:
    """Digest of what the data are, not of where they lie or in which format the ground truth came.

    It covers the ground truth and the bytes of every image, and says of a stand-in that it is one; cheap on a second
    call.

    Args:
        truth: the ground truth.
        files: name -> file of every image.
        folder: of the dataset.
        folders: where digests are remembered.
    """
    # Without groups as before there were any.
    content = {name: value for name, value in asdict(truth).items() if name != "groups" or value is not None}
    return digest([content, named_digest(files, folders), *marks(folder)])
