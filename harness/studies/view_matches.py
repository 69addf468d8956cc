"""What the re-ranker of a run matches: a query and an image (thesis Fig. 4.5), or all queries (Fig. 4.6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import SpecError
from harness.core.progress import Progress, SilentProgress
from harness.plugin_api import DrawsMatches
from harness.runs.learning_sets import learning_set
from harness.studies.pictures import Format
from harness.studies.pictures.matches import draw_inliers, draw_matches
from harness.studies.view import ImageRun

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Matches:
    """What was matched between a query and an image.

    Attributes:
        query: file name.
        image: file name.
        inliers: number of matches that fit one transformation.
        picture: both images with a line for each inlier.
    """

    query: str
    image: str
    inliers: int
    picture: bytes


def view_matches(opened: ImageRun, query: str | int, image: str | int, *, format: Format = "png") -> Matches:
    """Match a query and a database image as the re-ranker of a run does, and draw it.

    Args:
        opened: the run (``open_run``).
        query: number or file name.
        image: number or file name of a database image.
        format: ``png``, ``svg`` or ``pdf``.

    Raises:
        SpecError: the run re-ranks nothing, or its re-ranker matches no positions.
        UnknownName: no such query or image.
    """
    from harness.retrieval.images import read_image
    from harness.retrieval.reranking import describe

    run, dataset = opened.run, opened.dataset
    method, name = _reranker(opened), run.methods["reranking"].id.name
    draws = isinstance(method, DrawsMatches)  # as a name: method stays a re-ranker for mypy
    if not draws:
        raise SpecError(f'reranking "{name}" matches no positions', fix="choose a run with dsm or sift-ransac")
    q, i = opened.query(query), opened.image(image)
    extraction = opened.extraction(SilentProgress())
    (left,) = describe(method, extraction, "query", [q])
    (right,) = describe(method, extraction, "database", [i])
    size, orientation = run.protocol.image_size, dataset.orientation
    shown = read_image(dataset.queries[q], size, dataset.boxes[q], orientation)
    pictures = shown, read_image(dataset.images[i], size, None, orientation)
    matched = method.correspondences(left, right, *((p.shape[1], p.shape[0]) for p in pictures))
    inliers, names = len(matched["query"]), (dataset.queries[q].name, dataset.images[i].name)
    title = f"{name}: {inliers} inliers ({', '.join(names)})"
    return Matches(*names, inliers, draw_matches(*pictures, **matched, title=title, format=format))


@dataclass(frozen=True)
class Inliers:
    """The inliers of all queries with the images that a run re-ranks for them.

    Attributes:
        positives: (p,) inliers of images that show the query's object.
        negatives: (n,) inliers of those that do not.
        title: of the histogram.
    """

    positives: NDArray[Any]
    negatives: NDArray[Any]
    title: str

    def histogram(self, format: Format = "png") -> bytes:
        """Both as a picture, each as a share of its kind."""
        return draw_inliers(self.positives, self.negatives, title=self.title, format=format)

    def csv(self) -> str:
        """How many pairs of each kind have how many inliers."""
        positives, negatives = Counter(self.positives.tolist()), Counter(self.negatives.tolist())
        lines = [f"{n:g},{positives[n]},{negatives[n]}" for n in sorted({*positives, *negatives})]
        return "\n".join(["inliers,positive pairs,negative pairs", *lines, ""])


def view_inliers(opened: ImageRun, *, format: Format = "png", progress: Progress | None = None) -> bytes:
    """The histogram of ``inliers`` as a picture."""
    return inliers(opened, progress=progress).histogram(format)


def inliers(opened: ImageRun, *, progress: Progress | None = None) -> Inliers:
    """Count the inliers of all queries with the images that a run re-ranks for them.

    Descriptors and features come from the cache where they are there.

    Raises:
        SpecError: the run re-ranks nothing.
    """
    from harness.cache import Cache
    from harness.retrieval.health import split_pairs
    from harness.retrieval.pipeline import RetrievalMethods, RetrievalTask

    run, dataset, top = opened.run, opened.dataset, _reranker(opened).top
    methods = RetrievalMethods(**{kind: configured.method for kind, configured in run.methods.items()})
    keys: dict[str, Any] = {kind: configured.key for kind, configured in run.methods.items()}
    keys["dataset"] = run.dataset.key
    cache = Cache(opened.folders.cache / "arrays")
    learning = learning_set(run, opened.folders)
    task = RetrievalTask(dataset, methods, run.protocol, keys, cache, progress or SilentProgress(), learning=learning)
    title = f"{run.dataset.name}, {run.methods['reranking'].id.name}: top {top} of {len(dataset.queries)} queries"
    return Inliers(*split_pairs(*task.scored_pairs(), dataset.ground_truth), title)


def _reranker(opened: ImageRun) -> Any:
    run = opened.run
    if "reranking" not in run.methods:
        raise SpecError(f"run {run.id} ({run.label}) re-ranks nothing", fix="choose a run with reranking")
    return run.methods["reranking"].method
