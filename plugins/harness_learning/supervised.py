"""Training on the labelled images alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.nn import Module

    from harness.protocols import TrainingSet


@dataclass(frozen=True)
class Supervised:
    """Stochastic gradient descent on the labelled images alone (thesis §3.5.1, Algorithm 1 line 4).

    Fewer labelled images than ``batch_size`` make a batch of all of them.

    Attributes:
        epochs: passes over the labelled images.
        learning_rate: at the start; it follows half a cosine. The thesis has 0.2 for ``cnn13``, whose features have
            unit length; ``small-cnn`` is unstable there.
        momentum: of the gradient.
        nesterov: whether the momentum looks ahead.
        weight_decay: of all weights.
        batch_size: images a step.
        translate: largest random shift of an image as a share of its side.
    """

    epochs: Annotated[int, Gt(0)] = 200  # thesis §3.5.1
    learning_rate: Annotated[float, Gt(0)] = 0.05  # for small-cnn; cnn13 wants 0.2, thesis §3.5.1
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9  # thesis §3.5.1
    nesterov: bool = True  # released code
    weight_decay: Annotated[float, Ge(0)] = 2e-4  # thesis §3.5.1
    batch_size: Annotated[int, Gt(0)] = 32  # thesis §3.5.1
    translate: Annotated[float, Ge(0), Lt(1)] = 0.125  # thesis §3.5.1: 4 of 32 pixels

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """None: training starts from the network's own initial weights."""
        return None

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` in place and return it."""
        from torch import from_numpy
        from torch.nn.functional import cross_entropy

        from harness.active import training

        device = training.device_of(model)
        labelled = (data.labels >= 0).nonzero()[0]
        images = from_numpy(data.images[labelled]).to(device)
        labels = from_numpy(data.labels[labelled]).to(device)
        optimiser = training.sgd(model, momentum=self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay)
        model.train()
        values = images[: self.batch_size].numel()
        with training.seeded(rng, device), training.threads_for(values):
            for epoch, batch in training.shuffled_batches(len(labelled), self.batch_size, self.epochs, device):
                logits, _ = model(training.augment(images[batch], self.translate, data.flip))
                rate = training.cosine(self.learning_rate, epoch, self.epochs)
                training.step(optimiser, rate, cross_entropy(logits, labels[batch]))
        return model
