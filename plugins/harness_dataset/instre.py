"""INSTRE with the protocol of Iscen et al."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from harness.core.errors import DataDamaged
from harness.data.files import first_folder, read_mat, refuse_missing, refuse_outside
from harness.data.instances import Instances, checked_instances
from harness.data.retrieval_sets import content_digest, retrieval_set
from harness.plugin_api import RetrievalSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders

_PLACES: Final = ("", "/instre", "/INSTRE", "/images", "/jpg")


@dataclass(frozen=True)
class Instre:
    """INSTRE from its published files (Wang and Jiang 2015; queries of Iscen et al. 2017).

    ``gnd_instre.mat`` counts images from 1 and gives boxes as x0, y0, x1, y1, unlike the text files of the original
    dataset (x, y, w, h); public loaders disagree on both. All positives are easy, there is no junk.

    Attributes:
        path: folder of the ground truth and of the photographs; relative to the data folder.
        ground_truth: file in that folder.
    """

    path: str = "instre"
    ground_truth: str = "gnd_instre.mat"

    task: ClassVar[Task] = "retrieval"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the ground truth and of every photograph."""
        truth = self.instances(folders)
        return content_digest(truth, self._files(truth, folders), folders.root / self.path, folders)

    def load(self, folders: DataFolders) -> RetrievalSet:
        """The dataset.

        Raises:
            DataMissing: no ground truth, no photographs, or some of them missing.
            DataDamaged: the ground truth is not what it should be.
        """
        truth = self.instances(folders)
        return retrieval_set("instre", truth, self._files(truth, folders))

    def instances(self, folders: DataFolders) -> Instances:
        """The ground truth alone; needs no photographs."""
        file = folders.root / self.path / self.ground_truth
        return checked_instances(instre_content(file), file)

    def _files(self, truth: Instances, folders: DataFolders) -> dict[str, Path]:
        names = list(dict.fromkeys((*truth.images, *truth.queries)))
        refuse_outside(names, "the ground truth", folders.root / self.path)
        first_folder(folders.root, [self.path], "INSTRE-S1, INSTRE-S2 and INSTRE-M")
        candidates = [folders.root / f"{self.path}{place}" for place in _PLACES]
        folder = next((place for place in candidates if (place / truth.images[0]).is_file()), candidates[0])
        files = {name: folder / name for name in names}
        refuse_missing([name for name, file in files.items() if not file.is_file()], len(files), folder)
        return files


def instre_content(file: Path) -> dict[str, Any]:
    """The ground truth in the keys of the JSON form. Raises ``DataMissing`` or ``DataDamaged``."""
    imlist, qimlist, gnd = (array.ravel() for array in read_mat(file, "imlist", "qimlist", "gnd"))
    try:
        ids, boxes = gnd.dtype.names[:2]
        queries = [
            {"image": str(name.item()), "positives": _zero_based(truth[ids]), "box": truth[boxes].ravel().tolist()}
            for name, truth in zip(qimlist, gnd, strict=True)
        ]
        return {"imlist": [str(name.item()) for name in imlist], "queries": queries}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataDamaged(f"{file} is not the published file: {error}") from error


def _zero_based(ids: Any) -> list[int]:
    """From 1-based ids, which MATLAB may have stored as uint16: 0 minus 1 would be 65,535."""
    zero_based: list[int] = (np.asarray(ids).ravel().astype(np.int64) - 1).tolist()
    return zero_based
