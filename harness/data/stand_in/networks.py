"""Stand-ins of networks: random weights in the layouts of torchvision and of cirtorch, with ``meta`` and ``Lw``.

Convolutions with as many outputs share one block of random numbers, so that files are small.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import torch

_DIMENSIONS: Final = {"vgg16": 512, "resnet101": 2048}
_GEM: Final = {
    "vgg16": "retrievalSfM120k-vgg16-gem-b4dcdc6.pth",
    "resnet101": "retrievalSfM120k-resnet101-gem-b80fb85.pth",
}
"""The names of Radenovic et al. 2018."""
_IMAGENET: Final = {"vgg16": "vgg16-397923af.pth", "resnet101": "resnet101-63fe2227.pth"}
"""The names of torchvision, first version."""
_TRAINED: Final = ("vgg16-mac", "resnet101-mac", "resnet101-gem")
_PARTS: Final = ("conv1.", "bn1.", "relu.", "maxpool.", "layer1.", "layer2.", "layer3.", "layer4.")
_SHIFTS: Final = 1 << 16
"""Positions of a block at which a tensor may begin."""
_RESIDUAL: Final = 0.25
"""Scale of the last normalisation of a block: with 1, the outputs of 33 random blocks grow beyond measure."""


def write_networks(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """All networks and whitenings that the boards of the thesis name, and torchvision's of ImageNet."""
    files = {f"thesis/{network}-mac.pth": (network, "mac") for network in _DIMENSIONS}
    files |= {file: (network, "gem") for network, file in _GEM.items()}
    for name in _TRAINED:
        network, pooling = name.split("-")
        files |= {f"thesis/{name}-{training}.pth": (network, pooling) for training in ("tr", "tsp")}
    for number, (file, (network, pooling)) in enumerate(sorted(files.items())):
        _save(folder / file, _published(network, pooling, [seed, number]))
    for network, file in _IMAGENET.items():
        _save(folder / "imagenet" / file, _state(network, [seed, len(files), _DIMENSIONS[network]], body=False))
        whitening = {"state_dict": {}, "meta": {"Lw": _whitening(network)}}
        _save(folder / "whitening" / f"{network}-imagenet-gem.pth", whitening)


def _published(network: str, pooling: str, seed: list[int]) -> dict[str, Any]:
    """A file of cirtorch."""
    import torch

    state = _state(network, seed, body=True)
    if pooling == "gem":
        state["pool.p"] = torch.tensor([3.0])
    meta = {
        "architecture": network,
        "local_whitening": False,
        "pooling": pooling,
        "regional": False,
        "whitening": False,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "outputdim": _DIMENSIONS[network],
        "Lw": _whitening(network),
    }
    return {"meta": meta, "state_dict": state}


def _whitening(network: str) -> dict[str, Any]:
    """A whitening that changes nothing, as if learnt on SfM-120k at one scale and at several."""
    size = _DIMENSIONS[network]
    learnt = {"m": np.zeros((size, 1), np.float32), "P": np.eye(size, dtype=np.float32)}
    return {"retrieval-SfM-120k": {"ss": learnt, "ms": learnt}}


def _state(network: str, seed: list[int], *, body: bool) -> dict[str, torch.Tensor]:
    """Names and shapes of torchvision; with ``body`` only up to the last convolution, under the names of cirtorch."""
    import torch
    import torchvision

    with torch.device("meta"):
        shapes = getattr(torchvision.models, network)(weights=None).state_dict()
    largest: dict[int, int] = {}
    for value in shapes.values():
        if value.ndim == 4:
            largest[_fan(value)] = max(largest.get(_fan(value), 0), value.numel())
    rng = np.random.default_rng(seed)
    blocks = {fan: _block(rng, fan, size + _SHIFTS) for fan, size in largest.items()}
    names = {name: _cirtorch(name) if body else name for name in shapes}
    return {
        names[name]: _tensor(name, value, 7919 * number % _SHIFTS, blocks)
        for number, (name, value) in enumerate(shapes.items())
        if names[name]
    }


def _fan(weight: torch.Tensor) -> int:
    """Outputs that one input of a convolution reaches."""
    return weight.shape[0] * weight.shape[2] * weight.shape[3]


def _block(rng: np.random.Generator, fan: int, size: int) -> torch.Tensor:
    import torch

    return torch.from_numpy(rng.standard_normal(size, np.float32) * np.float32((2 / fan) ** 0.5))


def _tensor(name: str, like: torch.Tensor, start: int, blocks: Mapping[int, torch.Tensor]) -> torch.Tensor:
    import torch

    if name.startswith(("classifier.", "fc.")):
        return torch.zeros(()).expand(like.shape)
    if like.ndim == 4:
        return blocks[_fan(like)][start : start + like.numel()].view(like.shape)
    if like.ndim == 0:
        return torch.zeros((), dtype=like.dtype)
    if name.endswith((".running_var", "bn1.weight", "bn2.weight", "downsample.1.weight")):
        return torch.ones(like.shape)
    return torch.full(like.shape, _RESIDUAL if name.endswith("bn3.weight") else 0.0)


def _cirtorch(name: str) -> str:
    """``layer1.0.conv1.weight`` -> ``features.4.0.conv1.weight``; empty for what comes after the last convolution."""
    if name.startswith("features."):
        return name
    number = next((place for place, part in enumerate(_PARTS) if name.startswith(part)), None)
    return "" if number is None else f"features.{number}.{name.removeprefix(_PARTS[number])}"


def _save(file: Path, content: Mapping[str, Any]) -> None:
    import torch

    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(content), file)
