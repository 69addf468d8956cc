"""Random weights and a function of features, to try the re-ranker on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness_rrt.network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIMENSION = 8
_WIDTH = 12


def features(image: NDArray[np.uint8]) -> tuple[Any, Any, Any, Any]:
    """Of an image (H, W, 3): its colours, and at two scales the values along the rows of its cells."""
    side = 4
    cells = [image[y::8, x::8].mean((0, 1)) for y in range(2) for x in range(2) if image[y::8, x::8].size]
    whole = np.zeros(_WIDTH, np.float32)
    whole[: 3 * len(cells)] = np.concatenate(cells) / 255 if cells else ()
    local, scales = [], []
    for scale in range(2):
        grey = image[:: 2**scale, :: 2**scale].mean(axis=2) / 255
        height, width = (length // side for length in grey.shape)
        blocks = grey[: side * height, : side * width].reshape(height, side, width, side).swapaxes(1, 2)
        local.append(blocks.reshape(height * width, side * side)[:, :_DIMENSION])
        scales.append(np.full(height * width, scale))
    rows = np.concatenate(local)
    return whole, rows, np.concatenate(scales), rows.std(axis=1)


def random_state(
    width: int = _WIDTH, dimension: int = _DIMENSION, hidden: int = 16, layers: int = 2, scales: int = 7
) -> dict[str, Any]:
    """A state dict of random weights, the same every time."""
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = {
            name: value.shape for name, value in Network(width, dimension, 2, layers, hidden, scales).named_parameters()
        }
    return {name: torch.randn(shape, generator=generator) / 2 for name, shape in shapes.items()}


def random_checkpoint(folder: Path) -> Mapping[str, Any]:
    """Parameters with random weights, as ``harness check`` has them."""
    torch.save(random_state(), folder / "rrt.pt")
    return {"weights": str(folder / "rrt.pt"), "extractor": "harness_rrt.examples:features", "heads": 2}
