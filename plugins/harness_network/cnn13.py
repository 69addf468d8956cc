"""The thesis's network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from annotated_types import Ge, Lt

if TYPE_CHECKING:
    from torch.nn import Module

_SIDE: Final = 32
"""The last block needs maps of 8 x 8, so the image needs 32 x 32 pixels."""


@dataclass(frozen=True)
class CNN13:
    """The 13-layer network of Laine & Aila 2017 with unit-length features (thesis §3.5.1).

    Nine convolutions and one linear layer, all weight-normalised; each convolution is followed by batch normalisation
    and a leaky ReLU. 3,125,908 parameters for colour images and ten classes: the released code has 1,300 more in a
    linear layer that nothing uses. Smaller images than 32 x 32 pixels are continued at their border up to that size.

    Formula:
        3 x conv 3x3 (128) - max 2x2 - dropout - 3 x conv 3x3 (256) - max 2x2 - dropout
        - conv 3x3 (512) - conv 1x1 (256) - conv 1x1 (128) - mean: features / |features|; logits = linear(features)

    Attributes:
        dropout: share of the activations dropped after each of the first two blocks in training.
        normalise: whether the 128 features have unit length.
    """

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5  # Laine & Aila 2017, table 5
    normalise: bool = True  # released code, isL2

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """A module for images (C, H, W) that returns logits (B, n_classes) and features (B, 128)."""
        from torch import nn
        from torch.nn.utils.parametrizations import weight_norm

        from harness_network.classifier import Classifier

        top, left = max(0, _SIDE - shape[1]), max(0, _SIDE - shape[2])
        maps = nn.Sequential(
            # Zeros would draw a grey frame around digits on black, so the border pixels are repeated.
            nn.ReplicationPad2d((left // 2, left - left // 2, top // 2, top - top // 2)),
            *_block(shape[0], 128, 128, 128),
            nn.MaxPool2d(2),
            nn.Dropout(self.dropout),
            *_block(128, 256, 256, 256),
            nn.MaxPool2d(2),
            nn.Dropout(self.dropout),
            *_layer(256, 512, kernel=3, padding=0),
            *_layer(512, 256, kernel=1, padding=0),
            *_layer(256, 128, kernel=1, padding=0),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        return Classifier(maps, weight_norm(nn.Linear(128, n_classes)), unit=self.normalise)


def _block(inputs: int, *outputs: int) -> list[Module]:
    layers: list[Module] = []
    for channels in outputs:
        layers += _layer(inputs, channels, kernel=3, padding=1)
        inputs = channels
    return layers


def _layer(inputs: int, outputs: int, *, kernel: int, padding: int) -> tuple[Module, Module, Module]:
    from torch import nn
    from torch.nn.utils.parametrizations import weight_norm

    convolution = weight_norm(nn.Conv2d(inputs, outputs, kernel, padding=padding))
    return convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1)
