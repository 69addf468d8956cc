"""The parts that learning schemes train with: initial weights, batches, augmentation, schedule, features.

This module imports torch: import it inside the function that needs it.

A model here is a network with the normalisation of its pixels inside (:class:`Normalised`): it takes images as they
are, (B, C, H, W) uint8, and returns ``(logits, features)``. Work is done where the model's weights are.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.core.devices import autocast
from harness.core.generators import torch_seeded
from harness.plugin_api import KeepsFeatures, LinearHead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Network

RAMP = 1.05  # thesis §3.5.1: the cosine would reach zero at epoch 210 of 200
EXTRACTION_BATCH = 500


class Normalised(nn.Module):
    """A network behind the normalisation of its input.

    Args:
        network: what ``Network.build`` gave.
        mean: (C,) float32, in units of pixels.
        std: (C,) float32, likewise.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Floats, std: Floats) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.from_numpy(mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.from_numpy(std).reshape(-1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) with values in [0, 255] -> logits (B, c) and features (B, d)."""
        logits, features = self.network((images - self.mean) / self.std)
        return logits, features

    def linear_head(self) -> tuple[Tensor, Tensor] | None:
        """Weight (c, d) and bias (c,) of the network's last layer on its features; None if it does not say."""
        own: Callable[[], tuple[Tensor, Tensor] | None] | None = getattr(self.network, "linear_head", None)
        return own() if own else None


def pixel_statistics(images: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Mean and standard deviation (C,) float32 of each channel of images (n, C, H, W) uint8; a constant one has 1."""
    values = np.arange(256)
    counts = np.stack([np.bincount(images[:, c].ravel(), minlength=256) for c in range(images.shape[1])])
    shares = counts / counts.sum(1, keepdims=True)
    mean = shares @ values
    std = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(1))
    std[std == 0] = 1
    return mean.astype(np.float32), std.astype(np.float32)


def tensor(images: NDArray[Any]) -> Tensor:
    """A tensor that shares the memory of images, read-only ones too: it must not be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(images)


def moved(images: NDArray[Any], device: torch.device) -> Tensor:
    """The images on a device; to a GPU from memory that it can read itself."""
    block = tensor(images)
    return block.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else block.to(device)


def initialise(network: Network, images: NDArray[np.uint8], n_classes: int, rng: np.random.Generator) -> Normalised:
    """A new model for such images; its weights depend on ``rng`` alone, its normalisation on the images.

    Pixels are standardised by channel; given features (float32) stay as they are, but for what the network scales.
    """
    with seeded(rng):
        built = network.build(tuple(images.shape[1:]), n_classes)
    if images.dtype == np.uint8:
        statistics = pixel_statistics(images)
    elif isinstance(network, KeepsFeatures):
        statistics = network.scale(np.asarray(images, np.float32).reshape(len(images), -1))
    else:
        statistics = np.zeros(images.shape[1], np.float32), np.ones(images.shape[1], np.float32)
    # Channels last: a CPU extracts features in half the time, and tensor cores want it so.
    return Normalised(built, *statistics).to(memory_format=torch.channels_last)


@contextmanager
def seeded(rng: np.random.Generator, device: torch.device | None = None) -> Iterator[None]:
    """Inside, torch's own randomness follows ``rng`` and convolutions are reproducible; outside nothing changes."""
    with torch_seeded(int(rng.integers(2**63)), device), _reproducible_convolutions():
        yield


@contextmanager
def _reproducible_convolutions() -> Iterator[None]:
    """Inside, cuDNN computes the same twice; nothing else that a user may have set is touched.

    ``torch.backends.cudnn.flags`` sets TF32 too, and fails where its newer switches are in use.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


@contextmanager
def precision(model: nn.Module, bf16: bool) -> Iterator[None]:
    """Inside, products of the forward pass are in bfloat16 if ``bf16``, or if the run is so; all else is in float32."""
    with autocast(device_of(model).type, bf16):
        yield


def compiled(model: nn.Module, wanted: bool) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The model, compiled by ``torch.compile`` if ``wanted``; the weights are the model's own in both cases.

    One graph serves all sizes of batch. A compiled network draws its dropout differently, so the weights differ.
    """
    function: Callable[[Tensor], tuple[Tensor, Tensor]] = torch.compile(model, dynamic=True) if wanted else model
    return function


def device_of(model: nn.Module) -> torch.device:
    """Where the model's weights are."""
    return next(model.parameters()).device


def shuffled_batches(
    n: int, size: int, epochs: int, device: torch.device, limit: int | None = None
) -> Iterator[tuple[float, Tensor]]:
    """Batches of ``epochs`` passes over ``n`` examples, each pass in a new order.

    The last, smaller batch of a pass is left out. Fewer examples than ``size`` make one batch of all of them. With a
    ``limit`` a pass ends after so many examples.

    Yields:
        The epoch as a fraction (for the schedule) and positions (min(size, n),) int64.
    """
    size = min(size, n)
    steps = max(1, min(n, limit or n) // size)
    for epoch in range(epochs):
        order = torch.randperm(n).to(device)
        for step in range(steps):
            yield epoch + step / steps, order[step * size : (step + 1) * size]


def cosine(rate: float, epoch: float, epochs: int) -> float:
    """Learning rate at a fractional epoch: half a cosine that would reach zero a little after the last one."""
    return rate * 0.5 * (1 + math.cos(math.pi * epoch / (epochs * RAMP)))


def step(optimiser: torch.optim.Optimizer, rate: float, loss: Tensor) -> None:
    """One step of the optimiser at this learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def augment(images: Tensor, translate: float, flip: bool) -> Tensor:
    """Each image shifted by whole pixels, reflected at the border, and (``flip``) mirrored or not, all by chance.

    Args:
        images: (B, C, H, W) of any type and device.
        translate: largest shift in each direction as a share of the side, rounded down to pixels.
        flip: whether half of the images are mirrored left to right.
    """
    n, channels, height, width = images.shape
    rows = _shifted(n, height, int(height * translate), images.device)
    columns = _shifted(n, width, int(width * translate), images.device)
    if flip:
        mirrored = torch.rand(n, device=images.device) < 0.5
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    image = torch.arange(n, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return images[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _shifted(n: int, side: int, largest: int, device: torch.device) -> Tensor:
    """(n, side) positions along one side, shifted by chance and reflected at its ends (the end pixel only once)."""
    shift = torch.randint(-largest, largest + 1, (n, 1), device=device)
    positions = (torch.arange(side, device=device) + shift).abs()
    return (side - 1) - ((side - 1) - positions).abs()


def extract(
    model: nn.Module,
    images: NDArray[Any],
    batch: int = EXTRACTION_BATCH,
    change: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Floats, Floats]:
    """Features (n, d) and class probabilities (n, c), both float32, in evaluation mode.

    Without augmentation, unless ``change`` alters each batch of images.
    """
    device = device_of(model)
    model.eval()
    features, probabilities = [], []
    with torch.inference_mode(), precision(model, False):
        for start in range(0, len(images), batch):
            block = moved(images[start : start + batch], device)
            logits, vectors = model(change(block) if change else block)
            features.append(vectors.float().cpu())
            probabilities.append(logits.float().softmax(1).cpu())
    return torch.cat(features).numpy(), torch.cat(probabilities).numpy()


def linear_head(model: nn.Module) -> LinearHead | None:
    """The last layer of a model as a function of its features, if its ``linear_head()`` gives one."""
    own: Callable[[], tuple[Tensor, Tensor] | None] | None = getattr(model, "linear_head", None)
    found = own() if own else None
    return None if found is None else LinearHead(*(part.detach().float().cpu().numpy() for part in found))


def shared_dropout_probabilities(
    model: nn.Module, images: NDArray[np.uint8], t: int, rng: np.random.Generator, batch: int = EXTRACTION_BATCH
) -> Floats:
    """As ``dropout_probabilities``, but in a pass the same entries are dropped for all images."""
    device = device_of(model)
    model.eval()
    masks: dict[tuple[Any, ...], Tensor] = {}

    def drop(module: Any, inputs: Any, output: Tensor) -> Tensor:
        place = (module, *output.shape[1:])
        if place not in masks:
            masks[place] = module.train().forward(torch.ones(1, *output.shape[1:], device=output.device))
            module.eval()
        return output * masks[place]

    dropouts = [module for module in model.modules() if isinstance(module, nn.modules.dropout._DropoutNd)]
    hooks = [module.register_forward_hook(drop) for module in dropouts]
    passes = []
    try:
        with seeded(rng, device):
            for _ in range(t):
                masks.clear()
                passes.append(extract(model, images, batch)[1])
    finally:
        for hook in hooks:
            hook.remove()
    return np.stack(passes)


def dropout_probabilities(
    model: nn.Module, images: NDArray[np.uint8], t: int, rng: np.random.Generator, batch: int = EXTRACTION_BATCH
) -> Floats:
    """Class probabilities (t, n, c) float32 of ``t`` passes with dropout on and everything else in evaluation mode."""
    device = device_of(model)
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.train()
    passes: list[list[Tensor]] = [[] for _ in range(t)]
    with torch.inference_mode(), precision(model, False), seeded(rng, device):
        for start in range(0, len(images), batch):
            block = moved(images[start : start + batch], device)
            for blocks in passes:
                blocks.append(model(block)[0].float().softmax(1).cpu())
    model.eval()
    return torch.stack([torch.cat(blocks) for blocks in passes]).numpy()


def sgd(model: nn.Module, *, momentum: float, weight_decay: float, nesterov: bool) -> torch.optim.Optimizer:
    """Stochastic gradient descent over all weights; :func:`step` gives the rate."""
    return torch.optim.SGD(
        model.parameters(), lr=0.0, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov and momentum > 0
    )
