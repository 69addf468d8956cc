"""``harness view matches``: what the re-ranker of a run matched between a query and an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.core.errors import InvalidInput, SpecError, UnknownName, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.plugin_api import DataFolders, Ranking, RetrievalSet
    from harness.runs.plan import Run


def matches(
    run: Annotated[str, typer.Argument(help="A record file, or the id of a run.", show_default=False)],
    query: Annotated[str, typer.Argument(help="Number or file name of a query.", show_default=False)],
    image: Annotated[str, typer.Argument(help="Number or file name of a database image.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Write the picture here (.png or .svg).", show_default=False)],
    histogram: Annotated[
        Path | None, typer.Option("--histogram", help="Draw the inliers of all queries here (.png or .svg).")
    ] = None,
    runs: Annotated[Path | None, typer.Option("--runs", help="Folder of the records, or a spec beside it.")] = None,
    plugin: Annotated[list[str] | None, typer.Option("--plugin", help="File or module with methods.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of your data [default: $HARNESS_DATA].")] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of the cache [default: $HARNESS_CACHE].")
    ] = None,
) -> None:
    """Draw the inliers between a query and an image, as the re-ranker of a run finds them."""
    from harness.core.files import write_atomically
    from harness.data.folders import data_folders
    from harness.runs.recreate import recreate
    from harness.runs.targets import Resolver

    formats = {path: _format(path) for path in (out, histogram) if path is not None}
    folders = data_folders(data, cache)
    recreated = recreate(Resolver().record(run, runs), folders, tuple(plugin or ()))
    if "reranking" not in recreated.methods:
        raise SpecError(f"run {recreated.id} ({recreated.label}) re-ranks nothing", fix="choose a run with reranking")
    dataset: RetrievalSet = recreated.dataset.loader.method.load(folders)
    q, i = position(query, dataset.queries, "query"), position(image, dataset.images, "image")
    count, picture = draw_pair(recreated, dataset, q, i, formats[out])
    write_atomically(out, picture)
    print(f"{count} inliers between query {dataset.queries[q].name} and {dataset.images[i].name}: {out}")
    if histogram is not None:
        write_atomically(histogram, draw_histogram(recreated, dataset, folders, formats[histogram]))
        print(f"inliers of all queries: {histogram}")


def position(text: str, files: Sequence[Path], what: str) -> int:
    """The image that a user means by its number or its file name. Raises ``UnknownName``."""
    names = [file.name for file in files]
    stems = [file.stem for file in files]
    for known in (names, stems):
        if text in known:
            return known.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(files):
        return int(text)
    raise UnknownName(f'unknown {what} "{text}"', fix=f"{nearest(text, names)} or a number below {len(files)}".strip())


def draw_pair(
    run: Run, dataset: RetrievalSet, query: int, image: int, format: Literal["png", "svg"]
) -> tuple[int, bytes]:
    """Number of inliers, and the picture."""
    from harness.core.progress import SilentProgress
    from harness.retrieval.extraction import NamedBackbone
    from harness.retrieval.images import read_image
    from harness.retrieval.representation import Extraction
    from harness.retrieval.reranking import describe
    from harness.studies.pictures.matches import draw_matches

    method = run.methods["reranking"].method
    name = run.methods["reranking"].id.name
    if not hasattr(method, "correspondences"):
        raise SpecError(f'reranking "{name}" matches no positions', fix="choose a run with dsm or sift-ransac")
    extraction = Extraction(
        dataset, run.protocol, NamedBackbone(run.methods["backbone"].method, "backbone"), SilentProgress()
    )
    (left,) = describe(method, extraction, "query", [query])
    (right,) = describe(method, extraction, "database", [image])
    size = run.protocol.image_size
    pictures = read_image(dataset.queries[query], size, dataset.boxes[query]), read_image(dataset.images[image], size)
    found = method.correspondences(left, right, *((p.shape[1], p.shape[0]) for p in pictures))
    count = len(found["query"])
    title = f"{name}: {count} inliers ({dataset.queries[query].name}, {dataset.images[image].name})"
    return count, draw_matches(*pictures, **found, title=title, format=format)


def draw_histogram(run: Run, dataset: RetrievalSet, folders: DataFolders, format: Literal["png", "svg"]) -> bytes:
    """Histogram of the inliers of all queries with the images that were re-ranked for them."""
    from harness.cache.shared import SharedCache
    from harness.core.progress import SilentProgress
    from harness.retrieval.pipeline import RetrievalMethods, RetrievalTask
    from harness.studies.pictures.matches import draw_inliers

    methods = RetrievalMethods(**{kind: configured.method for kind, configured in run.methods.items()})
    keys: dict[str, Any] = {kind: configured.key for kind, configured in run.methods.items()}
    keys["dataset"] = {"fingerprint": run.dataset.fingerprint}
    cache = SharedCache(folders.cache / "arrays")
    ranking = RetrievalTask(dataset, methods, run.protocol, keys, cache, SilentProgress()).reranked()
    top = run.methods["reranking"].method.top
    positives, negatives = inliers(ranking, dataset, top)
    title = f"{run.dataset.name}, {run.methods['reranking'].id.name}: top {top} of {len(dataset.queries)} queries"
    return draw_inliers(positives, negatives, title=title, format=format)


def inliers(ranking: Ranking, dataset: RetrievalSet, top: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights of the first ``top`` images that answer their query, and of those that do not; junk counts nowhere."""
    import numpy as np

    positives: list[float] = []
    negatives: list[float] = []
    verified = np.zeros_like(ranking.scores) if ranking.verified is None else ranking.verified
    for images, weights, truth in zip(ranking.indices, verified, dataset.ground_truth, strict=True):
        right, junk = {*truth["easy"], *truth["hard"]}, set(truth["junk"])
        for image, weight in zip(images[:top].tolist(), weights[:top].tolist(), strict=True):
            if image not in junk:
                (positives if image in right else negatives).append(weight)
    return np.array(positives, np.float32), np.array(negatives, np.float32)


def _format(path: Path) -> Literal["png", "svg"]:
    if path.suffix == ".png":
        return "png"
    if path.suffix == ".svg":
        return "svg"
    raise InvalidInput(f"{path} is no picture", fix="a file name that ends in .png or .svg")
