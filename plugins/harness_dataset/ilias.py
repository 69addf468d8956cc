"""ILIAS: objects photographed anew, among photographs of YFCC100M."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from harness.core.errors import DataDamaged, DataMissing
from harness.data.files import IMAGE_SUFFIXES, refuse_missing
from harness.data.fingerprint import value_digest
from harness.data.instances import Instances, checked_instances
from harness.data.retrieval_sets import content_digest, retrieval_set
from harness.plugin_api import RetrievalSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders

_CORE: Final = "ilias_core"
_DISTRACTORS: Final = "yfcc100m"
_MINI: Final = "image_ids/mini_ilias_yfcc100m_ids.txt"


@dataclass(frozen=True)
class Ilias:
    """ILIAS from its published files (Kordopatis-Zilos et al. 2025): image queries, positives, distractors.

    ``ilias_core/OBJECT/query/*.jpg`` are queries, and ``ilias_core/OBJECT/pos/*.jpg`` are relevant to those of their
    object, all easy. Distractors are the photographs of YFCC100M in ``yfcc100m/ARCHIVE/*.jpg``: each published archive
    unpacked into a folder of its name. Queries of one object are a group. Text queries are not read.

    Attributes:
        path: folder with ``ilias_core``; relative to the data folder.
        database: ``core``, the positives alone; ``mini``, with the distractors that
            ``image_ids/mini_ilias_yfcc100m_ids.txt`` lists; ``full``, with all that are there. Numbers are comparable
            with published ones of the same database only: the more distractors, the lower they are.
        crop: whether queries are cropped to the box around their object; published numbers are of whole queries.
    """

    path: str = "ilias"
    database: Literal["core", "mini", "full"] = "core"
    crop: bool = False

    task: ClassVar[Task] = "retrieval"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of what is relevant, of queries and positives, and of names and sizes of the distractors."""
        truth = self.instances(folders)
        content = content_digest(truth, self._files(truth, folders), folders.root / self.path, folders)
        start = len(str(folders.root / self.path))
        # Their bytes alone would take days to read before every first run.
        sizes = [[file[start:], os.stat(file).st_size] for file in self._distractors(folders)]
        return value_digest([content, sizes])

    def load(self, folders: DataFolders) -> RetrievalSet:
        """The dataset.

        Raises:
            DataMissing: no objects, or distractors are missing.
            DataDamaged: an object without query or positive, or a box that is none.
        """
        truth = self.instances(folders)
        files = self._files(truth, folders)
        return retrieval_set("ilias", truth, files, list(self._distractors(folders)), orientation="upright")

    def instances(self, folders: DataFolders) -> Instances:
        """What is relevant to which query."""
        core = folders.root / self.path / _CORE
        objects = sorted(entry.name for entry in os.scandir(core) if entry.is_dir()) if core.is_dir() else []
        if not objects:
            raise DataMissing(f"there are no objects in {core}", fix="unpack ilias_core.tar there")
        images: list[str] = []
        queries: list[dict[str, Any]] = []
        for name in objects:
            positives, asked = (_photographs(core / name / part, f"{name}/{part}") for part in ("pos", "query"))
            first = len(images)
            images += positives
            for query in asked:
                box = _box(core / query) if self.crop else None
                relevant = list(range(first, len(images)))
                queries.append({"image": query, "positives": relevant, "box": box, "group": name})
        return checked_instances({"imlist": images, "queries": queries}, core)

    def _files(self, truth: Instances, folders: DataFolders) -> dict[str, Path]:
        core = folders.root / self.path / _CORE
        return {name: core / name for name in (*truth.images, *truth.queries)}

    def _distractors(self, folders: DataFolders) -> Iterator[str]:
        """Files, archive by archive and sorted by name."""
        if self.database == "core":
            return
        folder = folders.root / self.path / _DISTRACTORS
        archives = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir()) if folder.is_dir() else []
        if not archives:
            raise DataMissing(
                f"there are no folders of distractors in {folder}",
                fix="unpack each archive of yfcc100m into a folder of its name there, or database: core",
            )
        wanted = self._wanted(folders)
        missing = set(wanted or ())
        for archive in archives:
            for name in sorted(os.listdir(archive)):
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in IMAGE_SUFFIXES and (wanted is None or stem in wanted):
                    missing.discard(stem)
                    yield f"{archive}/{name}"
        refuse_missing(sorted(missing), len(wanted or ()), folder)

    def _wanted(self, folders: DataFolders) -> set[str] | None:
        """Names without suffix; None for all."""
        if self.database == "full":
            return None
        file = folders.root / self.path / _MINI
        try:
            return {line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()}
        except FileNotFoundError as error:
            raise DataMissing(f"there is no list {file}", fix="put it there, as published") from error
        except (OSError, UnicodeDecodeError) as error:
            raise DataDamaged(f"the list {file} cannot be read: {error}") from error


def _photographs(folder: Path, prefix: str) -> list[str]:
    """Images of a folder, sorted by name. Raises ``DataDamaged`` where there are none."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    images = [f"{prefix}/{name}" for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        raise DataDamaged(f"there are no photographs in {folder}", fix="unpack ilias_core.tar again")
    return images


def _box(image: Path) -> list[float]:
    """The box x0, y0, x1, y1 around all boxes (x, y, width, height) of an object, one a line beside its photograph."""
    file = image.with_name(f"{image.stem}_bbox.txt")
    try:
        lines = [line.split() for line in file.read_text(encoding="ascii").splitlines() if line.strip()]
        boxes = [tuple(map(float, line)) for line in lines]
        left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
        right, bottom = max(x + width for x, _, width, _ in boxes), max(y + height for _, y, _, height in boxes)
    except FileNotFoundError as error:
        raise DataMissing(f"there are no boxes {file}", fix="put them there, or crop: false") from error
    except (OSError, ValueError, IndexError) as error:
        raise DataDamaged(
            f"{file} holds no boxes, x y width height a line", fix="unpack ilias_core.tar again"
        ) from error
    return [max(left, 0.0), max(top, 0.0), right, bottom]
