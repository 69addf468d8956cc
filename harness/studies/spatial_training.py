"""Spatial training (thesis 4.5): fine-tuning a network on matching pairs, pooled where the two images match.

Contrastive loss on pairs of generated images (Radenovic et al. 2018): matching ones are drawn together, those that the
network takes for similar though they show different objects apart. With matching (+TSP) every pair of images is pooled
over the regions of its inliers; without (+TR) over all of both images. ``harness.studies.spatial_spec`` trains what a
spec describes. Loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.core.errors import InvalidInput
from harness.core.progress import Progress, track
from harness.data.generators.scenes import View
from harness.data.generators.synthetic import training_pair
from harness.plugin_api import GuidesTraining

_DATABASE = View()
_QUERY = View(scale=(0.4, 0.7), angle=20.0, tilt=0.1, clutter=(0, 3), occlusion=0.1)
"""As synthetic-instances shows its objects; the objects of training are others."""


@dataclass(frozen=True)
class SpatialTraining:
    """How to train.

    Attributes:
        steps: weight updates.
        batch: matching pairs seen in a step.
        negatives: images per query that show another object: of the batch, those with the nearest descriptors.
        margin: non-matching descriptors that are farther apart than this add nothing to the loss.
        p: exponent of the generalised mean that pools.
        optimiser: ``adam`` or ``sgd`` (with momentum 0.9).
        rate: learning rate; falls to a tenth along an exponential curve.
        decay: weight decay.
        size: side of the images in pixels.
        seed: of the objects, the scenes and their order.
    """

    steps: Annotated[int, Gt(0)] = 100
    batch: Annotated[int, Ge(2)] = 12
    negatives: Annotated[int, Ge(0)] = 5  # Radenovic et al. 2018, §5.1
    margin: Annotated[float, Gt(0)] = 0.7  # cirtorch, train.py
    p: Annotated[float, Gt(0)] = 3.0  # Radenovic et al. 2018, §3.2
    optimiser: Literal["adam", "sgd"] = "adam"
    rate: Annotated[float, Gt(0)] = 1e-4
    decay: Annotated[float, Ge(0)] = 1e-4  # cirtorch, train.py
    size: Annotated[int, Ge(32)] = 192
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class Losses:
    """How a training went.

    Attributes:
        steps: (n,) mean loss of a query at each step, float64.
        guided: share of the channels of a matching pair that were pooled over regions; 0 without matching.
    """

    steps: NDArray[np.float64]
    guided: float


def train(training: SpatialTraining, network: nn.Module, matcher: GuidesTraining | None, progress: Progress) -> Losses:
    """Train a network in place. The same arguments give the same weights on one machine.

    Args:
        training: how to train.
        network: images (n, 3, H, W) float32 in [0, 1] to maps (n, C, h, w).
        matcher: None pools whole images.
        progress: shows how far it is.

    Raises:
        InvalidInput: a batch too small for so many negatives.
    """
    if training.negatives >= training.batch:
        raise InvalidInput(
            f"{training.negatives} negatives from a batch of {training.batch}", fix="batch above negatives"
        )
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()  # cirtorch, train.py: a batch of few images has no statistics
    optimiser = _optimiser(training, network)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.1 ** (1 / training.steps))
    losses, guided = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)  # of dropout
        for queries, images in track(_batches(training), training.steps, "train", progress):
            loss, share = batch_loss(network(queries), network(images), training, matcher)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
            guided.append(share)
    network.eval()
    return Losses(np.array(losses), float(np.mean(guided)))


def batch_loss(
    queries: Tensor, images: Tensor, training: SpatialTraining, matcher: GuidesTraining | None
) -> tuple[Tensor, float]:
    """Mean contrastive loss of a query with its own image and its negatives.

    Args:
        queries: (b, C, h, w) maps; query i shows the object of image i and of no other.
        images: (b, C, h, w) maps.
        training: pooling, negatives and margin.
        matcher: None pools everything.

    Returns:
        The loss, and the share of the channels of matching pairs that were pooled over regions.
    """
    left, right = (maps.clamp(min=1e-6).pow(training.p) for maps in (queries, images))
    negatives = _nearest_others(pool(left, training.p), pool(right, training.p), training.negatives)
    pairs = [(i, j) for i in range(len(queries)) for j in (i, *negatives[i])]
    distances, guided = [], []
    for i, j in pairs:
        masks = None if matcher is None else matcher.attention(queries[i], images[j])
        gap = pool(left[i], training.p, masks and masks[0]) - pool(right[j], training.p, masks and masks[1])
        distances.append((gap + 1e-6).norm())  # cirtorch, functional.py
        if masks and i == j:
            guided.append(1 - float(masks[0].flatten(1).all(1).float().mean()))
    same = torch.tensor([i == j for i, j in pairs])
    total = contrastive(torch.stack(distances), same, training.margin).sum() / len(queries)
    return total, float(np.mean(guided)) if guided else 0.0


def contrastive(distances: Tensor, same: Tensor, margin: float) -> Tensor:
    """Half the square of the distance of matching pairs, of what others lack to the margin (n,): cirtorch."""
    return torch.where(same, distances, (margin - distances).clamp(min=0)).square() / 2


def pool(powers: Tensor, p: float, mask: Tensor | None = None) -> Tensor:
    """Generalised mean of each channel (..., C, h, w) over its mask, L2-normalised: (..., C).

    Args:
        powers: the maps, positive, to the power ``p``.
        p: exponent.
        mask: bool, of the same shape, some of every channel true; None pools everything.
    """
    mean = powers.mean((-2, -1)) if mask is None else (powers * mask).sum((-2, -1)) / mask.sum((-2, -1))
    return nn.functional.normalize(mean.pow(1 / p), dim=-1)


def _batches(training: SpatialTraining) -> Iterator[tuple[Tensor, Tensor]]:
    """Queries and images (batch, 3, size, size) in [0, 1]; no object comes twice."""
    for step in range(training.steps):
        objects = range(step * training.batch, (step + 1) * training.batch)
        pairs = [training_pair(i, training.seed, training.size, _DATABASE, _QUERY) for i in objects]
        yield _tensor([query.image for _, query in pairs]), _tensor([image.image for image, _ in pairs])


def _tensor(images: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def _nearest_others(queries: Tensor, images: Tensor, n: int) -> list[list[int]]:
    """Per query the images of other objects with the nearest descriptors, nearest first."""
    similarities = (queries.detach() @ images.detach().T).fill_diagonal_(-torch.inf)
    nearest: list[list[int]] = similarities.argsort(dim=1, descending=True, stable=True)[:, :n].tolist()
    return nearest


def _optimiser(training: SpatialTraining, network: nn.Module) -> torch.optim.Optimizer:
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    more = {"momentum": 0.9} if training.optimiser == "sgd" else {}  # cirtorch, train.py
    return kinds[training.optimiser](network.parameters(), lr=training.rate, weight_decay=training.decay, **more)
