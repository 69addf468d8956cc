"""Nearest labelled neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api import TrainingSet


@dataclass(frozen=True)
class NearestNeighbours:
    """The classes of the ``k`` most similar labelled examples, on features at unit length (Cover and Hart 1967).

    Weights and defaults are those of the evaluation of DINO (Caron et al. 2021). Nothing is trained: the network is
    left as it is, and the same labels always give the same answer. Where examples are stored does not decide which of
    equally near ones count. O(l d) time for an example, with l labels.

    Formula:
        p_ic proportional to sum over the k nearest labelled j with y_j = c of exp(z_i . z_j / temperature)

    Attributes:
        k: neighbours; all labels where there are fewer.
        temperature: of the weights.
    """

    result_version = 2

    k: Annotated[int, Gt(0)] = 20  # Caron et al. 2021, table 2
    temperature: Annotated[float, Gt(0)] = 0.07  # Caron et al. 2021, released code

    linear_head = False

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """None: the network is left as it is."""
        return None

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """``model`` with the labelled examples in place of its linear layer."""
        from torch import from_numpy

        from harness.search import any_order, unit_rows
        from harness_learning.heads import Nearest, OnFeatures, features_of

        labelled = np.flatnonzero(data.labels >= 0)
        labelled = labelled[any_order(len(labelled))]  # a pool may be stored class by class
        features = from_numpy(unit_rows(features_of(model, data.images, labelled), "features"))
        classes = from_numpy(data.labels[labelled])
        return OnFeatures(model, Nearest(features, classes, data.n_classes, self.k, self.temperature))

    def restore(self, model: Module, images: Any, weights: Mapping[str, Tensor]) -> Module:
        """The trained model again."""
        from harness_learning.heads import Nearest, OnFeatures, parts

        own, head = parts(weights)
        model.load_state_dict(own)
        return OnFeatures(
            model, Nearest(head["features"], head["classes"], int(head["count"]), self.k, self.temperature)
        )
