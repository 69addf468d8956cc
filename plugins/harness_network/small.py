"""A small network for small images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class SmallCNN:
    """Three convolutions for images of 8 to 32 pixels; features are the global average of the last map.

    Attributes:
        width: channels of the first convolution; the second has twice, the third (the features) four times as many.
        dropout: share of the features dropped before the linear head in training.
        normalise: whether features have unit length.
    """

    width: Annotated[int, Gt(0)] = 16
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.25
    normalise: bool = False

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """A module for images (C, H, W) that returns logits (B, n_classes) and features (B, 4 * width)."""
        from torch import Tensor, nn
        from torch.nn.functional import normalize

        def block(inputs: int, outputs: int) -> nn.Sequential:
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))

        class Network(nn.Module):
            def __init__(self, width: int, dropout: float, unit: bool) -> None:
                super().__init__()
                self.unit = unit
                self.maps = nn.Sequential(
                    block(shape[0], width),
                    nn.MaxPool2d(2),
                    block(width, 2 * width),
                    nn.MaxPool2d(2),
                    block(2 * width, 4 * width),
                )
                self.dropout = nn.Dropout(dropout)
                self.head = nn.Linear(4 * width, n_classes)

            def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
                features = self.maps(images).mean((-2, -1))
                if self.unit:
                    features = normalize(features)
                return self.head(self.dropout(features)), features

        return Network(self.width, self.dropout, self.normalise)
