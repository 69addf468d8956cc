"""Revisited Oxford and Paris, with their distractors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data.files import first_folder, images_by_stem, listed
from harness.data.fingerprint import value_digest
from harness.data.instances import Instances, checked_instances, read_instances
from harness.data.pickled import read_pickle
from harness.data.published import published_content
from harness.data.retrieval_sets import content_digest, image_files, retrieval_set
from harness.data.stand_in.marker import marks
from harness.plugin_api import RetrievalSet, Task

if TYPE_CHECKING:
    from harness.data.stand_in.marker import marks
from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class Revisited:
    """ROxford5k and RParis6k from their published files (Radenovic et al. 2018), also with distractors.

    The ground truth is the published pickle, read without running anything, or the same as JSON. Names have no suffix;
    photographs may lie in folders below the image folder, as in the archives.

    Attributes:
        path: folder of the ground truth; relative to the data folder.
        ground_truth: file in that folder: ``.pkl`` as published, or ``.json``.
        images: folder of the photographs, relative to the data folder; empty: ``jpg`` in ``path``, or in the folder of
            the original dataset (``oxford5k`` for ``roxford5k``), or ``path`` itself.
        distractors: folder with ``NAME.txt`` and ``jpg``, NAME as the folder; empty: none.
        missing_distractors: whether files that the list names but the archives do not hold are left out. Ids stay those
            of the files that are there.
    """

    path: str
    ground_truth: str = "gnd.pkl"
    images: str = ""
    distractors: str = ""
    missing_distractors: Literal["refuse", "skip"] = "refuse"

    task: ClassVar[Task] = "retrieval"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the ground truth, of every photograph, and of names and sizes of the distractors."""
        truth = self.instances(folders)
        content = content_digest(truth, self._files(truth, folders), folders.root / self.path, folders)
        if not self.distractors:
            return content
        folder = self._distractor_folder(folders)
        # Their bytes alone would take hours to read before every first run.
        sizes = [[file[len(str(folder)) :], os.stat(file).st_size] for file in self._distractors(folders)]
        return value_digest([content, sizes, *marks(folder)])

    def load(self, folders: DataFolders) -> RetrievalSet:
        """The dataset.

        Raises:
            DataMissing: no ground truth, no photographs, or some of them missing.
            DataDamaged: the ground truth is not what it should be.
        """
        truth = self.instances(folders)
        return retrieval_set(Path(self.path).name, truth, self._files(truth, folders), self._distractors(folders))

    def instances(self, folders: DataFolders) -> Instances:
        """The ground truth alone; needs no photographs."""
        file = folders.root / self.path / self.ground_truth
        if file.suffix == ".json":
            return read_instances(file, exists=lambda name: True)
        return checked_instances(published_content(read_pickle(file), file), file)

    def _files(self, truth: Instances, folders: DataFolders) -> dict[str, Path]:
        original = str(Path(self.path).with_name(Path(self.path).name.removeprefix("r")))
        places = [self.images] if self.images else [f"{self.path}/jpg", f"{original}/jpg", self.path]
        folder = first_folder(folders.root, places, "the photographs")
        return image_files(truth, images_by_stem(folder), folder)

    def _distractor_folder(self, folders: DataFolders) -> Path:
        return first_folder(folders.root, [f"{self.distractors}/jpg"], "the distractors")

    def _distractors(self, folders: DataFolders) -> list[str]:
        if not self.distractors:
            return []
        names = folders.root / self.distractors / f"{Path(self.distractors).name}.txt"
        return listed(names, self._distractor_folder(folders), skip_missing=self.missing_distractors == "skip")
