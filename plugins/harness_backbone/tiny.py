"""The embedded backbone: four convolutions whose weights lie beside this file (see TINY.md)."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.errors import DataDamaged, InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS: Final = Path(__file__).with_name("tiny.npz")
SHA256: Final = "8e52c14d924338588a29d5e4a4cb4439479962059c3769157f12d75d13ae3c03"
"""Of the weights: so they are part of the source's digest, and other weights give other runs."""


class Layer(NamedTuple):
    """A convolution followed by a ReLU; padded so that the map shrinks by the stride only."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    dilation: int = 1

    @property
    def padding(self) -> int:
        """Cells of zeros on each border."""
        return self.dilation * (self.kernel // 2)


LAYERS: Final = (Layer(3, 48, 7, 4), Layer(48, 96, 3, 2), Layer(96, 128, 3), Layer(128, 128, 1))


@dataclass(frozen=True)
class Tiny:
    """Small convolutional network, stride 8, 128 maps, trained on generated images; weights embedded (this project)."""

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        return 8

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> maps (128, ceil(H / 8), ceil(W / 8)) float32, not negative.

        Raises:
            InvalidInput: not three channels, or no pixel.
        """
        import torch

        if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
            raise InvalidInput(f"an image of shape {tuple(image.shape)} has no maps", fix="(3, H, W) with H, W >= 1")
        with torch.inference_mode():
            maps = image[None] * 2 - 1
            for layer, (weight, bias) in zip(LAYERS, _weights(str(image.device)), strict=True):
                maps = torch.conv2d(maps, weight, bias, layer.stride, layer.padding, layer.dilation).relu_()
        return maps[0]


@lru_cache
def _weights(device: str) -> list[tuple[Tensor, Tensor]]:
    """Weight (outputs, inputs, kernel, kernel) and bias (outputs,) of each layer, float32."""
    import torch

    content = WEIGHTS.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataDamaged(
            f"{WEIGHTS.name} is not the file that tiny was released with", fix="install the package again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = [(file[f"weight{i}"], file[f"bias{i}"]) for i in range(len(LAYERS))]
    return [tuple(torch.from_numpy(a.astype(np.float32)).to(device) for a in pair) for pair in arrays]  # type: ignore[misc]
