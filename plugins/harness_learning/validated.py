"""Supervised training that holds out a part of its labels."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt, Lt

from harness_learning.supervised import Supervised

if TYPE_CHECKING:
    from torch.nn import Module

    from harness.plugin_api import Ids, TrainingSet

_LEAST = 4
"""Labels below which nothing is held out."""


@dataclass(frozen=True)
class Validated(Supervised):
    """Supervised training, stopped early and with a learning rate chosen on held-out labels (Luth et al. 2023).

    A share of the labels of each cycle is held out, drawn anew from as many classes as it can: they are paid for like
    the others, and no other label is looked at. Each rate is tried; the model is that of the rate and epoch with the
    least loss on them, of equal ones the first. Each class keeps a label at least: with fewer than four labels, or one
    a class, none is held out, and it is ``supervised``.

    Formula:
        argmin over rates and epochs of mean_(i held out) -ln p_i,y_i; each as supervised on the other labels

    Attributes:
        validation: share of the labels that is held out, at least one.
        patience: epochs without a smaller loss after which a rate is given up.
        rates: learning rates to try; empty: ``learning_rate`` alone.
    """

    validation: Annotated[float, Gt(0), Lt(1)] = 0.2
    patience: Annotated[int, Gt(0)] = 20
    rates: tuple[Annotated[float, Gt(0)], ...] = (0.01, 0.05, 0.2)

    result_version = 2

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` in place and return it; its ``report`` tells rate, epoch and loss of what was chosen."""
        labelled = np.flatnonzero(data.labels >= 0)
        own = data.labels[labelled]
        if len(labelled) < _LEAST or np.bincount(own).max() < 2:
            return super().train(model, data, rng)
        held = held_out(own, self.validation, rng)
        rest, out = labelled[~held], labelled[held]
        start, best = copy.deepcopy(model.state_dict()), copy.deepcopy(model.state_dict())
        least, chosen = np.inf, (self.learning_rate, 0)
        for rate in self.rates or (self.learning_rate,):
            model.load_state_dict(start)
            own_least, own_epoch = np.inf, 0
            epochs = replace(self, learning_rate=rate)._epochs(
                model, data.images[rest], data.labels[rest], data.flip, rng
            )
            for epoch in epochs:
                loss = _loss(model, data, out)
                model.train()
                if loss < own_least:
                    own_least, own_epoch = loss, epoch
                if loss < least:
                    least, chosen, best = loss, (rate, epoch), copy.deepcopy(model.state_dict())
                if epoch - own_epoch >= self.patience:
                    break
            epochs.close()  # type: ignore[attr-defined]
        model.load_state_dict(best)
        model.report = {  # type: ignore[assignment]
            "learning_rate": chosen[0],
            "epoch": chosen[1],
            "held_out": len(out),
            "validation_loss": float(least) if np.isfinite(least) else None,
        }
        return model


def held_out(labels: Ids, share: float, rng: np.random.Generator) -> np.ndarray:
    """Mask (l,) of the labels held out: class after class in turn, the larger ones first; one of each stays."""
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), dtype=np.int64)
    for k in np.unique(labels):
        members = order[labels[order] == k]
        turn[members] = np.arange(len(members))
    sizes = np.bincount(labels)[labels]
    ranked = order[np.lexsort((-sizes[order], turn[order]))]
    # The last label of a class stays: without it the model would learn nothing of the class.
    ranked = ranked[turn[ranked] < sizes[ranked] - 1]
    mask = np.zeros(len(labels), dtype=bool)
    mask[ranked[: max(1, round(share * len(labels)))]] = True
    return mask


def _loss(model: Module, data: TrainingSet, rows: Ids) -> float:
    """Mean of -ln p on these labels; infinite where the model diverged."""
    from harness.active import training

    p = training.extract(model, data.images[rows])[1][np.arange(len(rows)), data.labels[rows]].astype(np.float64)
    return float(-np.log(np.maximum(p, 1e-30)).mean()) if np.isfinite(p).all() else np.inf
