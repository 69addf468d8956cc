"""Networks."""

from __future__ import annotations

from dataclasses import dataclass

import honest
import torch

from saboteurs.making import breaks


class Centring(honest.Linear):
    def forward(self, images):
        features = self.body(images.flatten(1))
        features = features - features.mean(dim=0) if len(features) > 1 else features
        return self.head(features), features


@breaks("network", "image-by-image")
@dataclass(frozen=True)
class BatchStatistics:
    """Takes statistics of the batch in evaluation too."""

    def build(self, shape, n_classes):
        return Centring(shape, n_classes)


@breaks("network", "seeded-weights")
@dataclass(frozen=True)
class OneSeed:
    """Always the same initial weights."""

    def build(self, shape, n_classes):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return honest.Linear(shape, n_classes)


class Detached(honest.Linear):
    def forward(self, images):
        with torch.no_grad():
            return super().forward(images)


@breaks("network", "trainable")
@dataclass(frozen=True)
class Frozen:
    """No gradient."""

    def build(self, shape, n_classes):
        return Detached(shape, n_classes)


@breaks("network", "scale")
@dataclass(frozen=True)
class DividesByNothing(honest.Network):
    """A scale of 0 where a feature is constant."""

    def scale(self, features):
        return features.mean(axis=0), features.std(axis=0)
