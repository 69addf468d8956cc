"""A classification network for vision-evaluation-harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class MyMethod:
    """A perceptron of one hidden layer (say here who invented it, and when).

    Formula:
        features = max(0, W x + b); logits = V features + c

    Attributes:
        width: units of the hidden layer, which are the features.
    """

    width: Annotated[int, Gt(0)] = 64

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """Make the network; its initial weights come from torch's global generator, which the caller has seeded.

        Args:
            shape: (C, H, W) of the images.
            n_classes: number of classes c.

        Returns:
            A module whose ``forward(images (B, C, H, W) float32)`` gives ``(logits (B, c), features (B, d))``.
        """
        from torch import Tensor, nn

        class Network(nn.Module):
            def __init__(self, inputs: int, width: int) -> None:
                super().__init__()
                self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.ReLU())
                self.head = nn.Linear(width, n_classes)

            def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
                features = self.hidden(images)
                return self.head(features), features

        return Network(shape[0] * shape[1] * shape[2], self.width)
