"""``harness view saliency`` and ``harness view results``: where a run looked, and what it answered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from harness.cli.view_matches import position
from harness.core.errors import InvalidInput, SpecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.core.progress import Progress
    from harness.plugin_api import Box, RetrievalSet
    from harness.runs.plan import Run
    from harness.studies.pictures.saliency import Panel

Format = Literal["png", "svg"]
Runs = Annotated[Path | None, typer.Option("--runs", help="Folder of the records, or a spec beside it.")]
Plugins = Annotated[list[str] | None, typer.Option("--plugin", help="File or module with methods.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of your data [default: $HARNESS_DATA].")]
CacheFolder = Annotated[Path | None, typer.Option("--cache", help="Folder of the cache [default: $HARNESS_CACHE].")]
Out = Annotated[Path, typer.Option("--out", help="Write the picture here (.png or .svg).", show_default=False)]
RunId = Annotated[str, typer.Argument(help="A record file, or the id of a run.", show_default=False)]

_SHOWN: Final = 6
"""Turns of the mixture that are drawn."""


def saliency(
    run: RunId,
    image: Annotated[list[str], typer.Argument(help="Numbers or file names of database images.", show_default=False)],
    out: Out,
    iterations: Annotated[bool, typer.Option("--iterations", help="Draw how the mixture came to its regions.")] = False,
    runs: Runs = None,
    plugin: Plugins = None,
    data: Data = None,
    cache: CacheFolder = None,
) -> None:
    """Draw saliency maps of images and the regions that a run with fs-egm or os-egm found on them."""
    from harness.cli.display import Bars
    from harness.core.files import write_atomically
    from harness.data.folders import data_folders
    from harness.runs.recreate import recreate
    from harness.runs.targets import Resolver
    from harness.studies.pictures.saliency import draw_panels

    format = picture_format(out)
    folders = data_folders(data, cache)
    recreated = recreate(Resolver().record(run, runs), folders, tuple(plugin or ()))
    _require_saliency(recreated)
    dataset: RetrievalSet = recreated.dataset.loader.method.load(folders)
    positions = [position(text, dataset.images, "image") for text in image]
    with Bars() as bars:
        rows = panels(recreated, dataset, positions, iterations, bars)
    write_atomically(out, draw_panels(rows, title=f"{recreated.label}", format=format))
    print(f"{len(rows)} images: {out}")


def results(
    run: RunId,
    query: Annotated[str, typer.Argument(help="Number or file name of a query.", show_default=False)],
    out: Out,
    top: Annotated[int, typer.Option("--top", min=1, help="Number of answers; a record keeps 100.")] = 11,
    runs: Runs = None,
    plugin: Plugins = None,
    data: Data = None,
    cache: CacheFolder = None,
) -> None:
    """Draw the ranked answers to a query: positives framed in green, negatives in red, junk in grey."""
    from harness.core.files import write_atomically
    from harness.data.folders import data_folders
    from harness.retrieval.images import read_image
    from harness.runs.recreate import recreate
    from harness.runs.targets import Resolver
    from harness.studies.pictures.gallery import Result, draw_gallery

    format = picture_format(out)
    folders = data_folders(data, cache)
    record = Resolver().record(run, runs)
    ranks = record.details.get("ranks")
    if not ranks:
        raise SpecError(f"record {record.id} holds no rankings", fix="choose a retrieval run that is done")
    recreated = recreate(record, folders, tuple(plugin or ()))
    dataset: RetrievalSet = recreated.dataset.loader.method.load(folders)
    number, size = position(query, dataset.queries, "query"), recreated.protocol.image_size
    truth = dataset.ground_truth[number]
    found = []
    for image in ranks[number][:top]:
        answer: Any = "junk" if image in truth["junk"] else "negative"
        answer = "positive" if image in truth["easy"] or image in truth["hard"] else answer
        found.append(Result(read_image(dataset.images[image], size), answer, dataset.images[image].name))
    asked = read_image(dataset.queries[number], size)
    box = scaled_box(dataset.boxes[number], _factor(dataset.queries[number], asked))
    title = f"{recreated.label}\nquery {dataset.queries[number].name}"
    write_atomically(out, draw_gallery(asked, found, box, title, format=format))
    right = sum(result.answer == "positive" for result in found)
    print(f"{right} of the first {len(found)} answers are positive: {out}")


def panels(
    run: Run, dataset: RetrievalSet, positions: list[int], iterations: bool, progress: Progress
) -> list[list[Panel]]:
    """A row of panels per image: the image, its maps and regions, or the turns of the mixture."""
    from harness.retrieval.extraction import NamedBackbone
    from harness.retrieval.images import read_image
    from harness.retrieval.representation import Extraction
    from harness.studies.pictures.saliency import Panel

    extraction = Extraction(dataset, run.protocol, NamedBackbone(run.methods["backbone"].method, "backbone"), progress)
    pooling: Any = extraction.fitted(run.methods["pooling"].method)
    # What ``fit`` returns keeps its parameters; a method that learns nothing is its own.
    detection = getattr(pooling, "parameters", pooling)
    maps = extraction.backbone.maps(extraction.images("database").some(positions), "maps", progress)
    rows = []
    for image, scales in zip(positions, maps, strict=True):
        picture = read_image(dataset.images[image], run.protocol.image_size)
        stride = run.methods["backbone"].method.stride / run.protocol.scales[0]
        boxes = dataset.image_boxes
        box = scaled_box(boxes[image] if boxes else None, _factor(dataset.images[image], picture))
        first = Panel(dataset.images[image].name, picture, box=box)
        found = _saliencies(pooling, scales[0])
        if iterations:
            name, (last, _) = list(found.items())[-1]
            row = _turns(detection, last, picture, stride)
        else:
            row = [
                Panel(f"{name}: {len(regions)} region{'s' * (len(regions) > 1)}", picture, saliency, regions, stride)
                for name, (saliency, method) in found.items()
                for regions in [method.detect(saliency)]
            ]
        rows.append([first, *row])
    return rows


def _saliencies(pooling: Any, maps: Any) -> dict[str, tuple[NDArray[np.float32], Any]]:
    """Name -> saliency map (h, w) of one image, and what detects regions on it."""
    import numpy as np

    own = np.asarray(pooling.saliency(maps))
    parameters = getattr(pooling, "parameters", None)
    if parameters is None:
        return {"FS": (own, pooling)}
    first = parameters.first_pass
    return {"FS": (np.asarray(first.saliency(maps)), first), "OS": (own, parameters)}


def _turns(detection: Any, saliency: NDArray[np.float32], picture: NDArray[np.uint8], stride: float) -> list[Panel]:
    """The mixture at the beginning, at its end, and at turns between them (thesis Fig. 5.3)."""
    import numpy as np

    from harness.studies.pictures.saliency import Panel

    samples = detection.samples(saliency)
    if not samples.any():
        return [Panel("nothing is salient", picture, saliency, stride=stride)] * _SHOWN
    turns = list(detection.evolution(samples))
    # Most happens in the first turns.
    chosen = np.maximum(np.rint(np.geomspace(1, len(turns), _SHOWN)).astype(int) - 1, np.arange(_SHOWN))
    chosen = np.minimum(chosen, len(turns) - 1)
    return [
        Panel(
            f"i = {turn}, m = {len(turns[turn].weights)}",
            picture,
            samples,
            detection.rectangles(turns[turn], samples.shape),
            stride,
        )
        for turn in chosen.tolist()
    ]


def picture_format(path: Path) -> Format:
    """The format that a file name asks for. Raises ``InvalidInput``."""
    if path.suffix not in (".png", ".svg"):
        raise InvalidInput(f"{path} is no picture", fix="a file name that ends in .png or .svg")
    return "png" if path.suffix == ".png" else "svg"


def scaled_box(box: Box | None, factor: float) -> Box | None:
    """A box of the full image in pixels of the shrunk one."""
    return None if box is None else (box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor)


def _factor(path: Path, shown: NDArray[np.uint8]) -> float:
    """By how much the image of a file was shrunk."""
    from harness.data.decode import image_size

    return int(shown.shape[1]) / image_size(path)[0]


def _require_saliency(run: Run) -> None:
    pooling = run.methods.get("pooling")
    name = pooling.id.name if pooling else "nothing"
    if pooling is None or not hasattr(pooling.method, "detect"):
        raise SpecError(f"run {run.id} pools with {name}, which looks for no regions", fix="a run of fs-egm or os-egm")
