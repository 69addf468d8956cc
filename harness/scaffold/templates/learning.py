"""A learning scheme for vision-evaluation-harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api import TrainingSet


@dataclass(frozen=True)
class MyMethod:
    """Training on the labelled images with smoothed labels (say here who invented it, and when).

    Formula:
        loss = cross entropy of the prediction with (1 - smoothing) onehot(label) + smoothing / c

    Attributes:
        epochs: passes over the labelled images.
        learning_rate: at the start; it follows half a cosine.
        smoothing: share of a label that is spread over all classes.
        batch_size: images a step.
    """

    epochs: Annotated[int, Gt(0)] = 100
    learning_rate: Annotated[float, Gt(0)] = 0.05
    smoothing: Annotated[float, Ge(0), Lt(1)] = 0.1
    batch_size: Annotated[int, Gt(0)] = 32

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """Learn initial weights without labels, once per dataset and seed: a state dict, or None for the network's."""
        return None

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train a model in place.

        Args:
            model: takes images (B, C, H, W) as they are in ``data``; returns ``(logits (B, c), features (B, d))``.
            data: ``images`` (n, C, H, W) uint8; ``labels`` (n,) int64, -1 where not labelled; ``n_classes``; ``flip``;
                ``cycle``; ``previous`` (n, c) float32 probabilities by the model of the cycle before, or None.
            rng: the only source of randomness that is allowed.

        Returns:
            The model.
        """
        import torch
        from torch.nn.functional import cross_entropy

        from harness.active import training

        labelled, device = np.flatnonzero(data.labels >= 0), training.device_of(model)
        images = torch.from_numpy(data.images[labelled]).to(device)
        labels = torch.from_numpy(data.labels[labelled]).to(device)
        optimiser = training.sgd(model, momentum=0.9, nesterov=True, weight_decay=2e-4)
        model.train()
        # Inside, torch's own randomness (dropout, order of the batches) follows the generator that was passed in.
        with training.seeded(rng, device):
            for epoch, batch in training.shuffled_batches(len(images), self.batch_size, self.epochs, device):
                logits, _ = model(images[batch])
                loss = cross_entropy(logits, labels[batch], label_smoothing=self.smoothing)
                training.step(optimiser, training.cosine(self.learning_rate, epoch, self.epochs), loss)
        return model
