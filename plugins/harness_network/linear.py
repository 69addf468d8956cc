"""Frozen features and a linear head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Lt

if TYPE_CHECKING:
    from torch.nn import Module

    from harness.plugin_api import Floats


@dataclass(frozen=True)
class LinearHead:
    """Embedding mode: the features stay as they are, only a layer on them is learnt (this project).

    For a dataset of features (``embeddings``) these are the features themselves; for images they are the pixels,
    standardised by channel as for every network. The learning schemes ``logistic``, ``knn`` and ``propagation`` fit
    exactly and leave the linear layer alone; ``supervised`` trains it by gradient descent, whose learning rate suits
    entries of about 1: ``scaling: global`` gives them without turning or bending anything.

    Formula:
        features = (x - shift) / scale, then x / |x| where ``normalise``; logits = W length features + b
        length: sqrt(d) where ``normalise``, else 1

    Attributes:
        scaling: of given features, by the pool. ``none`` leaves them as they are; ``global`` divides all by one number,
            the root of their mean square; ``standardised`` gives each dimension mean 0 and deviation 1, which lifts
            dimensions that carry noise to the height of those that carry classes: on principal components it costs
            tens of points.
        normalise: whether features have unit length.
        dropout: share of the features dropped before the linear layer in training; acquisitions such as ``bald`` need
            some.
    """

    scaling: Literal["none", "global", "standardised"] = "none"
    normalise: bool = False
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0

    result_version = 2

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """A module for inputs (C, H, W) that returns logits (B, n_classes) and features (B, C H W)."""
        from torch import nn

        from harness_network.classifier import Classifier

        size = shape[0] * shape[1] * shape[2]
        # Length sqrt(d), so that an entry is about as large as before.
        length = size**0.5 if self.normalise else 1.0
        head = nn.Linear(size, n_classes)
        return Classifier(nn.Flatten(), head, unit=self.normalise, dropout=self.dropout, length=length)

    def scale(self, features: Floats) -> tuple[Floats, Floats]:
        """What is subtracted from features (n, d) of the pool, then what divides them: (d,) float32 each."""
        shift, scale = np.zeros(features.shape[1]), np.ones(features.shape[1])
        if self.scaling == "global":
            scale *= np.sqrt((features.astype(np.float64) ** 2).mean()) or 1.0
        elif self.scaling == "standardised":
            shift, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
            scale[scale == 0] = 1
        return shift.astype(np.float32), scale.astype(np.float32)
