"""Synthetic instances: drawn once into the cache folder, afterwards only read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final

import numpy as np
from annotated_types import Ge

from harness.cache.provenance import folder_by_provenance
from harness.core.errors import DataDamaged, InvalidInput
from harness.data.disk import write_once
from harness.data.fingerprint import value_digest
from harness.data.generators import RESULT_VERSION
from harness.plugin_api import DataFolders, RetrievalSet, Task

_NAME: Final = "synthetic-instances"


@dataclass(frozen=True)
class SyntheticInstances:
    """Textured objects in clutter, drawn from a seed; revisited protocol (this project).

    Ground truth: an image that shows the object of a query is easy where at least 85 % of the object is visible on at
    least 12 % of the image; junk where less than 50 % is visible or it covers less than 5 %; else hard.

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
        """Hex digest of the parameters and of the generator's result version; draws nothing."""
        return value_digest({"parameters": asdict(self), "generator": RESULT_VERSION})

    def load(self, folders: DataFolders) -> RetrievalSet:
        """Draw the images, or read what was drawn before. Raises ``DataDamaged`` where files are gone."""
        from harness.data.generators.synthetic import Contents, generate

        folder = folder_by_provenance(folders.cache / _NAME / self.fingerprint(folders)[:16])
        write_once(folder, lambda unfinished: generate(unfinished, Contents(**asdict(self))))
        return self._read(folder)

    def _read(self, folder: Path) -> RetrievalSet:
        from harness.data.generators.synthetic import read

        images = [folder / "database" / f"{number:05d}.jpg" for number in range(self.images)]
        queries = [folder / "queries" / f"{number:05d}.jpg" for number in range(self.queries)]
        if lost := [path for path in (*images, *queries) if not path.is_file()]:
            raise DataDamaged(f"{len(lost)} generated images are gone, {lost[0]} first", fix=f"remove {folder}")
        try:
            drawn = read(folder)
        except (OSError, ValueError) as error:
            reason = f"the ground truth in {folder} cannot be read: {error}"
            raise DataDamaged(reason, fix=f"remove {folder}") from error
        return RetrievalSet(
            name=_NAME,
            images=images,
            queries=queries,
            boxes=[None if box is None else tuple(box) for box in drawn["boxes"]],
            ground_truth=drawn["ground_truth"],
            pairs=np.array(drawn["pairs"], np.int64).reshape(-1, 2),
            image_boxes=[None if box is None else tuple(box) for box in drawn["image_boxes"]],
        )
