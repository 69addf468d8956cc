"""A retrieval run opened again, to look at single images: what it matched, where it looked, what it ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import InvalidInput, SpecError, UnknownName, nearest
from harness.data.folders import data_folders
from harness.plugin_api import DataFolders, RetrievalSet
from harness.runs.identity import Run
from harness.runs.record import Record
from harness.runs.recreate import recreate
from harness.runs.targets import Resolver
from harness.studies.pictures import FORMATS, Format

if TYPE_CHECKING:
    from harness.core.progress import Progress
    from harness.retrieval.representation import Extraction


@dataclass(frozen=True)
class ImageRun:
    """A retrieval run with its data.

    Attributes:
        record: what was recorded.
        run: its methods with their parameters, as they are now.
        dataset: images, queries and ground truth.
        folders: where data and cache live.
    """

    record: Record
    run: Run
    dataset: RetrievalSet
    folders: DataFolders

    def query(self, query: str | int) -> int:
        """Position of a query named by its number or file name. Raises ``UnknownName``."""
        return position(str(query), self.dataset.queries, "query")

    def image(self, image: str | int) -> int:
        """Position of a database image named by its number or file name. Raises ``UnknownName``."""
        return position(str(image), self.dataset.images, "image")

    def extraction(self, progress: Progress) -> Extraction:
        """Maps of its images by its backbone."""
        from harness.retrieval.extraction import NamedBackbone
        from harness.retrieval.representation import Extraction

        backbone = NamedBackbone(self.run.methods["backbone"].method, "backbone")
        return Extraction(self.dataset, self.run.protocol, backbone, progress)


def open_run(
    run: Record | str | Path,
    *,
    runs: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
) -> ImageRun:
    """Open a run to look at its images (``view_matches``, ``view_saliency``, ``view_results``).

    Args:
        run: a record, a target that holds one, or with ``runs`` the id of one.
        runs: target that holds the run of an id.
        plugins: files or modules with its methods, besides the installed ones.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        cache: folder of the cache (default ``$HARNESS_CACHE``).

    Raises:
        SpecError: there is no such record, or it is not of a retrieval run.
        UnknownName: a method or loader of the record is not registered.
        DataMissing, DataDamaged: its data.
    """
    record = run if isinstance(run, Record) else Resolver(tuple(map(str, plugins)), data, cache).record(run, runs)
    if record.task != "retrieval":
        raise SpecError(f"run {record.id} is of the task {record.task}", fix="choose a retrieval run")
    folders = data_folders(data, cache)
    recreated = recreate(record, folders, plugins)
    return ImageRun(record, recreated, recreated.dataset.loader.method.load(folders), folders)


def position(text: str, files: Sequence[Path], kind: str) -> int:
    """The image that a user names by its number or its file name. Raises ``UnknownName``."""
    names = [file.name for file in files]
    for candidates in (names, [file.stem for file in files]):
        if text in candidates:
            return candidates.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(files):
        return int(text)
    raise UnknownName(f'unknown {kind} "{text}"', fix=f"{nearest(text, names)} or a number below {len(files)}".strip())


def picture_format(path: Path) -> Format:
    """The format that a file name asks for. Raises ``InvalidInput``."""
    for format in FORMATS:
        if path.suffix == f".{format}":
            return format
    raise InvalidInput(f"{path} is not a picture file", fix="a file name that ends in .png, .svg or .pdf")
