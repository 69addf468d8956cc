"""Semi-supervised training by label propagation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from harness_learning.supervised import Supervised

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, device
    from torch.nn import Module

    from harness.graph import Propagation
    from harness.plugin_api import Ids, TrainingSet

    Certainty = NDArray[np.float64]


@dataclass(frozen=True)
class SemiSupervised(Supervised):
    """Supervised training, then label propagation and training on all images in turns (Iscen et al. 2019; thesis 3.3).

    First as ``supervised`` with the same parameters (Algorithm 1, line 4). Then, epoch by epoch (lines 5-7): features
    of all images, their k-NN graph, labels propagated on it (thesis 3.8-3.10), and steps on batches of labelled and
    pseudo-labelled images, the latter drawn by the certainty of their label. O(n^2 d) an epoch with exact neighbours.

    Formula:
        Z = (I - alpha S)^-1 Y, Y the labels as one-hot rows; pseudo-label argmax_c z_ic
        drawn in proportion to 1 - H(z_i / sum_c z_ic) / ln c

    Attributes:
        semi_epochs: epochs on all images.
        semi_rate: learning rate at their start; 0 takes ``learning_rate``.
        semi_batch: images a step in them.
        labelled_batch: labelled images among those.
        share: an epoch ends when this share of the unlabelled images has been drawn.
        refresh: epochs between two propagations.
        sample: unlabelled images in the graph, drawn again for each propagation; 0 takes all, as the thesis does. A
            sample costs time and memory of its size instead of that of the pool.
        k: neighbours in the graph.
        gamma: exponent of similarities.
        alpha: how far labels spread.
        tol: relative residual of the solve.
        neighbours: ``exact``, or an approximate index of faiss.
        preset: ``recommended`` and ``thesis`` have the reciprocal graph and draw with replacement; the first divides
            the labels of a class by their number. ``released-code`` has the graph of all neighbours, 20 iterations,
            features of augmented images, no supervised stage, draws without replacement and weights the loss too.
    """

    semi_epochs: Annotated[int, Gt(0)] = 200  # thesis §3.5.1
    semi_rate: Annotated[float, Ge(0)] = 0.0
    semi_batch: Annotated[int, Gt(1)] = 128  # thesis §3.5.1
    labelled_batch: Annotated[int, Gt(0)] = 50  # thesis §3.5.1
    share: Annotated[float, Gt(0), Le(1)] = 0.5  # thesis §3.5.1
    refresh: Annotated[int, Gt(0)] = 1  # thesis, Algorithm 1
    sample: Annotated[int, Ge(0)] = 0
    k: Annotated[int, Gt(0)] = 50  # thesis §3.5.1
    gamma: Annotated[float, Gt(0)] = 3.0  # thesis §3.5.1
    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # thesis §3.5.1
    tol: Annotated[float, Gt(0)] = 1e-6  # Iscen et al. 2019, released code
    neighbours: Literal["exact", "hnsw", "ivf"] = "exact"

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` in place and return it; its ``report`` tells how the last propagation went."""
        from harness.active import training

        if self.preset != "released-code":
            model = super().train(model, data, rng)
        if (data.labels >= 0).all():
            return model
        device = training.device_of(model)
        images = training.tensor(data.images).to(device)
        optimiser = training.sgd(model, momentum=self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay)
        start, losses = self.semi_rate or self.learning_rate, self._losses(model, data.flip)
        with training.seeded(rng, device):
            for epoch, batch, targets, weights in self._batches(model, data, device, rng):
                model.train()
                rate = training.cosine(start, epoch, self.semi_epochs)
                training.step(optimiser, rate, (losses(images[batch], targets) * weights).mean())
        return model

    def _batches(
        self, model: Module, data: TrainingSet, device: device, rng: np.random.Generator
    ) -> Iterator[tuple[float, Tensor, Tensor, Tensor]]:
        """The epoch as a fraction, and positions, labels and weights of the loss of each batch."""
        from torch import from_numpy

        weigh = self.preset == "released-code"
        labelled = cycled(np.flatnonzero(data.labels >= 0), min(self.labelled_batch, self.semi_batch - 1), rng)
        for epoch in range(self.semi_epochs):
            if epoch % self.refresh == 0:
                labels, certainty = self.propagated(model, data, rng)
            batches = self.pseudo_batches(certainty, data, rng)
            for number, pseudo in enumerate(batches):
                batch = np.concatenate([next(labelled), pseudo])
                weights = certainty[batch] if weigh else np.ones(len(batch))
                rows, targets = (from_numpy(array).to(device) for array in (batch, labels[batch]))
                yield epoch + number / len(batches), rows, targets, from_numpy(weights.astype(np.float32)).to(device)

    def propagated(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> tuple[Ids, Certainty]:
        """Labels and their weights, of all n images, from the features that the model gives now."""
        from harness import graph
        from harness.active import training
        from harness.search import any_order

        def augmented(images: Tensor) -> Tensor:
            return training.augment(images, self.translate, self._flips(data.flip))

        released = self.preset == "released-code"
        rows = self._sampled(data, rng)
        features, _ = training.extract(model, data.images[rows], change=augmented if released else None)
        mode: Literal["union", "reciprocal"] = "union" if released else "reciprocal"
        if data.affinity is not None and self.neighbours == "exact" and len(rows) == len(data.labels) and not released:
            affinity = data.affinity(features, self.k, self.gamma, mode)
        else:
            # A pool may be stored class by class; an approximate index settles ties in its own way.
            preferred = any_order(len(features)) if self.neighbours == "exact" else None
            near = graph.neighbours(features, self.k, method=self.neighbours, preferred=preferred)
            weights = graph.affinity_from_neighbours(near.indices, near.similarities, self.gamma, mode)
            affinity = graph.normalise(weights)
        spread = graph.propagate(
            affinity, data.labels[rows], data.n_classes, alpha=self.alpha, tol=self.tol, preset=self.preset
        )
        model.report = _report(spread)  # type: ignore[assignment]
        labels, certainty = np.full(len(data.labels), -1), np.zeros(len(data.labels))
        labels[rows], certainty[rows] = spread.labels, spread.weights
        return labels, certainty

    def _sampled(self, data: TrainingSet, rng: np.random.Generator) -> Ids:
        """Positions of the images in the graph."""
        unlabelled = np.flatnonzero(data.labels < 0)
        if self.sample == 0 or self.sample >= len(unlabelled):
            return np.arange(len(data.labels))
        drawn = rng.choice(unlabelled, self.sample, replace=False)
        return np.sort(np.concatenate([np.flatnonzero(data.labels >= 0), drawn]))

    def pseudo_batches(self, certainty: Certainty, data: TrainingSet, rng: np.random.Generator) -> list[Ids]:
        """Positions of pseudo-labelled images for each step of an epoch, drawn by the certainty of their labels."""
        unlabelled = np.flatnonzero(data.labels < 0)
        size = self.semi_batch - min(self.labelled_batch, self.semi_batch - 1)
        steps = max(1, round(self.share * len(unlabelled)) // size)
        weights = certainty[unlabelled]
        if not weights.any():
            return [np.empty(0, dtype=np.int64)] * steps  # no label reaches any image: labelled images alone
        replace = self.preset != "released-code"
        count = steps * size if replace else min(steps * size, int((weights > 0).sum()))
        drawn = rng.choice(unlabelled, count, replace=replace, p=weights / weights.sum())
        return np.array_split(drawn, max(1, count // size))


def cycled(positions: Ids, size: int, rng: np.random.Generator) -> Iterator[Ids]:
    """Endless batches of ``size`` positions: all in a new order, then again."""
    waiting = np.empty(0, dtype=np.int64)
    while True:
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(positions)])
        yield waiting[:size]
        waiting = waiting[size:]


def _report(spread: Propagation) -> dict[str, float | bool]:
    return {
        "unreached": spread.unreached,
        "iterations": int(spread.report.iterations.max(initial=0)),
        "converged": spread.report.all_converged,
        "mean_weight": float(spread.weights.mean()),
    }
