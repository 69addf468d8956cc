"""FlexMatch: pseudo-labels with a threshold for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from harness.core.errors import InvalidInput
from harness_learning.label_propagation import cycled

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Module

    from harness.plugin_api import TrainingSet


class _Defaults(NamedTuple):
    """What ``auto`` stands for."""

    mu: int
    ema: float
    rising: bool


_PRESETS: Final = {
    "recommended": _Defaults(7, 0.999, True),
    "paper": _Defaults(7, 0.999, False),  # Zhang et al. 2021
    "released-code": _Defaults(5, 0.0, False),  # LabelBench
}


@dataclass(frozen=True)
class FlexMatch:
    """Predictions on shifted images label distorted ones, from a threshold of their class on (Zhang et al. 2021).

    Classes that are learnt less have a lower threshold. Each step takes ``batch_size`` labelled images and ``mu`` times
    as many unlabelled ones; an epoch is a pass over the unlabelled ones, or over the labelled ones where these make
    more steps. Weak augmentation is that of ``supervised``,
    mirrored where a mirrored image keeps its label; strong is weak, two operations of RandAugment and a square cut out.
    For images only: features cannot be augmented. A step has 1 + ``mu`` parts of ``batch_size`` images with gradient,
    8 steps of ``supervised``, and ``mu`` without: for small networks and images of at most 32 pixels.

    Formula:
        minimise mean_(i in B) -ln p_i,y_i + mean_(j in U_B) m_j (-ln s_j,g_j)
        g_j = argmax_k q_jk, m_j = 1 where q_j,g_j >= threshold b_g_j / (2 - b_g_j), else 0
        b_c = n_c / max(n_0 ... n_C, n_none); n_c unlabelled images whose last q_jc >= threshold, n_none the others
        p, q of weakly, s of strongly augmented images; q has no gradient

    Attributes:
        epochs: passes over the unlabelled images, or over the labelled ones where these make more steps.
        learning_rate: at the start; it follows half a cosine.
        momentum: of the gradient, which looks ahead.
        weight_decay: of all weights.
        batch_size: labelled images a step; of fewer labels some are taken again.
        translate: largest random shift of an image as a share of its side.
        mu: unlabelled images a step as a multiple of the labelled ones; ``auto``: as the preset says.
        threshold: probability from which on a prediction counts for its class.
        ema: decay of the average of the weights that predicts in the end; 0: the last weights; ``auto``: as the preset
            says.
        preset: ``paper`` has mu 7 and ema 0.999. ``recommended`` lets the decay rise to that, min(ema, (1 + t) /
            (10 + t)) at step t: a short training must forget its initial weights. ``released-code`` is LabelBench with
            mu 5 (3 on some sets) and no average.
    """

    epochs: Annotated[int, Gt(0)] = 200
    learning_rate: Annotated[float, Gt(0)] = 0.03  # Zhang et al. 2021
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9  # Zhang et al. 2021
    weight_decay: Annotated[float, Ge(0)] = 5e-4  # Zhang et al. 2021
    batch_size: Annotated[int, Gt(0)] = 32  # as supervised; Zhang et al. 2021: 64
    translate: Annotated[float, Ge(0), Lt(1)] = 0.125  # Zhang et al. 2021
    mu: Literal["auto"] | Annotated[int, Gt(0)] = "auto"
    threshold: Annotated[float, Gt(0), Le(1)] = 0.95  # Zhang et al. 2021
    ema: Literal["auto"] | Annotated[float, Ge(0), Lt(1)] = "auto"
    preset: Literal["recommended", "paper", "released-code"] = "recommended"

    needs_images: ClassVar[bool] = True

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """None: training starts from the network's own initial weights."""
        return None

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` in place and return it; its ``report`` tells how many pseudo-labels there are in the end.

        Raises:
            InvalidInput: features instead of images.
        """
        import torch

        from harness.active import training
        from harness_learning.distortions import distorted

        if data.images.dtype != np.uint8:
            raise InvalidInput("flexmatch augments images, these are features", fix="learning: propagation")
        place = training.device_of(model)
        images, labels = training.tensor(data.images).to(place), torch.from_numpy(data.labels).to(place)
        others = torch.from_numpy(np.flatnonzero(data.labels < 0)).to(place)
        pseudo = PseudoLabels(torch.full_like(others, -1), data.n_classes, self.threshold)
        optimiser = training.sgd(model, momentum=self.momentum, nesterov=True, weight_decay=self.weight_decay)
        average, mask = Average(model, *self._decay), torch.zeros(0, device=place)
        model.train()
        with training.seeded(rng, place):
            for epoch, labelled, batch in self._batches(data, place, rng):
                shown = images[others[batch]]
                weak = training.augment(shown, self.translate, data.flip)
                with torch.no_grad():
                    guesses, mask = pseudo.taken(batch, _logits(model, weak).softmax(1))
                strong = distorted(training.augment(shown, self.translate, data.flip))
                own = training.augment(images[labelled], self.translate, data.flip).float()
                logits = _logits(model, torch.cat([own, strong]))
                rate = training.cosine(self.learning_rate, epoch, self.epochs)
                training.step(optimiser, rate, loss(logits, labels[labelled], guesses, mask))
                average.update()
        average.finish()
        model.report = {  # type: ignore[assignment]
            "pseudo_labels": int((pseudo.sure >= 0).sum()),
            "last_mask": float(mask.mean()) if len(mask) else None,
        }
        return model

    @property
    def _decay(self) -> tuple[float, bool]:
        own = _PRESETS[self.preset]
        return own.ema if self.ema == "auto" else self.ema, own.rising

    def _batches(
        self, data: TrainingSet, place: device, rng: np.random.Generator
    ) -> Iterator[tuple[float, Tensor, Tensor]]:
        """The epoch as a fraction, positions of labelled images, and places among the unlabelled ones."""
        from torch import from_numpy

        from harness.active import training

        mu = _PRESETS[self.preset].mu if self.mu == "auto" else self.mu
        known = np.flatnonzero(data.labels >= 0)
        n, size = len(data.labels) - len(known), mu * self.batch_size
        labelled = cycled(known, self.batch_size, rng)
        if n and len(known) // self.batch_size <= max(n // size, 1):
            for epoch, batch in training.shuffled_batches(n, size, self.epochs, place):
                yield epoch, from_numpy(next(labelled)).to(place), batch
            return
        # A few unlabelled images are not the measure: the last ones to lose would end the training early.
        others = cycled(np.arange(n), min(n, size), rng)
        for epoch, _ in training.shuffled_batches(len(known), self.batch_size, self.epochs, place):
            yield epoch, from_numpy(next(labelled)).to(place), from_numpy(next(others)).to(place)


@dataclass
class PseudoLabels:
    """The last sure prediction of each unlabelled image, and the thresholds that follow from them.

    Attributes:
        sure: (n,) int64, -1 where there was none.
        n_classes: number of classes.
        threshold: of the probability of a sure one.
    """

    sure: Tensor
    n_classes: int
    threshold: float

    @property
    def limits(self) -> Tensor:
        """(c,) float64: from which probability on predictions of each class are learnt."""
        counts = (self.sure + 1).bincount(minlength=self.n_classes + 1).double()
        share = counts[1:] / counts.max().clamp_min(1)
        return self.threshold * share / (2 - share)

    def taken(self, places: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """Classes of a batch (B,) int64 and 1 where they are learnt, else 0, (B,) float32; sure ones are remembered.

        Args:
            places: (B,) which images these are.
            probabilities: (B, c) of them.
        """
        top, classes = probabilities.double().max(1)
        mask = (top >= self.limits[classes]).float()
        sure = top >= self.threshold
        self.sure[places[sure]] = classes[sure]
        return classes, mask


def loss(logits: Tensor, labels: Tensor, guesses: Tensor, mask: Tensor) -> Tensor:
    """Mean loss of labelled images plus that of unlabelled ones, of which the mask counts.

    Args:
        logits: (l + B, c), of labelled images first.
        labels: (l,) int64.
        guesses: (B,) int64.
        mask: (B,) float32.
    """
    from torch.nn.functional import cross_entropy

    own, others = logits[: len(labels)], logits[len(labels) :]
    total = cross_entropy(own, labels)
    return total + (mask * cross_entropy(others, guesses, reduction="none")).mean() if len(guesses) else total


class Average:
    """A moving average of all weights and running statistics of a model.

    Args:
        model: whose.
        decay: what the average keeps of itself a step; 0: there is none.
        rising: whether the decay begins low.
    """

    def __init__(self, model: Module, decay: float, rising: bool) -> None:
        self._weights = [value for value in model.state_dict().values() if value.is_floating_point()]
        self._means = [value.clone() for value in self._weights]
        self._decay, self._rising, self._steps = decay, rising, 0

    def update(self) -> None:
        """After a step."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps)) if self._rising else self._decay
        for mean, value in zip(self._means, self._weights, strict=True):
            mean.lerp_(value, 1 - decay)

    def finish(self) -> None:
        """Give the model its average."""
        for mean, value in zip(self._means, self._weights, strict=True):
            value.copy_(mean)


def _logits(model: Module, images: Tensor) -> Tensor:
    from harness.active import training

    if not len(images):  # normalisation over a batch needs some
        return images.new_zeros(0, 1).float()
    with training.precision(model, False):
        logits: Tensor = model(images)[0]
    return logits.float()
