"""Unsupervised pre-training by clustering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from harness.core.errors import InvalidInput
from harness_learning.supervised import Supervised

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api import Floats, Ids, TrainingSet


@dataclass(frozen=True)
class DeepCluster:
    """Initial weights learnt without labels: features are clustered, clusters learnt as classes, again and again.

    Caron et al. 2018; thesis §3.3, Algorithm 1 line 2. The linear layer of the clusters is thrown away at the end.
    O(n K d) a clustering, with K = ``clusters_per_class`` times the number of classes.

    Attributes:
        pre_epochs: clusterings, each followed by one pass over the images.
        clusters_per_class: clusters as a multiple of the number of classes.
        pre_rate: learning rate, constant.
        pre_batch: images a step.
        pre_decay: weight decay.
        pre_momentum: of the gradient.
        pre_translate: largest random shift of an image as a share of its side.
        pre_preset: ``thesis`` and ``recommended`` give each clustering its own seed and linear layer and draw all
            clusters equally often (Caron et al. 2018, released code); ``released-code`` (of the thesis) keeps one seed
            and one layer and draws all images equally often.
        bf16: whether the products of the forward pass are in bfloat16.
    """

    pre_epochs: Annotated[int, Gt(0)] = 250  # thesis §3.5.1
    clusters_per_class: Annotated[int, Gt(0)] = 5  # released code
    pre_rate: Annotated[float, Gt(0)] = 0.05  # Caron et al. 2018, released code
    pre_batch: Annotated[int, Gt(1)] = 128  # released code
    pre_decay: Annotated[float, Ge(0)] = 1e-5  # Caron et al. 2018, released code
    pre_momentum: Annotated[float, Ge(0), Lt(1)] = 0.9  # Caron et al. 2018, released code
    pre_translate: Annotated[float, Ge(0), Lt(1)] = 0.125  # thesis §3.5.1: 4 of 32 pixels
    pre_preset: Literal["recommended", "thesis", "released-code"] = "recommended"
    bf16: bool = False

    result_version = 2

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """Weights of ``model`` after training on its own clusters; labels are not looked at.

        Raises:
            InvalidInput: fewer images than clusters.
        """
        from torch import from_numpy
        from torch.nn.functional import cross_entropy

        from harness.active import training

        n, k = len(data.images), self.clusters_per_class * data.n_classes
        if k > n:
            raise InvalidInput(f"{k} clusters of {n} images", fix="lower clusters_per_class")
        own = self.pre_preset != "released-code"
        device = training.device_of(model)
        images = training.tensor(data.images).to(device)
        first_seed = int(rng.integers(2**31))
        with training.seeded(rng, device):
            for epoch in range(self.pre_epochs):
                features, _ = training.extract(model, data.images)
                clusters = clustered(features, k, int(rng.integers(2**31)) if own else first_seed)
                if own or epoch == 0:
                    head, optimiser = self._head(model, features.shape[1], k)
                targets = from_numpy(clusters).to(device)
                model.train()
                for batch in self._batches(clusters, own, rng):
                    rows = from_numpy(batch).to(device)
                    with training.precision(model, self.bf16):
                        _, found = model(training.augment(images[rows], self.pre_translate, data.flip))
                    training.step(optimiser, self.pre_rate, cross_entropy(head(found.float()), targets[rows]))
        return {name: value.detach().clone() for name, value in model.state_dict().items()}

    def _head(self, model: Module, d: int, k: int) -> tuple[Module, Any]:
        """A linear layer for the clusters, and what descends on it and the model together."""
        from torch import nn

        from harness.active import training

        head = nn.Linear(d, k).to(training.device_of(model))
        nn.init.normal_(head.weight, 0, 0.01)  # Caron et al. 2018, released code
        nn.init.zeros_(head.bias)
        both = nn.ModuleList([model, head])
        decay, momentum = self.pre_decay, self.pre_momentum
        return head, training.sgd(both, momentum=momentum, nesterov=False, weight_decay=decay)

    def _batches(self, clusters: Ids, uniform: bool, rng: np.random.Generator) -> list[Ids]:
        """Positions for one pass: all images once, or (``uniform``) so many drawn equally from all clusters."""
        n = len(clusters)
        if uniform:
            sizes = np.bincount(clusters)
            order = rng.choice(n, n, p=1 / (sizes[clusters] * np.count_nonzero(sizes)))
        else:
            order = rng.permutation(n)
        return np.array_split(order, max(1, n // self.pre_batch))


@dataclass(frozen=True)
class Pretrain(DeepCluster, Supervised):
    """Unsupervised pre-training (PRE), then supervised training in every cycle (Caron et al. 2018; thesis §3.3).

    Formula:
        pre_epochs times: y = k-means(features); minimise -mean_i ln p_i,y_i over all images
        then as supervised
    """


def clustered(features: Floats, k: int, seed: int) -> Ids:
    """Cluster (n,) int64 of each image by k-means on its features (n, d) at unit length.

    Raises:
        InvalidInput: a feature that is not finite.
    """
    from harness.search import k_means, unit_rows

    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise InvalidInput(f"features of image {row} are not finite", fix="lower the learning rate of the pre-training")
    return k_means(unit_rows(features), k, seed, iterations=10)[1]
