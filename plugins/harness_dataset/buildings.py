"""Oxford and Paris Buildings with their original ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from harness.core.errors import DataDamaged, DataMissing
from harness.data.files import first_folder, images_by_stem
from harness.data.instances import Instances, checked_instances
from harness.data.retrieval_sets import content_digest, image_files, retrieval_set
from harness.plugin_api import RetrievalSet, Task

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders

_PREFIX: Final = "oxc1_"  # of the query names of Oxford, which name no file
_GROUND_TRUTH: Final = ("gt", "groundtruth", "lab", "gt_files_170407", "paris_120310")

CORRUPTED: Final = frozenset(
    {
        *(f"paris_louvre_{n:06}" for n in (136, 146)),
        "paris_moulinrouge_000422",
        "paris_museedorsay_001059",
        "paris_notredame_000188",
        *(f"paris_pantheon_{n:06}" for n in (284, 960, 974)),
        *(f"paris_pompidou_{n:06}" for n in (195, 196, 201, 467, 640)),
        *(f"paris_sacrecoeur_{n:06}" for n in (299, 330, 353)),
        *(f"paris_triomphe_{n:06}" for n in (662, 833, 863, 867)),
    }
)
"""Files of the Paris archives that are not images (https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/corrupt.txt)."""


@dataclass(frozen=True)
class Buildings:
    """Oxford5k and Paris6k from their published text files (Philbin et al. 2007, 2008).

    ``NAME_query.txt`` holds the query image and its box; ``NAME_good.txt`` and ``NAME_ok.txt`` the positives, which
    all count as easy; ``NAME_junk.txt`` what is left out. The query image stays in the database, as in the protocol.
    The 20 files of the Paris archives that are not images are left out.

    Attributes:
        path: folder of the dataset; relative to the data folder.
        ground_truth: folder of the text files, relative to the data folder; empty: ``gt`` or ``groundtruth`` in
            ``path``, or ``path`` itself.
        images: folder of the photographs, relative to the data folder; empty: ``jpg`` in ``path``, or in the folder of
            the revisited dataset (``roxford5k`` for ``oxford5k``), or ``path`` itself.
    """

    path: str
    ground_truth: str = ""
    images: str = ""

    task: ClassVar[Task] = "retrieval"

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of the ground truth and of every photograph."""
        truth, files = self._read(folders)
        return content_digest(truth, files, folders.root / self.path, folders)

    def load(self, folders: DataFolders) -> RetrievalSet:
        """The dataset.

        Raises:
            DataMissing: no text files, no photographs, or some of them missing.
            DataDamaged: the text files are not what they should be.
        """
        truth, files = self._read(folders)
        return retrieval_set(Path(self.path).name, truth, files)

    def instances(self, folders: DataFolders) -> Instances:
        """The ground truth; the database is what is in the image folder."""
        return self._read(folders)[0]

    def _read(self, folders: DataFolders) -> tuple[Instances, dict[str, Path]]:
        revisited = str(Path(self.path).with_name("r" + Path(self.path).name))
        texts = [self.ground_truth] if self.ground_truth else [f"{self.path}/{place}" for place in _GROUND_TRUTH]
        places = [self.images] if self.images else [f"{self.path}/jpg", f"{revisited}/jpg", self.path]
        text_folder = first_folder(folders.root, [*texts, self.path], "the text files of the ground truth", (".txt",))
        image_folder = first_folder(folders.root, places, "the photographs")
        files = {name: file for name, file in images_by_stem(image_folder).items() if name not in CORRUPTED}
        truth = checked_instances(buildings_content(text_folder, sorted(files)), text_folder)
        return truth, image_files(truth, files, image_folder)


def buildings_content(folder: Path, imlist: list[str]) -> dict[str, Any]:
    """The text files of a folder in the keys of the JSON form.

    Raises:
        DataMissing: no query, or a file of a query is missing.
        DataDamaged: a query file does not hold a name and a box.
    """
    starts = sorted(folder.rglob("*_query.txt"))
    if not starts:
        raise DataMissing(f"there is no text file NAME_query.txt in {folder}", fix="put the ground truth there")
    return {"imlist": imlist, "queries": [_query(start) for start in starts]}


def _query(start: Path) -> dict[str, Any]:
    words = _words(start)
    try:
        name, *box = words
        numbers = [float(number) for number in box]
    except ValueError as error:
        raise DataDamaged(f"{start} should hold a name and four numbers, not {' '.join(words)!r}") from error
    lists = {
        label: _words(start.with_name(start.name.replace("_query", f"_{label}"))) for label in ("good", "ok", "junk")
    }
    return {
        "image": name.removeprefix(_PREFIX),
        "positives": [image for label in ("good", "ok") for image in lists[label] if image not in CORRUPTED],
        "junk": [image for image in lists["junk"] if image not in CORRUPTED],
        "box": numbers,
    }


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except FileNotFoundError as error:
        raise DataMissing(f"there is no file {file}", fix="put all text files of the ground truth there") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataDamaged(f"{file} cannot be read: {error}") from error
