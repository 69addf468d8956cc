"""Poolings: maps of one image, of a batch, of any size. Loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind


class PoolingKind(Kind):
    """Tried on maps that are not negative."""

    name = "pooling"
    baseline = "spoc"
    tensor = True

    def cases(self, method: Any) -> Sequence[Case]:
        """From one cell to a batch of images of very different scale."""
        return (
            Case("one small map", lambda: {"maps": torch.tensor([[[0.25, 0.0], [0.0, 0.5]]])}),
            Case("one cell", lambda: {"maps": torch.full((1, 1, 1), 0.5)}, "small-inputs"),
            Case("a map without activation", lambda: {"maps": torch.zeros(1, 2, 2)}, "empty-inputs"),
            Case("one row of cells", lambda: {"maps": some_maps(2, 1, 3)}, "small-inputs"),
            Case("one column of cells", lambda: {"maps": some_maps(2, 4, 1)}, "small-inputs"),
            Case("plain maps", lambda: {"maps": some_maps(4, 3, 5)}),
            Case("maps without activation", lambda: {"maps": torch.zeros(4, 3, 5)}, "empty-inputs"),
            Case("one active channel of four", lambda: {"maps": _one_active()}, "empty-inputs"),
            Case("constant maps", lambda: {"maps": torch.full((4, 3, 5), 0.7)}, "constant-inputs"),
            Case("tiny activations", lambda: {"maps": some_maps(4, 3, 5) * 1e-30}, "scales"),
            Case("channels of very different scale", lambda: {"maps": _scales(some_maps(4, 3, 5))}, "scales"),
            Case("a batch of one image", lambda: {"maps": some_maps(1, 4, 5, 6)}),
            Case("a batch of unlike images", lambda: {"maps": _unlike()}),
            Case("two batch dimensions", lambda: {"maps": some_maps(2, 2, 4, 3, 4)}),
            Case("larger maps", lambda: {"maps": some_maps(8, 13, 9)}),
        )

    def standard(self, method: Any) -> Case:
        """512 maps of 24 x 32 cells, as of a photograph at 1024 pixels and a stride of 32."""
        return Case("maps (512, 24, 32)", lambda: {"maps": some_maps(512, 24, 32)})

    def prepare(self, method: Any, inputs: Inputs, rng: Any) -> Any:
        """The fitted pooling, where it has ``fit``: on six images with the channels of the maps."""
        fit = getattr(method, "fit", None)
        return fit(iter(database_of(inputs))) if fit else method

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The descriptors."""
        with torch.inference_mode():
            return fitted.pool(inputs["maps"])

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """Maps (..., C, H, W) give (..., D)."""
        checks.require_shape(answer, (*inputs["maps"].shape[:-3], None), "maps (..., C, H, W) -> (..., D)")


def database_of(inputs: Inputs, seed: int = 0) -> list[Tensor]:
    """Maps of six images with the channels of these inputs."""
    channels = inputs["maps"].shape[-3]
    return [some_maps(channels, 5 + i, 9 - i, seed=seed + i) for i in range(6)]


def some_maps(*shape: int, seed: int = 0) -> Tensor:
    """Half of the cells active, as after a ReLU."""
    values = np.random.default_rng([seed, *shape]).normal(size=shape)
    return torch.from_numpy(np.maximum(values, 0).astype(np.float32))


def _one_active() -> Tensor:
    maps = torch.zeros(4, 3, 5)
    maps[1, 1, 2] = 1
    return maps


def _scales(maps: Tensor) -> Tensor:
    return maps * torch.tensor([1e-20, 1e-3, 1, 1e4])[:, None, None]


def _unlike() -> Tensor:
    """Ordinary, empty, faint, strong, and the first once more."""
    maps = some_maps(5, 4, 5, 6)
    maps[1] = 0
    maps[2] *= 1e-6
    maps[3] *= 1e3
    maps[4] = maps[0]
    return maps
