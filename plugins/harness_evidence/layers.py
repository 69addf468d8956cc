"""Layers of networks by numpy in float64, as their definitions say; maps are (C, H, W)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness_evidence import Array

State = Mapping[str, Array]
"""Name of a tensor -> its values, float64."""


def state_of(module: Any) -> dict[str, Array]:
    """The weights and statistics of a module of torch."""
    return {name: value.detach().numpy().astype(np.float64) for name, value in module.state_dict().items()}


def scatter_statistics(module: Any, rng: np.random.Generator) -> None:
    """Give the batch normalisations of a module weights and statistics that are not those of the beginning."""
    import torch

    with torch.no_grad():
        for layer in module.modules():
            if hasattr(layer, "running_var"):
                n = len(layer.running_var)
                drawn = (rng.uniform(0.5, 1.5, n), rng.normal(0, 0.3, n), rng.uniform(0.5, 1), rng.normal(0, 0.3, n))
                parts = (layer.running_var, layer.running_mean, layer.weight, layer.bias)
                for part, values in zip(parts, drawn, strict=True):
                    part.copy_(torch.as_tensor(values))


def convolved(
    x: Array, weight: Array, bias: Array | float = 0.0, *, stride: int = 1, padding: int | None = None
) -> Array:
    """A sum over the places of the kernel (O, I, h, w); each map on its own where I is 1.

    ``padding`` zeros on each side; None: as TensorFlow has it, so that ceil(side / stride) cells come out.
    """
    _, inputs, height, width = weight.shape
    if padding is None:
        sides = zip(x.shape[1:], (height, width), strict=True)
        missing = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side, kernel in sides]
        around = [(total // 2, total - total // 2) for total in missing]
    else:
        around = [(padding, padding)] * 2
    x = np.pad(x, [(0, 0), *around])
    rows, columns = (x.shape[1] - height) // stride + 1, (x.shape[2] - width) // stride + 1
    out = np.zeros((len(weight), rows, columns))
    for i in range(height):
        for j in range(width):
            seen = x[:, i : i + stride * rows : stride, j : j + stride * columns : stride][:, :rows, :columns]
            one = weight[:, :, i, j]
            out += one[:, :, None] * seen if inputs == 1 and len(x) > 1 else np.tensordot(one, seen, 1)
    return np.asarray(out + np.reshape(bias, (-1, 1, 1)))


def batch_normalised(x: Array, state: State, name: str, eps: float = 1e-5) -> Array:
    """With the statistics that were kept."""
    mean, variance, weight, bias = (
        state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return np.asarray((x - mean) / np.sqrt(variance + eps) * weight + bias)


def largest(x: Array, size: int = 2, stride: int = 2, padding: int = 0) -> Array:
    """Maxima of windows."""
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding)], constant_values=-np.inf)
    rows, columns = (x.shape[1] - size) // stride + 1, (x.shape[2] - size) // stride + 1
    out = np.full((len(x), rows, columns), -np.inf)
    for i in range(size):
        for j in range(size):
            out = np.maximum(out, x[:, i : i + stride * rows : stride, j : j + stride * columns : stride])
    return out


def rectified(x: Array, slope: float = 0.0, most: float = np.inf) -> Array:
    """Negative values times ``slope``, and at most ``most``."""
    return np.minimum(np.where(x > 0, x, slope * x), most)
