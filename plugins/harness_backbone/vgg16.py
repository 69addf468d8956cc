"""VGG16 up to its last convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness_backbone.convolutional import Convolutional, renamer

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_POOL4: Final = 23
"""Position of the fourth of the five max-poolings in torchvision's ``features``; the fifth is left out."""


@dataclass(frozen=True)
class VGG16(Convolutional):
    """VGG16 to conv5_3 with ReLU, stride 16, 512 maps (Simonyan and Zisserman 2014), by torchvision.

    Formula:
        2 x conv (64) - max - 2 x conv (128) - max - 3 x conv (256) - max - 3 x conv (512) - max - 3 x conv (512)
        all 3x3 with ReLU, max over 2x2

    Attributes: those of ``Convolutional``.
    """

    @property
    def name(self) -> str:
        """As torchvision calls the network."""
        return "vgg16"

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        return 8 if self.upsample else 16

    def body(self) -> Module:
        """The network with random initial weights. Upsampled: pool4 keeps every window, conv5 reads every second."""
        import torch
        from torch import nn
        from torchvision.models import vgg16

        from harness_backbone.network import DensePooling

        with torch.device("meta"):  # nothing is computed for the classifier, nine tenths of the weights
            layers = list(vgg16(weights=None, init_weights=False).features.children())[:-1]
        if self.upsample:
            layers[_POOL4] = DensePooling()
        network = nn.Sequential(*layers).to_empty(device="cpu")
        for position, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")  # as torchvision
                nn.init.zeros_(layer.bias) if layer.bias is not None else None
                if self.upsample and position > _POOL4:
                    layer.dilation = layer.padding = (2, 2)
        return network

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a state dict that belong to the body, under the body's names."""
        return renamer({"features.": ""})(state)
