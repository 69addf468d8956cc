"""Retrieval sets of photographs in a folder: what the loaders of published sets share.

A loader knows its ground truth (``Instances``) and where its photographs may lie; here both become a ``RetrievalSet``
and a fingerprint that says what the data are, not where they lie or in which format the ground truth came.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import overload

import numpy as np

from harness.core.digest import digest
from harness.core.errors import DataDamaged, DataMissing
from harness.data.files import refuse_missing
from harness.data.fingerprint import named_digest
from harness.data.instances import Instances
from harness.plugin_api import DataFolders, RetrievalSet


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


def photographs(found: Instances, files: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """The file of every image and query of a ground truth.

    Args:
        found: the ground truth; names with or without suffix.
        files: what lies in the folder, by name without suffix.
        folder: for messages.

    Raises:
        DataMissing: files are missing; says how many and names the first.
    """
    names = list(dict.fromkeys((*found.images, *found.queries)))
    located = {name: files[_stem(name)] for name in names if _stem(name) in files}
    refuse_missing([name for name in names if name not in located], len(names), folder)
    return located


def _stem(name: str) -> str:
    return os.path.splitext(os.path.basename(name))[0] if name.lower().endswith((".jpg", ".jpeg", ".png")) else name


def retrieval_set(
    name: str, found: Instances, files: Mapping[str, Path], distractors: Sequence[str] = ()
) -> RetrievalSet:
    """The dataset; distractors follow the images of the ground truth and answer no query."""
    images: Sequence[Path] = [files[image] for image in found.images]
    return RetrievalSet(
        name=name,
        images=Paths([*map(str, images), *distractors]) if distractors else images,
        queries=[files[query] for query in found.queries],
        boxes=found.boxes,
        ground_truth=found.ground_truth,
        pairs=np.array(found.pairs, np.int64).reshape(-1, 2),
        distractors=len(distractors),
    )


def content_digest(found: Instances, files: Mapping[str, Path], folders: DataFolders) -> str:
    """Digest of the ground truth and of the bytes of every photograph. Cheap on a second call."""
    return digest([asdict(found), named_digest(files, folders)])


def _below(folder: Path) -> Iterator[str]:
    """Files below a folder, relative to it; the prefix is found once a folder, as there may be a million files."""
    for parent, _, files in os.walk(folder, followlinks=True):
        prefix = os.path.relpath(parent, folder).replace(os.sep, "/") + "/"
        yield from files if prefix == "./" else (prefix + name for name in files)


def listed(list_file: Path, folder: Path, *, skip_missing: bool) -> list[str]:
    """Files of a list with one name a line, relative to a folder: the distractors, in the order of the list.

    Args:
        list_file: text, one file a line.
        folder: where the files lie.
        skip_missing: leave out what the list names but the folder does not hold.

    Raises:
        DataMissing: no list, no folder, or files are missing and may not be.
        DataDamaged: a name stands twice, or leaves the folder.
    """
    try:
        names = [line.strip() for line in list_file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise DataMissing(f"there is no list of distractors {list_file}", fix="put it there") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataDamaged(f"the list of distractors {list_file} cannot be read: {error}") from error
    if len(set(names)) != len(names):
        raise DataDamaged(f"{list_file} names {len(names) - len(set(names)):,} files twice")
    if wrong := [name for name in names if name.startswith("/") or ".." in name.split("/")]:
        raise DataDamaged(f"{list_file} names {wrong[0]}, which is not inside of {folder}")
    there = set(_below(folder))
    if not skip_missing:
        refuse_missing([name for name in names if name not in there], len(names), folder)
    return [f"{folder}/{name}" for name in names if name in there]
