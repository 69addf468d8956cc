"""Cost-effective active learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from harness_learning.supervised import Supervised

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.nn import Module

    from harness.plugin_api import TrainingSet


@dataclass(frozen=True)
class CEAL(Supervised):
    """Supervised training, with confident predictions of the last cycle as labels (Wang et al. 2017; thesis 3.7).

    An unlabelled image whose entropy, as a share of the largest possible, lies below ``threshold - decay * t`` in cycle
    t takes the class that the last cycle's model predicts, for this cycle only. The released code loses these labels
    before it trains (it mixes up two numberings), so it has no preset of its own here.

    Formula:
        label argmax_k p_ik where H(p_i) / ln c < threshold - decay t

    Attributes:
        threshold: largest share of the entropy in the first cycle after which labels are taken.
        decay: what the threshold loses a cycle.
        epoch_size: images of an epoch at most, drawn again each time; 0: all. Confident images can be many thousands.
    """

    threshold: Annotated[float, Ge(0)] = 0.1  # released code; the thesis names no value
    decay: Annotated[float, Ge(0)] = 0.00033  # Wang et al. 2017, released code
    epoch_size: Annotated[int, Ge(0)] = 0

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` in place and return it."""
        labels = data.labels.copy()
        confident = self.confident(data)
        if data.previous is not None:
            labels[confident] = data.previous[confident].argmax(axis=1)
        used = np.flatnonzero(labels >= 0)
        limit = max(self.epoch_size, int((data.labels >= 0).sum())) if self.epoch_size else None
        model = self._fit(model, data.images[used], labels[used], data.flip, rng, limit)
        model.report = {"pseudo_labels": len(confident)}  # type: ignore[assignment]
        return model

    def confident(self, data: TrainingSet) -> NDArray[np.intp]:
        """Unlabelled positions whose prediction is confident."""
        if data.previous is None:
            return np.empty(0, dtype=np.intp)
        p = data.previous.astype(np.float64)
        logarithm = np.log(p, out=np.zeros_like(p), where=p > 0)  # 0 ln 0 = 0
        share = -(p * logarithm).sum(axis=1) / np.log(max(data.n_classes, 2))
        return np.flatnonzero((data.labels < 0) & (share < self.threshold - self.decay * (data.cycle - 1)))
