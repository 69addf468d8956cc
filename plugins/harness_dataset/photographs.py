"""Instances from photographs that packages bring: made once into the cache folder, afterwards only read."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Final

from annotated_types import Ge

from harness.cache.provenance import folder_by_provenance
from harness.data.disk import write_once
from harness.data.fingerprint import value_digest
from harness.data.generators import PHOTOGRAPHS_VERSION
from harness.data.generators.photograph_sources import QUERIED, photograph_files
from harness.data.generators.stored import stored_instances
from harness.plugin_api import DataFolders, RetrievalSet, Task

_NAME: Final = "photographs"


@dataclass(frozen=True)
class Photographs:
    """Parts of 18 photographs of scikit-learn and scikit-image under new views; revisited protocol (this project).

    46 objects, each a part of a photograph, are warped, turned, lit otherwise and pasted, often small, among parts of
    other photographs; then the image is exposed, blurred and compressed. Queries ask for 28 of them, with their box;
    the other 18, mostly of the same photographs, are distractors and give the matching pairs of supervised whitening.
    Nothing is downloaded: extra ``photos``. The licences of the photographs are listed in docs/datasets.md.

    Ground truth: an image that shows the object of a query is easy where at least 85 % of the object is visible on at
    least 15 % of the image; junk where less than 50 % is visible or it covers less than 2 %; else hard.

    Attributes:
        images: images of the database: 60 % show an object asked for, 30 % another object, 10 % none.
        queries: images of queries, none of them in the database; object by object in turn.
        size: side of the square images in pixels.
        seed: other seeds give other views of the same objects.
    """

    task: ClassVar[Task] = "retrieval"

    images: Annotated[int, Ge(50)] = 400
    queries: Annotated[int, Ge(1)] = 84
    size: Annotated[int, Ge(32)] = 320
    seed: Annotated[int, Ge(0)] = 0

    def fingerprint(self, folders: DataFolders) -> str:
        """Hex digest of the parameters, the generator's result version and the photographs; makes nothing.

        Raises:
            DataMissing: a package of the extra ``photos`` is not installed.
        """
        files = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in photograph_files().items()}
        return value_digest({"parameters": asdict(self), "generator": PHOTOGRAPHS_VERSION, "files": files})

    def load(self, folders: DataFolders) -> RetrievalSet:
        """Make the images, or read what was made before. Raises as ``fingerprint``, and ``DataDamaged``."""
        from harness.data.generators.photographs import generate
        from harness.data.generators.synthetic import Contents

        contents = Contents(objects=QUERIED, **asdict(self))
        folder = folder_by_provenance(folders.cache / _NAME / self.fingerprint(folders)[:16])
        write_once(folder, lambda unfinished: generate(unfinished, contents, photograph_files()))
        return stored_instances(_NAME, folder, self.images, self.queries)
