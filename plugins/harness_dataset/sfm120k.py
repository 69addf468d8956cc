"""retrieval-SfM-120k, the training set of Radenovic et al. 2018."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from harness.core.errors import DataDamaged
from harness.data.files import refuse_missing
from harness.data.fingerprint import files_digest
from harness.data.pickled import read_pickle
from harness.plugin_api import RetrievalSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class SfM120k:
    """Photographs of landmarks with matching pairs from structure from motion, from the published files.

    ``retrieval-SfM-120k.pkl`` has ``train`` and ``val``, ``retrieval-SfM-120k-whiten.pkl`` the pairs that whitenings
    are learnt from; each names its images (``cids``) and the pairs (``qidxs``, ``pidxs``). Photographs lie in ``ims``,
    three folders deep. There are no queries: it is for training only.

    Attributes:
        path: folder of the published files; relative to the data folder.
        part: ``train``, ``val`` or ``whiten``.
    """

    path: str = "retrieval-SfM-120k"
    part: Literal["train", "val", "whiten"] = "train"

    task: ClassVar[Task] = "retrieval"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the pairs and of every photograph of the part."""
        root, content = folders.root / self.path, self._content(folders)
        return files_digest([self._file(root), *content.images], root, folders)

    def load(self, folders: DataFolders) -> RetrievalSet:
        """The photographs, the pairs and the 3D model of each photograph where it is known.

        Raises:
            DataMissing: the file of the pairs or photographs are missing.
            DataDamaged: the file is not what it should be.
        """
        return self._content(folders)

    def _file(self, root: Path) -> Path:
        return root / f"retrieval-SfM-120k{'-whiten' if self.part == 'whiten' else ''}.pkl"

    def _content(self, folders: DataFolders) -> RetrievalSet:
        root = folders.root / self.path
        file = self._file(root)
        names, pairs, clusters = _published(read_pickle(file), file, self.part)
        images = [root / "ims" / name[-2:] / name[-4:-2] / name[-6:-4] / name for name in names]
        missing = [str(image.relative_to(root)) for image in images if not image.is_file()]
        refuse_missing(missing, len(images), root / "ims")
        return RetrievalSet("sfm120k", images, [], [], [], pairs=pairs, clusters=clusters)


def _published(content: Any, file: Path, part: str) -> tuple[list[str], Any, Any]:
    """Names of the images, pairs (p, 2) of their positions, and the 3D model of each or None."""
    try:
        chosen = content if part == "whiten" else content[part]
        names = [str(name) for name in chosen["cids"]]
        pairs = np.stack([np.asarray(chosen[key], np.int64).ravel() for key in ("qidxs", "pidxs")], axis=1)
        clusters = None if part == "whiten" else np.asarray(chosen["cluster"], np.int64).ravel()
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataDamaged(f"{file} is not the published file: {error}") from error
    if wrong := [name for name in names if len(name) < 6 or not name.isalnum()]:
        raise DataDamaged(f"{file} names an image {wrong[0]!r}: a name has letters and digits only")
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < len(names):
        raise DataDamaged(f"{file} pairs images that it does not name")
    if clusters is not None and len(clusters) != len(names):
        raise DataDamaged(f"{file} has {len(clusters)} values in cluster for {len(names)} images")
    return names, pairs, clusters
