"""Synthetic instances: drawn once into the cache folder, afterwards only read."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final

import numpy as np
from annotated_types import Ge

from harness.core.errors import DataDamaged, InvalidInput
from harness.data.fingerprint import code_digest, value_digest
from harness.plugin_api import DataFolders, RetrievalSet, Task

_NAME: Final = "synthetic-instances"
_ABANDONED_SECONDS: Final = 3600
"""An unfinished folder of this age was left by a process that was killed: drawing takes seconds."""


@dataclass(frozen=True)
class SyntheticInstances:
    """Textured objects in clutter, drawn from a seed; revisited protocol (this project).

    Ground truth: an image that shows the object of a query is easy where at least 85 % of the object is visible on at
    least 8 % of the image; junk where less than 35 % is visible or it covers less than 1.5 %; else hard.

    Attributes:
        objects: objects that queries ask for. Further objects, four images each, give the matching pairs.
        images: images of the database: 60 % show an object asked for, 30 % another object, 10 % clutter only.
        queries: images of queries, none of them in the database; object by object in turn.
        size: side of the square images in pixels.
        seed: other seeds give other objects and other images.
    """

    task: ClassVar[Task] = "retrieval"

    objects: Annotated[int, Ge(1)] = 40
    images: Annotated[int, Ge(2)] = 600
    queries: Annotated[int, Ge(1)] = 60
    size: Annotated[int, Ge(32)] = 256
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        if self.objects > self.images * 60 // 100:
            raise InvalidInput(
                f"{self.images} images cannot show {self.objects} objects",
                why="60 % of the images show an object that queries ask for",
                fix=f"images: {-(-self.objects * 5 // 3)} or more, or fewer objects",
            )

    def fingerprint(self, folders: DataFolders) -> str:
        """Hex digest of the parameters and of the generator's source; draws nothing."""
        return value_digest({"parameters": asdict(self), "generator": code_digest("harness.data.generators.synthetic")})

    def load(self, folders: DataFolders) -> RetrievalSet:
        """Draw the images, or read what was drawn before. Raises ``DataDamaged`` where files are gone."""
        folder = folders.cache / _NAME / self.fingerprint(folders)[:16]
        if not folder.exists():
            self._draw(folder)
        return self._read(folder)

    def _draw(self, folder: Path) -> None:
        from harness.data.generators.synthetic import Contents, generate

        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            generate(unfinished, Contents(**asdict(self)))
            unfinished.chmod(0o755)
            os.rename(unfinished, folder)
        except OSError:
            # Another process may have drawn the same images meanwhile.
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _read(self, folder: Path) -> RetrievalSet:
        from harness.data.generators.synthetic import read

        images = [folder / "database" / f"{number:05d}.jpg" for number in range(self.images)]
        queries = [folder / "queries" / f"{number:05d}.jpg" for number in range(self.queries)]
        if lost := [path for path in (*images, *queries) if not path.is_file()]:
            raise DataDamaged(f"{len(lost)} generated images are gone, {lost[0]} first", fix=f"remove {folder}")
        try:
            found = read(folder)
        except (OSError, ValueError) as error:
            raise DataDamaged(
                f"the ground truth in {folder} cannot be read: {error}", fix=f"remove {folder}"
            ) from error
        return RetrievalSet(
            name=_NAME,
            images=images,
            queries=queries,
            boxes=[None if box is None else tuple(box) for box in found["boxes"]],
            ground_truth=found["ground_truth"],
            pairs=np.array(found["pairs"], np.int64).reshape(-1, 2),
            image_boxes=[None if box is None else tuple(box) for box in found["image_boxes"]],
        )


def _remove_abandoned(folder: Path) -> None:
    for unfinished in folder.parent.glob(f".{folder.name}-*"):
        if time.time() - unfinished.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(unfinished, ignore_errors=True)
