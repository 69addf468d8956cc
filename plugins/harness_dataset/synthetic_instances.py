"""Synthetic instances: drawn once into the cache folder, afterwards only read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Final

from annotated_types import Ge

from harness.cache.provenance import folder_by_provenance
from harness.core.errors import InvalidInput
from harness.data.disk import write_once
from harness.data.fingerprint import value_digest
from harness.data.generators import RESULT_VERSION
from harness.data.generators.stored import stored_instances
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
        return stored_instances(_NAME, folder, self.images, self.queries)
