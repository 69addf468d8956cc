"""Classifiers on the features of a network, which is left as it is. Loads torch: import it where a head is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from harness.search import any_order, top_k, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids

LEAST = 1e-30
"""Probability of a class that has none: its logarithm is finite."""


class OnFeatures(nn.Module):
    """A head on the features of a model, in place of the model's own.

    Args:
        model: gives (logits, features).
        head: features (B, d) -> logits (B, c).
    """

    def __init__(self, model: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.model, self.head = model, head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> logits (B, c) and features (B, d)."""
        features = self.model(images)[1]
        return self.head(features), features

    def linear_head(self) -> tuple[Tensor, Tensor] | None:
        """Weight (c, d) and bias (c,) of the head; None where it is not linear."""
        return (self.head.weight, self.head.bias) if isinstance(self.head, nn.Linear) else None


def parts(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The ``state_dict`` of an ``OnFeatures`` as that of its model and that of its head."""
    model, head = (
        {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        for prefix in ("model.", "head.")
    )
    return model, head


def features_of(model: nn.Module, images: NDArray[np.uint8], rows: Ids) -> Floats:
    """Features (len(rows), d) float32 of some images."""
    from harness.active import training

    return training.extract(model, images[rows])[0]


def linear(weight: NDArray[np.floating], bias: NDArray[np.floating]) -> nn.Module:
    """A linear layer with these weights (c, d) and bias (c,)."""
    # Weights of its own would be drawn from the global generator.
    head = nn.Linear(weight.shape[1], weight.shape[0], device="meta").to_empty(device="cpu")
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    return head


class Nearest(nn.Module):
    """The classes of the nearest labelled examples, weighted by similarity.

    Args:
        features: (l, d) float32 of the labelled examples, unit length; of equally near ones the first count.
        classes: (l,) int64.
        n_classes: number of classes.
        k: neighbours.
        temperature: of the weights.
    """

    features: Tensor
    classes: Tensor

    def __init__(self, features: Tensor, classes: Tensor, n_classes: int, k: int, temperature: float) -> None:
        super().__init__()
        self.register_buffer("features", features)
        self.register_buffer("classes", classes)
        self.register_buffer("count", torch.tensor(n_classes))
        self.n_classes, self.k, self.temperature = n_classes, min(k, len(features)), temperature

    def forward(self, features: Tensor) -> Tensor:
        """Logarithms of the sums of weights (B, c), in float64."""
        rows = unit_rows(features.float().cpu().numpy(), "features")
        found = top_k(rows, self.features.cpu().numpy(), self.k)
        weights = torch.from_numpy(found.scores.astype(np.float64) / self.temperature).softmax(1)
        classes = self.classes.cpu()[torch.from_numpy(found.indices)]
        shares = torch.zeros(len(rows), self.n_classes, dtype=torch.float64).scatter_add_(1, classes, weights)
        return shares.clamp_min(LEAST).log().float().to(features.device)


def _means(values: NDArray[np.float32], groups: Ids) -> NDArray[np.float32]:
    """Means (g, c) float32 of the rows of each group."""
    sums = np.zeros((groups.max(initial=-1) + 1, values.shape[1]))
    np.add.at(sums, groups, values)
    return np.asarray(sums / np.bincount(groups)[:, None], np.float32)


class Spread(nn.Module):
    """Class shares of pool examples, and for any other one those of its neighbours in the pool.

    Pool examples with the same features have the mean of their shares; which of equally near ones count does not follow
    from where they are stored.

    Args:
        pool: (n, d) float32 features.
        shares: (n, c) float32; rows of zeros where no label reaches.
        k: neighbours.
        gamma: exponent of similarities.
    """

    shares: Tensor

    def __init__(self, pool: Floats, shares: Tensor, k: int, gamma: float) -> None:
        super().__init__()
        self.register_buffer("shares", shares)
        self.order, self.k, self.gamma = any_order(len(pool)), min(k, len(pool)), gamma
        self.unit = unit_rows(pool, "features")[self.order]
        self.places: dict[bytes, int] = {}
        same = np.array([self.places.setdefault(row.tobytes(), len(self.places)) for row in pool])
        self.known = _means(shares.cpu().numpy(), same)

    def forward(self, features: Tensor) -> Tensor:
        """Logarithms of the shares (B, c)."""
        rows, known = features.float().cpu().numpy(), self.shares.cpu().numpy()
        places = np.array([self.places.get(row.tobytes(), -1) for row in rows])
        shares = self.known[places]
        if (new := np.flatnonzero(places < 0)).size:
            found = top_k(unit_rows(rows[new], "features"), self.unit, self.k)
            weights = np.maximum(found.scores, 0) ** self.gamma
            shares[new] = (weights[:, :, None] * known[self.order[found.indices]]).sum(axis=1)
        total = shares.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, shares / np.where(total > 0, total, 1), 1 / shares.shape[1])
        return torch.from_numpy(np.log(np.maximum(shares, LEAST)).astype(np.float32)).to(features.device)
