"""Frozen features and a linear head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class LinearHead:
    """Embedding mode: the features stay as they are, only a linear layer on them is trained (this project).

    For a dataset of features (``embeddings``) these are the features themselves, each dimension standardised; for
    images they are the pixels. A cycle costs seconds with 50,000 examples, so that many acquisitions, cycles and seeds
    can be compared on a CPU.

    Formula:
        features = x / |x|; logits = W sqrt(d) features + b

    Attributes:
        normalise: whether features have unit length.
    """

    normalise: bool = True

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """A module for inputs (C, H, W) that returns logits (B, n_classes) and features (B, C H W)."""
        from torch import nn

        from harness_network.classifier import Classifier

        size = shape[0] * shape[1] * shape[2]
        # Length sqrt(d), so that an entry is about as large as before.
        length = size**0.5 if self.normalise else 1.0
        return Classifier(nn.Flatten(), nn.Linear(size, n_classes), unit=self.normalise, length=length)
