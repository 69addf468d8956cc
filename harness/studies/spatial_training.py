"""Spatial training (thesis 4.5): fine-tuning a backbone on matching pairs, pooled where the two images match.

Contrastive loss on pairs of generated images (Radenovic et al. 2018): matching ones are drawn together, those that the
network takes for similar though they show different objects apart. With matching (+TSP) every pair of images is pooled
over the regions of its inliers; without (+TR) over all of both images. What is trained is the network of ``tiny``, from
its own or given weights; what comes out is a file of weights of the same form. Loads torch.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import torch
from annotated_types import Ge, Gt
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.core.files import write_atomically
from harness.core.progress import Progress, track
from harness.data.generators.scenes import View
from harness.data.generators.synthetic import training_pair

_DATABASE = View()
_QUERY = View(scale=(0.4, 0.7), angle=20.0, tilt=0.1, clutter=(0, 3), occlusion=0.1)
"""As synthetic-instances shows its objects; the objects of training are others."""


class Matcher(Protocol):
    """Says where two images match: the re-ranker ``dsm``."""

    def attention(self, query_maps: Tensor, image_maps: Tensor) -> tuple[Tensor, Tensor]:
        """Masks (C, h, w) bool of what is to be pooled of either."""
        ...


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
class Trained:
    """Weights, and how they came about.

    Attributes:
        arrays: ``weight0``, ``bias0``, ... float16.
        losses: (steps,) mean loss of a query, float64.
        guided: share of the channels of a matching pair that were pooled over regions; 0 without matching.
    """

    arrays: dict[str, NDArray[np.float16]]
    losses: NDArray[np.float64]
    guided: float


def train(how: SpatialTraining, matcher: Matcher | None, start: Path | None, progress: Progress) -> Trained:
    """Train from ``start`` (None: the embedded weights). The same arguments give the same bytes on one machine.

    Raises:
        DataMissing, DataDamaged: ``start`` is no file of weights.
        InvalidInput: a batch too small for so many negatives.
    """
    if how.negatives >= how.batch:
        raise InvalidInput(f"{how.negatives} negatives from a batch of {how.batch}", fix="batch above negatives")
    network = tiny_network(start)
    optimiser = _optimiser(how, network)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.1 ** (1 / how.steps))
    losses, guided = [], []
    for queries, images in track(_batches(how), how.steps, "train", progress):
        loss, share = batch_loss(network(queries), network(images), how, matcher)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        guided.append(share)
    return Trained(_arrays(network), np.array(losses), float(np.mean(guided)))


def batch_loss(queries: Tensor, images: Tensor, how: SpatialTraining, matcher: Matcher | None) -> tuple[Tensor, float]:
    """Mean contrastive loss of a query with its own image and its negatives.

    Args:
        queries: (b, C, h, w) maps; query i shows the object of image i and of no other.
        images: (b, C, h, w) maps.
        how: pooling, negatives and margin.
        matcher: None pools everything.

    Returns:
        The loss, and the share of the channels of matching pairs that were pooled over regions.
    """
    left, right = (maps.clamp(min=1e-6).pow(how.p) for maps in (queries, images))
    negatives = _nearest_others(pool(left, how.p), pool(right, how.p), how.negatives)
    pairs = [(i, j) for i in range(len(queries)) for j in (i, *negatives[i])]
    distances, guided = [], []
    for i, j in pairs:
        masks = None if matcher is None else matcher.attention(queries[i], images[j])
        gap = pool(left[i], how.p, masks and masks[0]) - pool(right[j], how.p, masks and masks[1])
        distances.append((gap + 1e-6).norm())  # cirtorch, functional.py
        if masks and i == j:
            guided.append(1 - float(masks[0].flatten(1).all(1).float().mean()))
    same = torch.tensor([i == j for i, j in pairs])
    total = contrastive(torch.stack(distances), same, how.margin).sum() / len(queries)
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


def tiny_network(start: Path | None = None) -> nn.Sequential:
    """The layers of ``tiny`` as a module: images (n, 3, H, W) in [-1, 1] to maps.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it does not hold the weights of these layers.
    """
    from harness_backbone.tiny import LAYERS, WEIGHTS

    path = start or WEIGHTS
    try:
        with np.load(path, allow_pickle=False) as file:
            given = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
    except FileNotFoundError as error:
        raise DataMissing(f"weights {path} do not exist") from error
    except (OSError, ValueError) as error:
        raise DataDamaged(f"{path} holds no weights: {error}") from error
    modules: list[nn.Module] = []
    for i, layer in enumerate(LAYERS):
        conv = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, layer.dilation)
        try:
            conv.load_state_dict({"weight": given[f"weight{i}"], "bias": given[f"bias{i}"]})
        except (KeyError, RuntimeError) as error:
            raise DataDamaged(f"{path} does not hold the weights of tiny, layer {i}: {error}") from error
        modules += [conv, nn.ReLU()]
    return nn.Sequential(*modules)


def write(path: Path, trained: Trained, what: dict[str, Any]) -> str:
    """The weights, and beside them a JSON file of how they were trained; each whole or not at all.

    Returns:
        SHA-256 of the file of weights.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **trained.arrays)  # type: ignore[arg-type]  # the stub takes the names for options
    content = buffer.getvalue()
    found = hashlib.sha256(content).hexdigest()
    report = {**what, "sha256": found, "losses": trained.losses.round(6).tolist(), "guided": round(trained.guided, 6)}
    write_atomically(path, content)
    write_atomically(path.with_suffix(".json"), json.dumps(report, indent=1).encode() + b"\n")
    return found


def described(how: SpatialTraining, matching: Any) -> dict[str, Any]:
    """What the report beside the weights says of the training."""
    return {"training": asdict(how), "matching": matching}


def _batches(how: SpatialTraining) -> Iterator[tuple[Tensor, Tensor]]:
    """Queries and images (batch, 3, size, size) in [-1, 1]; no object comes twice."""
    for step in range(how.steps):
        pairs = [training_pair(step * how.batch + i, how.seed, how.size, _DATABASE, _QUERY) for i in range(how.batch)]
        yield _tensor([query.image for _, query in pairs]), _tensor([image.image for image, _ in pairs])


def _tensor(images: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _nearest_others(queries: Tensor, images: Tensor, n: int) -> list[list[int]]:
    """Per query the images of other objects with the nearest descriptors, nearest first."""
    similarities = (queries.detach() @ images.detach().T).fill_diagonal_(-torch.inf)
    found: list[list[int]] = similarities.argsort(dim=1, descending=True, stable=True)[:, :n].tolist()
    return found


def _optimiser(how: SpatialTraining, network: nn.Module) -> torch.optim.Optimizer:
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    more = {"momentum": 0.9} if how.optimiser == "sgd" else {}  # cirtorch, train.py
    return kinds[how.optimiser](network.parameters(), lr=how.rate, weight_decay=how.decay, **more)


def _arrays(network: nn.Sequential) -> dict[str, NDArray[np.float16]]:
    convolutions = [module for module in network if isinstance(module, nn.Conv2d)]
    return {
        f"{name}{i}": value.detach().numpy().astype(np.float16)
        for i, conv in enumerate(convolutions)
        for name, value in conv.named_parameters()
    }
