"""Spatial training (thesis 4.5): fine-tuning a network on matching pairs, pooled where the two images match.

Contrastive loss on pairs (Radenovic et al. 2018): matching ones are drawn together, those that the network takes for
similar though they show different objects apart. With matching (+TSP) every pair of images is pooled over the regions
of its inliers; without (+TR) over all of both images. Images are generated, or the photographs of a dataset with pairs
(``harness.studies.training_pairs``). ``harness.studies.spatial_spec`` trains what a spec describes. Loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.core.errors import InvalidInput
from harness.core.generators import torch_seeded
from harness.core.progress import Progress, track
from harness.data.generators.scenes import View
from harness.data.generators.synthetic import training_pair
from harness.plugin_api import GuidesTraining
from harness.studies.training_pairs import TrainingPairs

_DATABASE = View()
_QUERY = View(scale=(0.4, 0.7), angle=20.0, tilt=0.1, clutter=(0, 3), occlusion=0.1)
"""As synthetic-instances shows its objects; the objects of training are others."""
_Maps = tuple[Tensor, Tensor]
"""Maps of an image and their powers, which are pooled."""


@dataclass(frozen=True)
class SpatialTraining:
    """How to train.

    Attributes:
        steps: weight updates.
        batch: matching pairs seen in a step.
        negatives: images per query that show another object: those with the nearest descriptors, of the batch where
            images are generated, of a pool where they are photographs.
        margin: non-matching descriptors that are farther apart than this add nothing to the loss.
        pooling: ``gem``, the generalised mean, or ``mac``, the maximum.
        p: exponent of the generalised mean.
        learn_p: whether the exponent is trained, ten times as fast and without decay (cirtorch, train.py).
        optimiser: ``adam`` or ``sgd`` (with momentum 0.9).
        rate: learning rate; falls to a tenth along an exponential curve.
        decay: weight decay.
        size: side of the images in pixels, the longer one of photographs.
        queries: of photographs, pairs of an epoch; before each, negatives are searched for again.
        pool: of photographs, how many are searched for negatives.
        seed: of the objects, the scenes and their order.
    """

    steps: Annotated[int, Gt(0)] = 100
    batch: Annotated[int, Ge(2)] = 12
    negatives: Annotated[int, Ge(0)] = 5  # Radenovic et al. 2018, §5.1
    margin: Annotated[float, Gt(0)] = 0.7  # cirtorch, train.py
    pooling: Literal["gem", "mac"] = "gem"
    p: Annotated[float, Gt(0)] = 3.0  # Radenovic et al. 2018, §3.2
    learn_p: bool = False
    optimiser: Literal["adam", "sgd"] = "adam"
    rate: Annotated[float, Gt(0)] = 1e-4
    decay: Annotated[float, Ge(0)] = 1e-4  # cirtorch, train.py
    size: Annotated[int, Ge(32)] = 192
    queries: Annotated[int, Gt(0)] = 2000  # Radenovic et al. 2018, §5.1
    pool: Annotated[int, Gt(0)] = 20_000  # Radenovic et al. 2018, §5.1
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class Losses:
    """How a training went.

    Attributes:
        steps: (n,) mean loss of a query at each step, float64.
        guided: share of the channels of a matching pair that were pooled over regions; 0 without matching.
        p: exponent of the generalised mean after the training.
    """

    steps: NDArray[np.float64]
    guided: float
    p: float = 3.0


class Pooling(nn.Module):
    """Pools maps over regions as ``training`` says; its exponent is a parameter where it is to be learnt."""

    def __init__(self, training: SpatialTraining) -> None:
        super().__init__()
        self.largest = training.pooling == "mac"
        self.p: Tensor | float = nn.Parameter(torch.tensor(training.p)) if training.learn_p else training.p

    def powers(self, maps: Tensor) -> Tensor:
        """What is pooled: maps, to the power of the exponent."""
        return maps if self.largest else maps.clamp(min=1e-6).pow(self.p)

    def forward(self, powers: Tensor, mask: Tensor | None = None) -> Tensor:
        """L2-normalised descriptor (..., C) of powers (..., C, h, w) over a mask."""
        if not self.largest:
            return pool(powers, self.p, mask)
        masked = powers if mask is None else powers.masked_fill(~mask, 0)  # activations are not negative
        return nn.functional.normalize(masked.amax((-2, -1)), dim=-1)


def train(
    training: SpatialTraining,
    network: nn.Module,
    matcher: GuidesTraining | None,
    progress: Progress,
    pairs: TrainingPairs | None = None,
) -> Losses:
    """Train a network in place. The same arguments give the same weights on one machine.

    Args:
        training: how to train.
        network: images (n, 3, H, W) float32 in [0, 1] to maps (n, C, h, w).
        matcher: None pools whole images.
        progress: shows how far it is.
        pairs: photographs; None generates images.

    Raises:
        InvalidInput: a batch too small for so many negatives, or too few photographs.
        DataMissing, DataDamaged: a photograph cannot be read.
    """
    if pairs is None and training.negatives >= training.batch:
        raise InvalidInput(
            f"{training.negatives} negatives from a batch of {training.batch}", fix="batch above negatives"
        )
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()  # cirtorch, train.py: a batch of few images has no statistics
    pooling = Pooling(training)
    optimiser = _optimiser(training, network, pooling)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.1 ** (1 / training.steps))
    steps = _generated(training, network, matcher, pooling)
    if pairs is not None:
        steps = _photographed(training, network, matcher, pooling, pairs)
    losses, guided = [], []
    with torch_seeded(training.seed):  # of dropout
        for loss, share in track(steps, training.steps, "train", progress):
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            losses.append(loss)
            guided.append(share)
    network.eval()
    return Losses(np.array(losses), float(np.mean(guided)), float(torch.as_tensor(pooling.p).detach()))


def _generated(
    training: SpatialTraining, network: nn.Module, matcher: GuidesTraining | None, pooling: Pooling
) -> Iterator[tuple[float, float]]:
    """Loss of each step on generated images, its gradients computed; and the guided share."""
    for queries, images in _batches(training):
        loss, share = batch_loss(network(queries), network(images), training, matcher, pooling)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        yield float(loss.detach()), share


def _photographed(
    training: SpatialTraining,
    network: nn.Module,
    matcher: GuidesTraining | None,
    pooling: Pooling,
    pairs: TrainingPairs,
) -> Iterator[tuple[float, float]]:
    """The same on photographs: query after query, as each has its own size and the maps of few fit into memory."""
    queries = pairs.queries(training, lambda image: pooling(pooling.powers(network(image[None])[0])))
    for _ in range(training.steps):
        total, shares = 0.0, []
        for _ in range(training.batch):
            query, images = next(queries)
            maps = [network(image[None])[0] for image in (query, *images)]
            first, *others = [(values, pooling.powers(values)) for values in maps]
            tuples = [(first, other, i == 0) for i, other in enumerate(others)]
            loss, guided = pairs_loss(tuples, training, matcher, pooling)
            (loss / training.batch).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            total += float(loss.detach()) / training.batch
            shares += guided
        yield total, float(np.mean(shares)) if shares else 0.0


def batch_loss(
    queries: Tensor,
    images: Tensor,
    training: SpatialTraining,
    matcher: GuidesTraining | None,
    pooling: Pooling | None = None,
) -> tuple[Tensor, float]:
    """Mean contrastive loss of a query with its own image and its negatives.

    Args:
        queries: (b, C, h, w) maps; query i shows the object of image i and of no other.
        images: (b, C, h, w) maps.
        training: negatives and margin.
        matcher: None pools everything.
        pooling: None for that of ``training``.

    Returns:
        The loss, and the share of the channels of matching pairs that were pooled over regions.
    """
    pooling = pooling or Pooling(training)
    left, right = pooling.powers(queries), pooling.powers(images)
    negatives = _nearest_others(pooling(left), pooling(right), training.negatives)
    pairs = [
        ((queries[i], left[i]), (images[j], right[j]), i == j) for i in range(len(queries)) for j in (i, *negatives[i])
    ]
    total, guided = pairs_loss(pairs, training, matcher, pooling)
    return total / len(queries), float(np.mean(guided)) if guided else 0.0


def pairs_loss(
    pairs: Sequence[tuple[_Maps, _Maps, bool]],
    training: SpatialTraining,
    matcher: GuidesTraining | None,
    pooling: Pooling,
) -> tuple[Tensor, list[float]]:
    """Sum of the contrastive losses of pairs, and the guided share of each pair that matches.

    Args:
        pairs: maps (C, h, w) and their powers of both images, and whether they match.
        training: the margin.
        matcher: None pools everything.
        pooling: of the powers.
    """
    distances, guided = [], []
    for (query, left), (image, right), same in pairs:
        masks = None if matcher is None else matcher.attention(query, image)
        gap = pooling(left, masks and masks[0]) - pooling(right, masks and masks[1])
        distances.append((gap + 1e-6).norm())  # cirtorch, functional.py
        if masks and same:
            guided.append(1 - float(masks[0].flatten(1).all(1).float().mean()))
    matching = torch.tensor([same for _, _, same in pairs])
    return contrastive(torch.stack(distances), matching, training.margin).sum(), guided


def contrastive(distances: Tensor, same: Tensor, margin: float) -> Tensor:
    """Half the square of the distance of matching pairs, of what others lack to the margin (n,): cirtorch."""
    return torch.where(same, distances, (margin - distances).clamp(min=0)).square() / 2


def pool(powers: Tensor, p: Tensor | float, mask: Tensor | None = None) -> Tensor:
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


def _optimiser(training: SpatialTraining, network: nn.Module, pooling: Pooling | None = None) -> torch.optim.Optimizer:
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    more = {"momentum": 0.9} if training.optimiser == "sgd" else {}  # cirtorch, train.py
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}]
    if exponent := list((pooling or Pooling(training)).parameters()):
        groups.append({"params": exponent, "lr": 10 * training.rate, "weight_decay": 0.0})  # cirtorch, train.py
    return kinds[training.optimiser](groups, lr=training.rate, weight_decay=training.decay, **more)
