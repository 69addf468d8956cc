"""Re-rankers: a query and candidates, described from maps or from pixels, then scored. Loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind


class RerankingKind(Kind):
    """Tried on maps of one or two scales; a re-ranker with ``describe_image`` on images instead."""

    name = "reranking"
    baseline = "r-match"
    what = "what score returned"

    def cases(self, method: Any) -> Sequence[Case]:
        """From one cell or pixel to three candidates that show the query's object shifted."""
        see = _pixels if hasattr(method, "describe_image") else _maps
        small, empty, alike = "small-inputs", "empty-inputs", "constant-inputs"
        return (
            Case("one cell", lambda: _inputs(see, (1, 1), 1), small),
            Case("one row of cells", lambda: _inputs(see, (1, 6), 1), small),
            Case("a plain pair", lambda: _inputs(see, (8, 10), 1)),
            Case("a query without activation", lambda: _inputs(see, (8, 10), 1, query=0.0), empty),
            Case("a candidate without activation", lambda: _inputs(see, (8, 10), 1, first=0.0), empty),
            Case("constant inputs", lambda: _constant(see, (8, 10)), alike),
            Case("a strong and a faint candidate", lambda: _inputs(see, (8, 10), 2, first=1e-3), "scales"),
            Case("three candidates at two scales", lambda: _inputs(see, (12, 16), 3)),
        )

    def standard(self, method: Any) -> Case:
        """Ten candidates of 24 x 32 cells."""
        see = _pixels if hasattr(method, "describe_image") else _maps
        return Case("10 candidates of 24 x 32 cells", lambda: _inputs(see, (24, 32), 10))

    def prepare(self, method: Any, inputs: Inputs, rng: Any) -> Any:
        """The features of all images and the method."""
        describe = getattr(method, "describe_image", method.describe)
        with torch.inference_mode():
            query = describe(inputs["query"], "query")
            return method, query, [describe(image, "database") for image in inputs["candidates"]]

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The scores."""
        method, query, candidates = fitted
        return method.score(query, candidates)

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """One score a candidate."""
        n = len(inputs["candidates"])
        checks.require_shape(answer, (n,), "one score a candidate", self.what)


def _inputs(see: Any, size: tuple[int, int], n: int, *, query: float = 1.0, first: float = 1.0) -> Inputs:
    """A query and ``n`` candidates whose blobs are shifted; ``first`` scales the first candidate."""
    factors = [first] + [1.0] * (n - 1)
    return {
        "query": see(size, 0, query),
        "candidates": [see((size[0], size[1] + i), i + 1, factors[i]) for i in range(n)],
    }


def _constant(see: Any, size: tuple[int, int]) -> Inputs:
    flat: Any = see(size, 0, 0.0)
    if isinstance(flat, np.ndarray):
        return {"query": flat + 128, "candidates": [flat + 128]}
    return {"query": [part + 0.7 for part in flat], "candidates": [[part + 0.7 for part in flat]]}


def _scene(size: tuple[int, int], shift: int) -> NDArray[np.float32]:
    """(6, h, w): smooth blobs, those of every channel moved by ``shift`` cells to the right."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(5)
    channels = []
    for _ in range(6):
        centres = rng.random((2, 2)) * [height, width]
        channels.append(sum(np.exp(-((y - a) ** 2 + (x - b - shift) ** 2) / 3) for a, b in centres))
    return np.asarray(channels, np.float32)


def _maps(size: tuple[int, int], shift: int, factor: float) -> list[Tensor]:
    """At the full scale and, where there is room, at half of it."""
    scene = torch.from_numpy(_scene(size, shift)) * factor
    return [scene, scene[:, ::2, ::2].contiguous()] if min(size) >= 12 else [scene]


def _pixels(size: tuple[int, int], shift: int, factor: float) -> NDArray[np.uint8]:
    """(8h, 8w, 3) uint8: part of a texture that moves; of one cell one pixel."""
    if size == (1, 1):
        return np.full((1, 1, 3), int(200 * factor), np.uint8)
    height, width = 8 * size[0], 8 * size[1]
    texture = np.kron(np.random.default_rng(9).random((60, 120)), np.ones((4, 4)))
    part = texture[:height, 4 * shift : 4 * shift + width]
    return np.asarray(np.repeat((part * 255 * factor)[:, :, None], 3, axis=2), np.uint8)
