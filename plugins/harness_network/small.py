"""A small network for small images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from torch.nn import Module

_SMALLEST = 4


@dataclass(frozen=True)
class SmallCNN:
    """Three convolutions for small images (8 to 64 pixels), trained by a CPU in a second (this project).

    The features are the largest activations in each quarter of the last map. The mean over the whole map, as larger
    networks have it, forgets where strokes lie: that costs 10 points on MNIST with 10 to 30 labels.

    Formula:
        conv 3x3 (w) - max 2x2 - conv 3x3 (2w) - max 2x2 - conv 3x3 (w) - max over quarters: features (4w)
        logits = linear(dropout(features)); each conv with batch normalisation and ReLU

    Attributes:
        width: channels of the first convolution; there are ``4 * width`` features.
        dropout: share of the features dropped before the linear head in training.
        normalise: whether features have unit length.
    """

    width: Annotated[int, Gt(0)] = 16
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.25
    normalise: bool = False

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """A module for images (C, H, W) that returns logits (B, n_classes) and features (B, 4 * width).

        Raises:
            InvalidInput: images of less than 4 x 4 pixels.
        """
        from torch import nn

        from harness_network.classifier import Classifier
        from harness_network.quarters import LargestOfQuarters

        if min(shape[1:]) < _SMALLEST:
            raise InvalidInput(
                f"small-cnn needs images of at least {_SMALLEST} x {_SMALLEST} pixels, not {shape[1:]}",
                fix="network: linear-head, where the data are features",
            )
        maps = nn.Sequential(
            *_block(shape[0], self.width),
            nn.MaxPool2d(2),
            *_block(self.width, 2 * self.width),
            nn.MaxPool2d(2),
            *_block(2 * self.width, self.width),
            LargestOfQuarters(),
        )
        head = nn.Linear(4 * self.width, n_classes)
        return Classifier(maps, head, unit=self.normalise, dropout=self.dropout)


def _block(inputs: int, outputs: int) -> tuple[Module, Module, Module]:
    from torch import nn

    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
