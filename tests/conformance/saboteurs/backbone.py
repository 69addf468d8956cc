"""Backbones."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import honest
import torch

from harness.core.errors import DataDamaged
from saboteurs.making import breaks


@breaks("backbone", "non-negative")
@dataclass(frozen=True)
class Shifted(honest.Backbone):
    """Without the ReLU."""

    def maps(self, image):
        return super().maps(image) - 0.5


@breaks("backbone", "stride")
@dataclass(frozen=True)
class Miscounted(honest.Backbone):
    """Says half of its stride."""

    stride: ClassVar[int] = 4


@breaks("backbone", "same-channels")
@dataclass(frozen=True)
class Adaptive(honest.Backbone):
    """More maps of tall images."""

    def maps(self, image):
        maps = super().maps(image)
        return torch.cat([maps, maps]) if image.shape[1] > 100 else maps


@breaks("backbone", "memory-order")
@dataclass(frozen=True)
class Flat(honest.Backbone):
    """Reads the memory as it lies there."""

    def maps(self, image):
        return super().maps(image.view(-1).view(image.shape))


@breaks("backbone", "module: another network")
@dataclass(frozen=True)
class Unrelated(honest.Trainable):
    """Another network than that of its maps."""

    def maps(self, image):
        return 2 * super().maps(image)


@functools.cache
def shared(weights):
    return honest.Trainable(weights).module()


@breaks("backbone", "module: one for all")
@dataclass(frozen=True)
class Shared(honest.Trainable):
    """Hands out the network that it describes with."""

    def module(self):
        return shared(self.weights)

    def maps(self, image):
        return self.module()(image[None])[0]


@breaks("backbone", "checkpoint")
@dataclass(frozen=True)
class Emptied(honest.Trainable):
    """Writes zeros."""

    def checkpoint(self, module):
        return {"state": {name: torch.zeros_like(value) for name, value in module.state_dict().items()}}


@breaks("backbone", "checkpoint: unreadable")
@dataclass(frozen=True)
class Unreadable(honest.Trainable):
    """Does not read what it writes."""

    def module(self):
        if self.weights:
            raise DataDamaged("not one of mine")
        return super().module()


@breaks("backbone", "maps-batch")
@dataclass(frozen=True)
class FirstOfSeveral(honest.Backbone):
    """Says of each image of a batch what it says of the first."""

    def maps_batch(self, images):
        return torch.stack([self.maps(images[0]) for _ in images])


@breaks("backbone", "signed")
@dataclass(frozen=True)
class Undecided(honest.Backbone):
    """Signed at times."""

    signed: ClassVar[str] = "at times"
