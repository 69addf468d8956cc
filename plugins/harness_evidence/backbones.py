"""Backbones layer by layer in float64, from their published structure and the weights that they have."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array
from harness_evidence.layers import (
    State,
    batch_normalised,
    convolved,
    largest,
    rectified,
    scatter_statistics,
    state_of,
)

Forward = Callable[[Array, State], Array]
"""A normalised image (3, H, W) -> maps (C, h, w)."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_STAGES = (  # Tan and Le 2019, table 1: repeats, kernel, stride, expansion
    (1, 3, 1, 1),
    (2, 3, 2, 6),
    (2, 5, 2, 6),
    (3, 3, 2, 6),
    (3, 5, 1, 6),
    (4, 5, 2, 6),
    (1, 3, 1, 6),
)


def _image(height: int, width: int) -> Array:
    return RNG(height).random((3, height, width)).astype(np.float32)


def _normalised(image: Array, colours: Any) -> Array:
    mean, deviation = (np.reshape(part, (3, 1, 1)) for part in colours)
    return np.asarray((image.astype(np.float64) - mean) / deviation)


def _maps(backbone: Any, image: Array) -> Array:
    import torch

    return np.asarray(backbone.maps(torch.from_numpy(image)).numpy())


def _parameters(create: Create, published: int, classifier: int) -> Comparison:
    """The number of weights, as torchvision's documentation states it, less those of the classifier."""
    count = sum(weight.numel() for weight in create(weights="none").module().parameters())
    return Comparison("number of weights, as published", count, published - classifier)


def _with_random_weights(
    create: Create, forward: Forward, colours: Any, least: int, sizes: tuple[tuple[int, int], ...], **parameters: Any
) -> Iterator[Comparison]:
    """Images of some sizes, padded to ``least`` pixels; weights and statistics are drawn."""
    import torch

    module = create(weights="none", **parameters).module()
    scatter_statistics(module, RNG(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(module.state_dict(), path)
        backbone = create(weights=path, **parameters)
        state = {name.removeprefix("features."): value for name, value in state_of(module).items()}
        for height, width in sizes:
            image = _image(height, width)
            padded = np.pad(
                _normalised(image, colours), [(0, 0), (0, max(0, least - height)), (0, max(0, least - width))]
            )
            case = f"{height} x {width} pixels" + "".join(f", {name} {value}" for name, value in parameters.items())
            yield Comparison(case, _maps(backbone, image), forward(padded, state), 1e-4)


def tiny(create: Create) -> Iterator[Comparison]:
    """Four convolutions by numpy in float64, with the weights as they lie in the file."""
    import harness_backbone

    with np.load(Path(harness_backbone.__file__).with_name("tiny.npz")) as file:
        weights = {name: file[name].astype(np.float64) for name in file.files}
    for height, width in ((32, 32), (45, 61), (8, 9)):
        image = _image(height, width)
        x = 2 * image.astype(np.float64) - 1
        for i, stride in enumerate((4, 2, 1, 1)):
            kernel = weights[f"weight{i}"]
            x = convolved(x, kernel, weights[f"bias{i}"], stride=stride, padding=kernel.shape[-1] // 2)
            x = rectified(x)
        yield Comparison(f"{height} x {width} pixels", _maps(create(), image), x, 1e-4)


def module(create: Create) -> Iterator[Comparison]:
    """The example's two convolutions by numpy in float64; a module of one's own has no reference but itself."""
    backbone = create(factory="harness_backbone.examples:some_module", stride=4)
    layers = list(state_of(backbone.module()).values())
    for height, width in ((32, 32), (21, 40)):
        image = _image(height, width)
        x = rectified(convolved(_normalised(image, _IMAGENET), layers[0], layers[1], stride=2, padding=1))
        x = rectified(convolved(x, layers[2], layers[3], stride=2, padding=1))
        yield Comparison(f"{height} x {width} pixels", _maps(backbone, image), x, 1e-4)


def vgg16(create: Create) -> Iterator[Comparison]:
    """Thirteen convolutions by numpy in float64, with drawn weights; the number of weights that torchvision states."""

    def forward(x: Array, state: State) -> Array:
        layers = iter(state.values())
        for block, count in enumerate((2, 2, 3, 3, 3)):
            x = largest(x) if block else x
            for _ in range(count):
                x = rectified(convolved(x, next(layers), next(layers), padding=1))
        return x

    yield from _with_random_weights(create, forward, _IMAGENET, 67, ((67, 70), (40, 80)))
    yield _parameters(create, 138_357_544, 25_089 * 4096 + 4097 * 4096 + 4097 * 1000)


def _resnet(create: Create, blocks: tuple[int, ...]) -> Iterator[Comparison]:
    def forward(x: Array, state: State) -> Array:
        x = rectified(batch_normalised(convolved(x, state["0.weight"], stride=2, padding=3), state, "1"))
        x = largest(x, size=3, stride=2, padding=1)
        for stage, count in enumerate(blocks):
            for block in range(count):
                x = bottleneck(x, state, f"{stage + 4}.{block}", 2 if stage and not block else 1)
        return x

    def bottleneck(x: Array, state: State, name: str, stride: int) -> Array:
        """1x1, 3x3 with the stride, 1x1, and what goes by them."""
        inner = x
        for part, step in ((1, 1), (2, stride), (3, 1)):
            kernel = state[f"{name}.conv{part}.weight"]
            inner = convolved(inner, kernel, stride=step, padding=kernel.shape[-1] // 2)
            inner = batch_normalised(inner, state, f"{name}.bn{part}")
            inner = rectified(inner) if part < 3 else inner
        if f"{name}.downsample.0.weight" in state:
            x = convolved(x, state[f"{name}.downsample.0.weight"], stride=stride, padding=0)
            x = batch_normalised(x, state, f"{name}.downsample.1")
        return rectified(x + inner)

    yield from _with_random_weights(create, forward, _IMAGENET, 67, ((67, 70),))


def resnet50(create: Create) -> Iterator[Comparison]:
    """Bottleneck blocks by numpy in float64, with drawn weights; the number of weights that torchvision states."""
    yield from _resnet(create, (3, 4, 6, 3))
    yield _parameters(create, 25_557_032, 2049 * 1000)


def resnet101(create: Create) -> Iterator[Comparison]:
    """Bottleneck blocks by numpy in float64, with drawn weights; the number of weights that torchvision states."""
    yield from _resnet(create, (3, 4, 23, 3))
    yield _parameters(create, 44_549_160, 2049 * 1000)


def efficientnet_lite0(create: Create) -> Iterator[Comparison]:
    """Inverted residual blocks by numpy in float64, with drawn weights and statistics."""

    def layer(x: Array, state: State, name: str, stride: int = 1, active: bool = True) -> Array:
        x = convolved(x, state[f"{name}.convolution.weight"], stride=stride)
        x = batch_normalised(x, state, f"{name}.norm", eps=1e-3)
        return rectified(x, most=6) if active else x

    def forward(x: Array, state: State) -> Array:
        x, number = layer(x, state, "stem", stride=2), 0
        for repeats, _, stride, expansion in _STAGES:
            for repeat in range(repeats):
                name, step = f"blocks.{number}", stride if repeat == 0 else 1
                inner = layer(x, state, f"{name}.expand") if expansion > 1 else x
                if f"{name}.spatial.convolution.weight" not in state:
                    return inner
                inner = layer(inner, state, f"{name}.spatial", step)
                inner = layer(inner, state, f"{name}.project", active=False)
                x = x + inner if inner.shape == x.shape else inner
                number += 1
        return layer(x, state, "head")

    colours = ((127 / 255,) * 3, (128 / 255,) * 3)
    for stage in (32, 16):
        yield from _with_random_weights(create, forward, colours, 32, ((64, 45), (33, 32)), stage=stage)


def timm(create: Create) -> Iterator[Comparison]:
    """The network as timm itself has it, in float64."""
    import torch

    backbone = create(model="resnet10t", weights="none")
    module = backbone.module()
    image = _image(64, 96)
    with torch.inference_mode():
        model = module.model.double()
        pixels = torch.from_numpy(_normalised(image, (module.mean.numpy(), module.std.numpy())))[None]
        expected = model(pixels)[-1][0].clamp(min=0).numpy()
    yield Comparison("resnet10t", _maps(backbone, image), expected, 1e-4)
