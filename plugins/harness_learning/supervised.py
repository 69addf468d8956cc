"""Training on the labelled images alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Lt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api import Ids, TrainingSet


@dataclass(frozen=True)
class Supervised:
    """Stochastic gradient descent on the labelled images alone (thesis §3.5.1, Algorithm 1 line 4).

    Fewer labelled images than ``batch_size`` make a batch of all of them.

    Formula:
        minimise -mean_(i in L) ln p_i,y_i by gradient descent with momentum
        rate at epoch e: learning_rate (1 + cos(pi e / (1.05 epochs))) / 2

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
        bf16: whether the products of the forward pass are in bfloat16. Meant for CUDA, where it is not measured yet; on
            a CPU without such units it is slower for ``cnn13``.
        compiled: whether the model is compiled first (``torch.compile``): a minute or more, and on a CPU slower
            afterwards too. Not measured on CUDA yet.
    """

    epochs: Annotated[int, Gt(0)] = 200  # thesis §3.5.1
    learning_rate: Annotated[float, Gt(0)] = 0.05  # for small-cnn; cnn13 wants 0.2, thesis §3.5.1
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9  # thesis §3.5.1
    nesterov: bool = True  # released code
    weight_decay: Annotated[float, Ge(0)] = 2e-4  # thesis §3.5.1
    batch_size: Annotated[int, Gt(0)] = 32  # thesis §3.5.1
    translate: Annotated[float, Ge(0), Lt(1)] = 0.125  # thesis §3.5.1: 4 of 32 pixels
    preset: Literal["recommended", "thesis", "released-code"] = "recommended"
    bf16: bool = False
    compiled: bool = False

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
        for _ in self._epochs(model, images, labels, flip, rng, limit):
            pass
        return model

    def _epochs(
        self,
        model: Module,
        images: NDArray[np.uint8],
        labels: Ids,
        flip: bool,
        rng: np.random.Generator,
        limit: int | None = None,
    ) -> Iterator[int]:
        """As ``_fit``; yields the number of each epoch after it."""
        from torch import from_numpy

        from harness.active import training

        device = training.device_of(model)
        pixels, targets = from_numpy(images).to(device), from_numpy(labels).to(device)
        optimiser = training.sgd(model, momentum=self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay)
        losses = self._losses(model, flip)
        model.train()
        with training.seeded(rng, device):
            done = 0
            for epoch, batch in training.shuffled_batches(len(pixels), self.batch_size, self.epochs, device, limit):
                if int(epoch) > done:
                    yield done
                    done = int(epoch)
                rate = training.cosine(self.learning_rate, epoch, self.epochs)
                training.step(optimiser, rate, losses(pixels[batch], targets[batch]).mean())
            yield done

    def _losses(self, model: Module, flip: bool) -> Callable[[Tensor, Tensor], Tensor]:
        """Cross-entropy (B,) of a batch of images, augmented, and their labels; as precise and compiled as asked."""
        from torch.nn.functional import cross_entropy

        from harness.active import training

        network, flips = training.compiled(model, self.compiled), self._flips(flip)

        def losses(images: Tensor, targets: Tensor) -> Tensor:
            shown = training.augment(images, self.translate, flips)
            with training.precision(model, self.bf16):
                logits, _ = network(shown)
            return cross_entropy(logits.float(), targets, reduction="none")

        return losses

    def _flips(self, flip: bool) -> bool:
        return flip or self.preset != "recommended"
