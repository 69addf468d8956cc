"""Networks for classification, layer by layer in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array, unit
from harness_evidence.layers import (
    State,
    batch_normalised,
    convolved,
    largest,
    rectified,
    scatter_statistics,
    state_of,
)
from harness_evidence.learning import softmax

Forward = Callable[[Array, State], Array]
"""One image (C, H, W), standardised -> features (d,)."""


def _compared(network: Any, shape: tuple[int, int, int], forward: Forward) -> Iterator[Comparison]:
    """Features and probabilities of three images, in evaluation mode."""
    from harness.active import training

    images = RNG(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    model = training.initialise(network, images, 4, RNG(0))
    scatter_statistics(model, RNG(1))
    found, probabilities = training.extract(model, images)
    pixels = images.astype(np.float64)
    mean, deviation = (of((0, 2, 3), keepdims=True) for of in (pixels.mean, pixels.std))
    state = {name.removeprefix("network."): value for name, value in state_of(model).items()}
    expected = np.array([forward(image, state) for image in (pixels - mean) / deviation])
    logits = expected @ weight_of(state, "head").T + state["head.bias"]
    yield Comparison(f"images {shape}, features", found, expected, 1e-4)
    yield Comparison(f"images {shape}, probabilities", probabilities, softmax(logits), 1e-4)


def weight_of(state: State, layer: str) -> Array:
    """The weight of a layer; of a weight-normalised one g v / |v|, with a length for each output."""
    if f"{layer}.weight" in state:
        return state[f"{layer}.weight"]
    g, v = (state[f"{layer}.parametrizations.weight.original{part}"] for part in (0, 1))
    lengths = np.sqrt((v**2).reshape(len(v), -1).sum(axis=1)).reshape(g.shape)
    return np.asarray(g * v / lengths)


def small_cnn(create: Create) -> Iterator[Comparison]:
    """Convolutions, normalisations and maxima written out by numpy in float64."""

    def forward(x: Array, state: State) -> Array:
        for place, pooled in ((0, True), (4, True), (8, False)):
            x = convolved(x, state[f"maps.{place}.weight"], padding=1)
            x = rectified(batch_normalised(x, state, f"maps.{place + 1}"))
            x = largest(x) if pooled else x
        _, height, width = x.shape
        rows, columns = ((slice(0, -(-side // 2)), slice(side // 2, side)) for side in (height, width))
        return np.array([plane[r, c].max() for plane in x for r in rows for c in columns])

    yield from _compared(create(), (1, 8, 8), forward)
    wide = create(width=5, normalise=True)
    yield from _compared(wide, (3, 15, 21), lambda x, state: unit(forward(x, state)))


def cnn13(create: Create) -> Iterator[Comparison]:
    """Weight-normalised convolutions, normalisations and maxima written out by numpy in float64."""

    def forward(x: Array, state: State) -> Array:
        missing = [max(0, 32 - side) for side in x.shape[1:]]
        x = np.pad(x, [(0, 0), *((total // 2, total - total // 2) for total in missing)], mode="edge")
        for place in (1, 4, 7, None, 12, 15, 18, None, 23, 26, 29):
            if place is None:
                x = largest(x)
                continue
            name = f"maps.{place}"
            x = convolved(x, weight_of(state, name), state[f"{name}.bias"], padding=1 if place < 23 else 0)
            x = rectified(batch_normalised(x, state, f"maps.{place + 1}"), slope=0.1)
        return unit(x.mean(axis=(1, 2)))

    for shape in ((1, 28, 28), (3, 32, 32)):
        yield from _compared(create(), shape, forward)
