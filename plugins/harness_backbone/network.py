"""What the built-in networks share as modules of torch; importing it loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.core.errors import InvalidInput

Network = TypeVar("Network", bound=nn.Module)


class ImageNetwork(nn.Module):
    """Images (n, 3, H, W) float32 in [0, 1], RGB -> maps (n, C, h, w) float32.

    Colours are normalised and small images padded by the mean colour, below and on the right, so that training and
    extraction see the same.

    Args:
        features: normalised images to maps.
        mean: of each colour.
        std: of each colour.
        min_side: smaller images are padded to this side.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: nn.Module, mean: Sequence[float], std: Sequence[float], min_side: int = 1) -> None:
        super().__init__()
        self.features, self.min_side = features, min_side
        for name, values in (("mean", mean), ("std", std)):
            colours = torch.tensor(values, dtype=torch.float32).reshape(3, 1, 1)
            self.register_buffer(name, colours, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images to maps."""
        height, width = images.shape[-2:]
        padding = (0, max(0, self.min_side - width), 0, max(0, self.min_side - height))
        maps: Tensor = self.features(functional.pad((images - self.mean) / self.std, padding))
        return maps

    def maps(self, image: Tensor) -> Tensor:
        """One image (3, H, W) to maps (C, h, w), without gradient.

        Raises:
            InvalidInput: not three channels, or no pixel.
        """
        if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
            raise InvalidInput(f"an image of shape {tuple(image.shape)} has no maps", fix="(3, H, W) with H, W >= 1")
        with torch.inference_mode():
            maps: Tensor = self(image[None])
        return maps[0]

    def maps_batch(self, images: Tensor) -> Tensor:
        """Images (n, 3, H, W) to maps (n, C, h, w), without gradient."""
        with torch.inference_mode():
            maps: Tensor = self(images)
        return maps


def placed(network: Network, device: str) -> Network:
    """The network on a device, not to be trained; on a GPU channels last in memory, as its convolutions are fastest."""
    network.eval().requires_grad_(False)
    if torch.device(device).type != "cuda":
        return network.to(device)
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class DensePooling(nn.Module):
    """Max-pooling by 2 with stride 1: twice as many cells, of which every second is that of stride 2."""

    def forward(self, maps: Tensor) -> Tensor:
        """(n, C, h, w), not negative, to the same without an odd last row or column."""
        height, width = (side - side % 2 for side in maps.shape[-2:])
        # Activations are not negative: a border of zeros changes no maximum.
        pooled = functional.max_pool2d(functional.pad(maps, (0, 1, 0, 1)), 2, stride=1)
        return pooled[..., :height, :width]
