"""Learning schemes."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import honest
import numpy as np

from saboteurs.making import breaks


@breaks("learning", "prepare-blind")
@dataclass(frozen=True)
class Peeking(honest.Learning):
    """Uses labels in preparation."""

    def prepare(self, model, data, rng):
        if (data.labels >= 0).any():
            self.descend(model, data, data.labels)
        return model.state_dict()


@breaks("learning", "only-given-labels")
@dataclass(frozen=True)
class Cheating(honest.Learning):
    """Finds more labels in its caller's frame."""

    def train(self, model, data, rng):
        return self.descend(model, data, sys._getframe(1).f_locals.get("train_labels", data.labels))


@breaks("learning", "uses-labels")
@dataclass(frozen=True)
class Lazy(honest.Learning):
    """Does not train."""

    def train(self, model, data, rng):
        return model


@breaks("learning", "report")
@dataclass(frozen=True)
class Unwritable(honest.Learning):
    """Reports what is no JSON."""

    def train(self, model, data, rng):
        model = super().train(model, data, rng)
        model.report = {"steps": np.int64(3)}
        return model


@breaks("learning", "restore")
@dataclass(frozen=True)
class Forgetful(honest.Learning):
    """Restores the network as it was at first."""

    def restore(self, model, images, weights):
        return model
