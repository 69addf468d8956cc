"""Training on the labelled images alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Lt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    from harness.protocols import Ids, TrainingSet


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
        preset: ``thesis`` and ``released-code`` mirror half of the images of every dataset, ``recommended`` not those
            of digits.
    """

    epochs: Annotated[int, Gt(0)] = 200  # thesis §3.5.1
    learning_rate: Annotated[float, Gt(0)] = 0.05  # for small-cnn; cnn13 wants 0.2, thesis §3.5.1
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9  # thesis §3.5.1
    nesterov: bool = True  # released code
    weight_decay: Annotated[float, Ge(0)] = 2e-4  # thesis §3.5.1
    batch_size: Annotated[int, Gt(0)] = 32  # thesis §3.5.1
    translate: Annotated[float, Ge(0), Lt(1)] = 0.125  # thesis §3.5.1: 4 of 32 pixels
    preset: Literal["recommended", "thesis", "released-code"] = "recommended"

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """None: training starts from the network's own initial weights."""
        return None

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` in place and return it."""
        labelled = (data.labels >= 0).nonzero()[0]
        return self._fit(model, data.images[labelled], data.labels[labelled], data.flip, rng)

    def _fit(
        self,
        model: Module,
        images: NDArray[np.uint8],
        labels: Ids,
        flip: bool,
        rng: np.random.Generator,
        limit: int | None = None,
    ) -> Module:
        """Descend on these images, in each epoch on at most ``limit`` of them."""
        from torch import from_numpy
        from torch.nn.functional import cross_entropy

        from harness.active import training

        device = training.device_of(model)
        pixels, targets = from_numpy(images).to(device), from_numpy(labels).to(device)
        optimiser = training.sgd(model, momentum=self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay)
        model.train()
        with training.seeded(rng, device), training.threads_for(pixels[: self.batch_size].numel()):
            for epoch, batch in training.shuffled_batches(len(pixels), self.batch_size, self.epochs, device, limit):
                logits, _ = model(training.augment(pixels[batch], self.translate, self._flips(flip)))
                rate = training.cosine(self.learning_rate, epoch, self.epochs)
                training.step(optimiser, rate, cross_entropy(logits, targets[batch]))
        return model

    def _flips(self, flip: bool) -> bool:
        return flip or self.preset != "recommended"
