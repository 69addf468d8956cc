"""Labels spread over the graph of the features, as a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Lt

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api import TrainingSet


@dataclass(frozen=True)
class LabelPropagation:
    """Labels spread over the k-NN graph of the pool's features; nothing is trained (Zhou et al. 2004; thesis 3.8-3.9).

    The network is left as it is. An example of the pool has its share of each class; any other has the mean of its
    ``k`` nearest pool examples, weighted as edges are. Labels of a class are divided by their number, so that a class
    with more labels does not win by that. Where no label reaches all classes are equally likely. Which of equally near
    examples are neighbours does not follow from where they are stored.
    O(n^2 d) for the graph, once where features do not change; O(n k c) an iteration of the solver.

    Formula:
        Z = (I - alpha S)^-1 Y, S = D^-1/2 W D^-1/2, W the reciprocal k-NN graph with weights max(z_i . z_j, 0)^gamma
        p_ic = z_ic / sum_c z_ic; elsewhere the mean of p_j with weights max(z_i . z_j, 0)^gamma

    Attributes:
        k: neighbours.
        gamma: exponent of similarities.
        alpha: how far labels spread.
        tol: relative residual of the solve.
    """

    result_version = 2

    k: Annotated[int, Gt(0)] = 50  # thesis §3.5.1
    gamma: Annotated[float, Gt(0)] = 3.0  # thesis §3.5.1
    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # thesis §3.5.1
    tol: Annotated[float, Gt(0)] = 1e-6  # Iscen et al. 2019, released code

    linear_head = False

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """None: the network is left as it is."""
        return None

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """``model`` with the spread labels in place of its linear layer; its ``report`` tells how the solve went."""
        from torch import from_numpy

        from harness.graph import affinity, normalise, propagate
        from harness.search import any_order
        from harness_learning.heads import OnFeatures, Spread, features_of

        features = features_of(model, data.images, np.arange(len(data.images)))
        if data.affinity is None:
            graph = normalise(affinity(features, self.k, self.gamma, preferred=any_order(len(features))))
        else:
            graph = data.affinity(features, self.k, self.gamma, "reciprocal")
        spread = propagate(graph, data.labels, data.n_classes, alpha=self.alpha, tol=self.tol)
        shares = from_numpy(spread.probabilities.astype(np.float32))
        trained = OnFeatures(model, Spread(features, shares, self.k, self.gamma))
        trained.report = {  # type: ignore[assignment]
            "unreached": spread.unreached,
            "converged": spread.report.all_converged,
        }
        return trained

    def restore(self, model: Module, images: Any, weights: Mapping[str, Tensor]) -> Module:
        """The trained model again."""
        from harness_learning.heads import OnFeatures, Spread, features_of, parts

        own, head = parts(weights)
        model.load_state_dict(own)
        features = features_of(model, images, np.arange(len(images)))
        return OnFeatures(model, Spread(features, head["shares"], self.k, self.gamma))
