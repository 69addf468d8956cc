"""Makes the weights of ``tiny``: ``python -m harness_backbone.train_tiny --out tiny.npz``.

Each step shows the network pairs of generated images: an object as a query shows it, and the same object smaller, in
clutter and another light. Every object is new. The descriptors (GeM, L2-normalised) of a pair shall be nearer than
those of two different objects: cross-entropy over the cosines of the batch (InfoNCE), both ways.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from harness.core.generators import torch_seeded
from harness.data.generators.scenes import View
from harness.data.generators.synthetic import training_pair
from harness_backbone.tiny import LAYERS

_SIZE: Final = 112
_DATABASE: Final = View(scale=(0.32, 0.85), angle=35.0, occlusion=0.3, clutter=(0, 4), light=0.8, blur=1.6, noise=10.0)
_QUERY: Final = View(scale=(0.7, 1.05), angle=25.0, occlusion=0.1, clutter=(0, 2), light=0.8, blur=1.6, noise=10.0)
_TEMPERATURE: Final = 0.07
_P: Final = 3.0


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Query and database image (3, _SIZE, _SIZE) uint8 of one training object each."""

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed = length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        database, query = training_pair(index, self.seed, _SIZE, _DATABASE, _QUERY)
        return _channels_first(query.image), _channels_first(database.image)


def network() -> nn.Sequential:
    """The layers of ``tiny`` with batch normalisation, which ``fold`` removes again."""
    blocks = [
        nn.Sequential(
            nn.Conv2d(
                layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, layer.dilation, bias=False
            ),
            nn.BatchNorm2d(layer.outputs),
            nn.ReLU(),
        )
        for layer in LAYERS
    ]
    return nn.Sequential(*blocks)


def fold(model: nn.Sequential) -> dict[str, NDArray[np.float16]]:
    """Weights and biases of plain convolutions that give what ``model`` gives in evaluation mode; float16."""
    arrays = {}
    for i, block in enumerate(model):
        conv, norm = cast(tuple[nn.Conv2d, nn.BatchNorm2d], tuple(cast(nn.Sequential, block))[:2])
        mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        gain = norm.weight / (variance + norm.eps).sqrt()
        arrays[f"weight{i}"] = (conv.weight * gain[:, None, None, None]).detach().numpy().astype(np.float16)
        arrays[f"bias{i}"] = (norm.bias - mean * gain).detach().numpy().astype(np.float16)
    return arrays


def descriptors(maps: Tensor) -> Tensor:
    """GeM over (n, C, H, W), L2-normalised: (n, C)."""
    pooled = maps.clamp(min=1e-4).pow(_P).mean((-2, -1)).pow(1 / _P)
    return nn.functional.normalize(pooled)


def contrast(model: nn.Module, queries: Tensor, database: Tensor) -> tuple[Tensor, Tensor]:
    """Loss, and the share of queries whose own database image is the nearest of the batch."""
    images = torch.cat([queries, database]).float() / 127.5 - 1
    q, x = descriptors(model(images)).chunk(2)
    cosines, own = q @ x.T / _TEMPERATURE, torch.arange(len(q))
    loss = (nn.functional.cross_entropy(cosines, own) + nn.functional.cross_entropy(cosines.T, own)) / 2
    return loss, (cosines.argmax(1) == own).float().mean()


def train(steps: int, batch: int, rate: float, seed: int, workers: int) -> nn.Sequential:
    """Train from scratch; the learning rate rises for a twentieth of the steps, then falls as a cosine."""
    with torch_seeded(seed):
        model = network().to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.05)
        loader = DataLoader(Pairs(steps * batch, seed), batch, num_workers=workers)
        for queries, database in _report(loader, steps):
            loss, hits = contrast(model, queries, database)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
            schedule.step()
            _latest.update(loss=float(loss.detach()), hits=float(hits))
    return model.eval()


_latest: dict[str, float] = {}


def _report(loader: DataLoader[tuple[Tensor, Tensor]], steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    began = time.perf_counter()
    for step, pair in enumerate(loader, 1):
        yield pair
        if step % 50 == 0:
            state = {name: round(value, 3) for name, value in _latest.items()}
            print(f"{step}/{steps}", state, f"{time.perf_counter() - began:.0f} s", flush=True)


def _channels_first(image: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def main() -> None:
    """Parse arguments, train, write."""
    parser = argparse.ArgumentParser(description="Train the weights of the embedded backbone tiny.")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--batch", type=int, default=64, help="objects in a step, two images each")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw images")
    options = parser.parse_args()
    model = train(options.steps, options.batch, options.rate, options.seed, options.workers)
    np.savez(options.out, **fold(model))  # type: ignore[arg-type]  # the stub takes the names for options
    print("SHA256 for tiny.py:", hashlib.sha256(options.out.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
