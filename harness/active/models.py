"""The models of a run, and what a cycle's model says to acquisitions beyond its probabilities.

Methods can reach what is here, so it knows no label that was not asked for, and no test image. Loads torch.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn

from harness.active import training
from harness.cache import Arrays
from harness.core.errors import InvalidInput
from harness.plugin_api import LearningScheme, LinearHead, Network, RestoresModel, TrainingSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids

WEIGHT: Final = "weight "
"""What names of weights begin with among the arrays of a cycle."""


def generator(seed: int, component: str, cycle: int = 0) -> np.random.Generator:
    """The generator of one component in one cycle: none depends on how much another has drawn."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(component.encode()), cycle]))


@dataclass(frozen=True)
class Models:
    """Makes the models of a run."""

    network: Network
    learning: LearningScheme
    images: NDArray[np.uint8]
    classes: int
    seed: int
    device: torch.device

    def fresh(self) -> nn.Module:
        """The network with its random initial weights."""
        rng = generator(self.seed, "initialisation")
        return training.initialise(self.network, self.images, self.classes, rng).to(self.device)

    def restored(self, weights: Arrays) -> nn.Module:
        """The network with stored weights."""
        model, tensors = self.fresh(), {name: torch.from_numpy(value) for name, value in weights.items()}
        if isinstance(self.learning, RestoresModel):
            return self.learning.restore(model, self.images, tensors)
        model.load_state_dict(tensors)
        return model


@dataclass(frozen=True)
class Shown:
    """What a cycle's model, and others like it, say beyond its probabilities: given to acquisitions.

    Methods can reach it, so ``data`` holds the labels that were asked for and no others.
    """

    models: Models
    weights: Arrays
    data: TrainingSet
    order: Ids

    def dropout(self, t: int) -> Floats:
        """(t, n, c) of passes with dropout."""
        return self._passes(training.dropout_probabilities, t)

    def shared_dropout(self, t: int) -> Floats:
        """(t, n, c) of passes that drop the same for all examples."""
        return self._passes(training.shared_dropout_probabilities, t)

    def head(self) -> LinearHead | None:
        """The last layer, None where it is not linear."""
        return training.linear_head(self.models.restored(self.weights))

    def members(self, t: int, bootstrap: bool) -> Floats:
        """(t, n, c) of models that are trained as this one was, each from its own initial weights."""
        said = np.stack([self._member(number, bootstrap) for number in range(t)])
        if t > 1 and (said == said[0]).all():
            raise InvalidInput(
                "initial weights and order change nothing of what this learning scheme learns",
                fix="draw the labels of each member: committee: {bootstrap: true}",
            )
        return said[:, self.order]

    def _member(self, number: int, bootstrap: bool) -> Floats:
        data, cycle, models = self.data, self.data.cycle, self.models
        rng = generator(models.seed, f"member {number}", cycle)
        blind = dataclasses.replace(data, labels=np.full_like(data.labels, -1), cycle=0, previous=None)
        model = training.initialise(models.network, models.images, models.classes, rng).to(models.device)
        prepared = models.learning.prepare(model, blind, rng)
        if prepared:
            model = training.initialise(models.network, models.images, models.classes, rng).to(models.device)
            model.load_state_dict(dict(prepared), strict=False)
        if bootstrap:
            known = np.flatnonzero(data.labels >= 0)
            labels = np.full_like(data.labels, -1)
            drawn = rng.choice(known, len(known))  # a label drawn twice counts once
            labels[drawn] = data.labels[drawn]
            data = dataclasses.replace(data, labels=labels)
        return training.extract(models.learning.train(model, data, rng), models.images)[1]

    def _passes(self, passes_of: Callable[..., Floats], t: int) -> Floats:
        rng = generator(self.models.seed, "dropout", self.data.cycle)
        passes = passes_of(self.models.restored(self.weights), self.models.images, t, rng)
        if t > 1 and (passes == passes[0]).all():
            has = getattr(self.models.network, "dropout", 0)  # a scheme with a head of its own leaves it out
            fix = "learning: supervised, which trains with it" if has else "dropout above 0 of the network"
            raise InvalidInput("dropout changes no prediction of this model", fix=fix)
        return passes[:, self.order]


def weights_of(arrays: Arrays) -> Arrays:
    """What is stored of a cycle's model, without what else is stored of the cycle."""
    return {k.removeprefix(WEIGHT): v for k, v in arrays.items() if k.startswith(WEIGHT)}
