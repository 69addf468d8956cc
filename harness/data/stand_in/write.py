"""Write a stand-in by its name in the catalogue: ``harness datasets stand-in``."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.core.errors import InvalidInput, UnknownName, nearest
from harness.core.files import unfinished_folder
from harness.data.catalogue import catalogue, catalogue_files
from harness.data.disk import writing_to
from harness.data.stand_in import classification, networks, retrieval, training
from harness.data.stand_in.marker import MARKER, mark

Writer = Callable[[Path, Mapping[str, Any], int, int, int], None]

NETWORKS: Final = "networks"
"""Not a dataset of the catalogue: all files of weights that the boards of the thesis name."""


@dataclass(frozen=True)
class _Family:
    """How the stand-ins of one loader are written; ``path`` is the loader's own default."""

    write: Writer
    images: int
    path: str = ""


_FAMILIES: Final[Mapping[str, _Family]] = {
    "revisited": _Family(retrieval.write_revisited, 70),
    "buildings": _Family(retrieval.write_buildings, 84),
    "instre": _Family(retrieval.write_instre, 70, "instre"),
    "ilias": _Family(retrieval.write_ilias, 100, "ilias"),
    "sfm120k": _Family(training.write_sfm120k, 80),
    "cifar": _Family(classification.write_cifar, 5000, "cifar-10-batches-py"),
    "svhn": _Family(classification.write_svhn, 5000, "SVHN"),
    "mnist": _Family(classification.write_mnist, 5000, "MNIST/raw"),
    "fashion-mnist": _Family(classification.write_mnist, 5000, "FashionMNIST/raw"),
    "usps": _Family(classification.write_usps, 1000, "USPS/raw"),
}
_DISTRACTORS: Final = 200
_SMALLEST: Final = 10


def stand_in_names(catalogues: Iterable[Path] = ()) -> tuple[str, ...]:
    """What a stand-in can be written of."""
    entries = catalogue(catalogue_files(catalogues))
    return (*(name for name, entry in entries.items() if entry.loader in _FAMILIES), NETWORKS)


def write_stand_in(
    name: str,
    out: Path,
    *,
    images: int | None = None,
    size: int = 256,
    seed: int = 0,
    catalogues: Iterable[Path] = (),
) -> tuple[Path, ...]:
    """Write a small generated dataset in the exact format and layout of a published one, marked as a stand-in.

    The same arguments give the same bytes. An earlier stand-in in the same place is replaced; real data never are.

    Args:
        name: of a dataset of the catalogue; ``networks`` writes the files of weights that the thesis boards name.
        out: folder that serves as data folder afterwards (``--data``).
        images: database images of a retrieval set (and distractors), training images of a classification set.
        size: side in pixels of the images of a retrieval set; below 256 FS.EGM finds one region, the whole map.
        seed: other seeds give other images.
        catalogues: the user's files, besides ``$HARNESS_CATALOGUE``.

    Returns:
        The folders that were written.

    Raises:
        UnknownName: there are no stand-ins of this name.
        InvalidInput: too few images, or a folder holds something that is not a stand-in.
        NoSpace: the disk is full or cannot be written to.
    """
    if images is not None and images < _SMALLEST:
        raise InvalidInput(f"a stand-in of {images} images is too small", fix=f"{_SMALLEST} images or more")
    written = []
    for path, write, parameters, default in _parts(name, catalogues):
        folder, number = out / path, default if images is None else images
        _refuse_real(folder)
        with writing_to(out), unfinished_folder(folder) as unfinished:
            write(unfinished, parameters, number, size, zlib.crc32(f"{path} {seed}".encode()))
            mark(unfinished, path, number, seed)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(unfinished, folder)
        written.append(folder)
    return tuple(written)


def _parts(name: str, catalogues: Iterable[Path]) -> Iterator[tuple[str, Writer, Mapping[str, Any], int]]:
    """Folder, writer, parameters and number of images of each part."""
    if name == NETWORKS:
        yield NETWORKS, networks.write_networks, {}, 0
        return
    names = stand_in_names(catalogues)
    if name not in names:
        fix = f"{nearest(name, names)} there are stand-ins of {', '.join(names)}".strip()
        raise UnknownName(f'no stand-in of "{name}"', fix=fix)
    entry = catalogue(catalogue_files(catalogues))[name]
    family = _FAMILIES[entry.loader]
    path = entry.parameters.get("path", family.path)
    yield path, family.write, {"path": path, **entry.parameters}, family.images
    if distractors := entry.parameters.get("distractors"):
        yield distractors, retrieval.write_distractors, entry.parameters, _DISTRACTORS


def _refuse_real(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise InvalidInput(
            f"{folder} holds data that are not a stand-in, and would be replaced", fix="a new folder for --out"
        )
