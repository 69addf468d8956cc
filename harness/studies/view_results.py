"""The first images that a run ranked for a query, with what the ground truth says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.core.errors import SpecError
from harness.studies.pictures import Format
from harness.studies.pictures.gallery import Relevance, Result, draw_gallery
from harness.studies.view import ImageRun

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.plugin_api import Box, Orientation


@dataclass(frozen=True)
class RankedImages:
    """The first results of a query.

    Attributes:
        query: file name.
        relevance: of each result, best first.
        picture: the query and its results.
    """

    query: str
    relevance: tuple[Relevance, ...]
    picture: bytes


def view_results(opened: ImageRun, query: str | int, *, top: int = 11, format: Format = "png") -> RankedImages:
    """Draw the results of a query as they were recorded.

    Args:
        opened: the run (``open_run``).
        query: number or file name.
        top: number of results; a record keeps 100.
        format: ``png``, ``svg`` or ``pdf``.

    Raises:
        SpecError: the record holds no rankings.
        UnknownName: no such query.
    """
    from harness.retrieval.images import read_image

    ranks = opened.record.details.get("ranks")
    if not ranks:
        raise SpecError(f"record {opened.record.id} holds no rankings", fix="choose a retrieval run that is done")
    run, dataset, number = opened.run, opened.dataset, opened.query(query)
    truth, size = dataset.ground_truth[number], run.protocol.image_size
    relevant, junk = {*truth["easy"], *truth["hard"]}, set(truth["junk"])
    results = []
    for image in ranks[number][:top]:
        relevance: Relevance = "positive" if image in relevant else "junk" if image in junk else "negative"
        picture = read_image(dataset.images[image], size, None, dataset.orientation)
        results.append(Result(picture, relevance, dataset.images[image].name))
    name = dataset.queries[number].name
    shown = read_image(dataset.queries[number], size, None, dataset.orientation)
    box = scaled_box(dataset.boxes[number], shrinkage(dataset.queries[number], shown, dataset.orientation))
    drawn = draw_gallery(shown, results, box, f"{run.label}\nquery {name}", format=format)
    return RankedImages(name, tuple(result.relevance for result in results), drawn)


def scaled_box(box: Box | None, factor: float) -> Box | None:
    """A box of the full image in pixels of the shrunk one."""
    return None if box is None else (box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor)


def shrinkage(path: Path, shown: NDArray[np.uint8], orientation: Orientation) -> float:
    """Width of the shown image as a share of that of its file."""
    from harness.data.decode import image_size

    return float(shown.shape[1] / image_size(path, orientation)[0])
