"""Where a run with fs-egm or os-egm looks: saliency maps, regions, iterations of the mixture (thesis Fig. 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import SpecError
from harness.core.progress import Progress, SilentProgress
from harness.plugin_api import DetectsRegions, HasFirstPass, HasSaliency, ShowsDetection
from harness.studies.pictures import Format
from harness.studies.pictures.saliency import Panel, draw_panels
from harness.studies.view import ImageRun
from harness.studies.view_results import scaled_box, shrinkage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN: Final = 6
"""Iterations of the mixture that are drawn."""


def view_saliency(
    opened: ImageRun,
    images: Sequence[str | int],
    *,
    iterations: bool = False,
    format: Format = "png",
    progress: Progress | None = None,
) -> bytes:
    """Draw saliency maps of database images and the regions that a run found on them, a row per image.

    Args:
        opened: the run (``open_run``).
        images: numbers or file names.
        iterations: draw how the mixture came to its regions.
        format: ``png``, ``svg`` or ``pdf``.
        progress: told how far the work is.

    Raises:
        SpecError: the run pools without regions.
        UnknownName: no such image.
    """
    pooling = opened.run.methods.get("pooling")
    if pooling is None or not isinstance(pooling.method, DetectsRegions):
        name = pooling.id.name if pooling else "nothing"
        reason = f"run {opened.run.id} pools with {name}, which looks for no regions"
        raise SpecError(reason, fix="a run of fs-egm or os-egm")
    if iterations and not isinstance(pooling.method, ShowsDetection):
        raise SpecError(f'pooling "{pooling.id.name}" does not show how it detects regions', fix="no --iterations")
    positions = [opened.image(image) for image in images]
    rows = _rows(opened, positions, iterations, progress or SilentProgress())
    return draw_panels(rows, title=opened.run.label, format=format)


def _rows(opened: ImageRun, positions: list[int], iterations: bool, progress: Progress) -> list[list[Panel]]:
    """Panels of each image: the image, its maps and regions, or the iterations of the mixture."""
    from harness.retrieval.images import read_image

    run, dataset, extraction = opened.run, opened.dataset, opened.extraction(progress)
    method = run.methods["pooling"].method
    fitted = extraction.fitted(method)
    if not isinstance(fitted, HasSaliency):
        name = run.methods["pooling"].id.name
        raise SpecError(f'pooling "{name}" has no saliency maps', fix="a method saliency(maps) of what fit returns")
    maps = extraction.backbone.maps(extraction.images("database").some(positions), "maps", progress)
    stride = run.methods["backbone"].method.stride / run.protocol.scales[0]
    boxes = dataset.image_boxes
    rows = []
    for image, scales in zip(positions, maps, strict=True):
        path = dataset.images[image]
        picture = read_image(path, run.protocol.image_size, None, dataset.orientation)
        box = scaled_box(boxes[image] if boxes else None, shrinkage(path, picture, dataset.orientation))
        row = [Panel(path.name, picture, box=box)]
        saliencies = _saliencies(method, fitted, scales[0])
        if iterations:
            last, _ = list(saliencies.values())[-1]
            row += _iterations(method, last, picture, stride)
        else:
            for name, (saliency, detector) in saliencies.items():
                regions = detector.detect(saliency)
                title = f"{name}: {len(regions)} region{'s' * (len(regions) > 1)}"
                row.append(Panel(title, picture, saliency, regions, stride))
        rows.append(row)
    return rows


def _saliencies(method: Any, fitted: HasSaliency, maps: Any) -> dict[str, tuple[NDArray[np.float32], DetectsRegions]]:
    """Name -> saliency map (h, w) of one image, and what detects regions on it."""
    saliency = np.asarray(fitted.saliency(maps))
    if not isinstance(method, HasFirstPass):
        return {"FS": (saliency, method)}
    first = method.first_pass
    return {"FS": (np.asarray(first.saliency(maps)), first), "OS": (saliency, method)}


def _iterations(
    detection: ShowsDetection, saliency: NDArray[np.float32], picture: NDArray[np.uint8], stride: float
) -> list[Panel]:
    """The mixture at the beginning, at its end, and at iterations between them."""
    samples = detection.samples(saliency)
    if not samples.any():
        return [Panel("nothing is salient", picture, saliency, stride=stride)] * _SHOWN
    mixtures = list(detection.evolution(samples))
    # Most happens in the first iterations.
    chosen = np.maximum(np.rint(np.geomspace(1, len(mixtures), _SHOWN)).astype(int) - 1, np.arange(_SHOWN))
    panels = []
    for iteration in np.minimum(chosen, len(mixtures) - 1).tolist():
        mixture = mixtures[iteration]
        title = f"i = {iteration}, m = {len(mixture.weights)}"
        panels.append(Panel(title, picture, samples, detection.rectangles(mixture, samples.shape), stride))
    return panels
