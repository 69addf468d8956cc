"""INSTRE with the protocol of Iscen et al."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from harness.core.errors import DataDamaged, DataMissing
from harness.data.files import first_folder, refuse_missing
from harness.data.instances import Instances, checked_instances
from harness.data.photographs import content_digest, retrieval_set
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
        found = self.instances(folders)
        return content_digest(found, self._files(found, folders), folders)

    def load(self, folders: DataFolders) -> RetrievalSet:
        """The dataset.

        Raises:
            DataMissing: no ground truth, no photographs, or some of them missing.
            DataDamaged: the ground truth is not what it should be.
        """
        found = self.instances(folders)
        return retrieval_set("instre", found, self._files(found, folders))

    def instances(self, folders: DataFolders) -> Instances:
        """The ground truth alone; needs no photographs."""
        file = folders.root / self.path / self.ground_truth
        return checked_instances(instre_content(file), file)

    def _files(self, found: Instances, folders: DataFolders) -> dict[str, Path]:
        for name in (*found.images, *found.queries):
            if name.startswith("/") or ".." in name.split("/"):
                raise DataDamaged(f"the ground truth names {name}, which is not inside of {folders.root / self.path}")
        first_folder(folders.root, [self.path], "INSTRE-S1, INSTRE-S2 and INSTRE-M")
        folders_there = [folders.root / f"{self.path}{place}" for place in _PLACES]
        folder = next((place for place in folders_there if (place / found.images[0]).is_file()), folders_there[0])
        files = {name: folder / name for name in dict.fromkeys((*found.images, *found.queries))}
        refuse_missing([name for name, file in files.items() if not file.is_file()], len(files), folder)
        return files


def instre_content(file: Path) -> dict[str, Any]:
    """The ground truth in the keys of the JSON form. Raises ``DataMissing`` or ``DataDamaged``."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not file.is_file():
        raise DataMissing(f"there is no file {file}", fix="put gnd_instre.mat there")
    try:
        content = loadmat(file, variable_names=("imlist", "qimlist", "gnd"))
        imlist, qimlist, gnd = (content[name].ravel() for name in ("imlist", "qimlist", "gnd"))
        ids, boxes = gnd.dtype.names[:2]
        queries = [
            {"image": str(name.item()), "positives": _zero_based(truth[ids]), "box": truth[boxes].ravel().tolist()}
            for name, truth in zip(qimlist, gnd, strict=True)
        ]
        return {"imlist": [str(name.item()) for name in imlist], "queries": queries}
    except (MatReadError, OSError, KeyError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
        raise DataDamaged(
            f"{file} is not the published file: {error}", why="imlist, qimlist and gnd should be in it"
        ) from error


def _zero_based(ids: Any) -> list[int]:
    """From 1-based ids, which MATLAB may have stored as uint16: 0 minus 1 would be 65,535."""
    found: list[int] = (np.asarray(ids).ravel().astype(np.int64) - 1).tolist()
    return found
