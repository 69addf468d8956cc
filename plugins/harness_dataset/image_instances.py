"""A folder of images with a JSON ground truth, for retrieval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.core.errors import DataMissing
from harness.data.fingerprint import files_digest, value_digest
from harness.data.image_names import ImageNames
from harness.data.instances import Instances, read_instances
from harness.data.retrieval_sets import retrieval_set
from harness.plugin_api import FileListing, Orientation, RetrievalSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class ImageInstances:
    """Images of a folder with a ground truth in JSON: imlist, queries with easy, hard, junk or positives, box.

    ``positives`` are easy, and none is hard. See ``harness.data.instances`` for the format.

    Attributes:
        path: folder below the data folder (or absolute).
        ground_truth: JSON file in that folder; also the published structure (``qimlist``, ``gnd``) as JSON or pickle.
        images: folder of the images in that folder; names in the ground truth are relative to it.
        orientation: ``upright`` turns images as their EXIF says; ``stored`` takes the pixels as they lie in the file,
            as the published protocol of ROxford and RParis does. A box counts pixels of what is shown.
        leave_one_out: a query whose image is in the database, under any name, does not find it: search, verification
            and expansion go without it. ``false`` leaves it where it is, as published protocols that count it need.
    """

    task: ClassVar[Task] = "retrieval"
    result_version: ClassVar[int] = 3  # queries do not find themselves

    path: str
    ground_truth: str = "gnd.json"
    images: str = "images"
    orientation: Orientation = "upright"
    leave_one_out: bool = True

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the ground truth and of every image that it names. Raises ``DataMissing`` or ``DataDamaged``."""
        root = self._root(folders)
        files = set(self._files(self._read(folders), folders).values())
        content = files_digest([root / self.ground_truth, *files], root, folders)
        return content if self.orientation == "upright" else value_digest([content, self.orientation])

    def load(self, folders: DataFolders) -> RetrievalSet:
        """Read and check the ground truth; images are read when they are needed.

        Raises:
            DataMissing: no folder or no ground truth.
            DataDamaged: problems in the ground truth, all of them in one go.
        """
        truth = self._read(folders)
        files = self._files(truth, folders)
        return retrieval_set(
            Path(self.path).name, truth, files, orientation=self.orientation, leave_one_out=self.leave_one_out
        )

    def files(self, folders: DataFolders) -> FileListing:
        """Files of the image folder that the ground truth does not name."""
        named = set(self._files(self._read(folders), folders).values())
        return FileListing(skipped=list(self._names(folders).others(named)), orientation=self.orientation)

    def _files(self, truth: Instances, folders: DataFolders) -> dict[str, Path]:
        """The file of every image and query; that each exists is checked."""
        names, images = self._names(folders), self._root(folders) / self.images
        return {name: names.file(name) or images / name for name in (*truth.images, *truth.queries)}

    def _names(self, folders: DataFolders) -> ImageNames:
        return ImageNames(self._root(folders) / self.images)

    def _read(self, folders: DataFolders) -> Instances:
        root = self._root(folders)
        images = root / self.images
        if not images.is_dir():
            raise DataMissing(
                f"there is no folder {images}", fix=f"put the images there, {self.ground_truth} beside it"
            )
        names = self._names(folders)
        return read_instances(root / self.ground_truth, names.exists, names.suggestion)

    def _root(self, folders: DataFolders) -> Path:
        return folders.root / self.path
