"""The embedded backbone: four convolutions whose weights lie beside this file (see TINY.md)."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from harness.core.errors import DataDamaged
from harness.data.checkpoint import checked_sum, file_content, read_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from harness_backbone.network import ImageNetwork

WEIGHTS: Final = Path(__file__).with_name("tiny.npz")
SHA256: Final = "8e52c14d924338588a29d5e4a4cb4439479962059c3769157f12d75d13ae3c03"
"""Of the weights: so they are part of the source's digest, and other weights give other runs."""


class Layer(NamedTuple):
    """A convolution followed by a ReLU; padded so that the map shrinks by the stride only."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    dilation: int = 1

    @property
    def padding(self) -> int:
        """Cells of zeros on each border."""
        return self.dilation * (self.kernel // 2)


_COLOURS: Final = ((0.5,) * 3, (0.5,) * 3)
"""Mean and deviation: colours are scaled to [-1, 1]."""

LAYERS: Final = (Layer(3, 48, 7, 4), Layer(48, 96, 3, 2), Layer(96, 128, 3), Layer(128, 128, 1))


@dataclass(frozen=True)
class Tiny:
    """Small convolutional network, stride 8, 128 maps, trained on generated images; weights embedded (this project).

    Formula:
        conv 7x7 / 4 (48) - conv 3x3 / 2 (96) - conv 3x3 (128) - conv 1x1 (128), each with ReLU

    Attributes:
        weights: the path of other weights, ``weight0``, ``bias0``, ... ``weight3``, ``bias3`` as an ``.npz`` or as a
            state dict of torch (TINY.md); empty: the embedded ones.
        checksum: SHA-256 of that file; filled in from the file where it is not given, so that the content of the file
            is a part of every key.
    """

    weights: Literal[""] | Path = ""
    checksum: str = ""

    def __post_init__(self) -> None:
        if self.weights:
            object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        return 8

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> maps (128, ceil(H / 8), ceil(W / 8)) float32, not negative.

        Raises:
            InvalidInput: not three channels, or no pixel.
            DataMissing: there is no file of weights.
            DataDamaged: it does not hold the weights of this network.
        """
        return _network(self, str(image.device)).maps(image)

    def maps_batch(self, images: Tensor) -> Tensor:
        """Images (n, 3, H, W) of one size -> maps (n, C, h, w), as ``maps`` of each. Raises as ``maps``."""
        return _network(self, str(images.device)).maps_batch(images)

    def module(self) -> ImageNetwork:
        """A copy of the network that may be trained. Raises as ``maps``."""
        return deepcopy(_network(self, "cpu")).requires_grad_(True)

    def checkpoint(self, module: ImageNetwork) -> dict[str, Tensor]:
        """What a file of trained weights holds: ``weight0``, ``bias0``, ... float16."""
        from torch.nn import Conv2d

        convolutions = [layer for layer in module.modules() if isinstance(layer, Conv2d)]
        return {
            f"{name}{i}": value.detach().half()
            for i, layer in enumerate(convolutions)
            for name, value in layer.named_parameters()
        }


@lru_cache(maxsize=4)
def _network(tiny: Tiny, device: str) -> ImageNetwork:
    """The network with its weights, not to be trained."""
    from torch import nn

    from harness_backbone.network import ImageNetwork, placed

    tensors = _read(tiny)
    layers: list[nn.Module] = []
    for i, layer in enumerate(LAYERS):
        convolution = nn.Conv2d(
            layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, layer.dilation, device="meta"
        ).to_empty(device="cpu")
        for part, parameter in convolution.named_parameters():
            name, shape = f"{part}{i}", tuple(parameter.shape)
            if name not in tensors or tuple(tensors[name].shape) != shape:
                has = tuple(tensors[name].shape) if name in tensors else "nothing"
                raise DataDamaged(f"weights {tiny.weights} do not fit tiny: {name} is {has}, not {shape}")
            parameter.data = tensors[name].float()
        layers += [convolution, nn.ReLU(inplace=True)]
    network = ImageNetwork(nn.Sequential(*layers), *_COLOURS)
    return placed(network, device)


def _read(tiny: Tiny) -> Mapping[str, Tensor]:
    """The tensors of the embedded weights, of an ``.npz``, or of a checkpoint of torch."""
    if not tiny.weights:
        content = WEIGHTS.read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise DataDamaged(
                f"{WEIGHTS.name} is not the file that tiny was released with", fix="install the package again"
            )
        return _arrays(content, WEIGHTS.name)
    if Path(tiny.weights).suffix == ".npz":
        return _arrays(file_content(tiny.weights, tiny.checksum), str(tiny.weights))
    checkpoint = read_checkpoint(tiny.weights, tiny.checksum)
    if checkpoint.architecture not in ("", "tiny"):
        raise DataDamaged(f"weights {tiny.weights} are those of {checkpoint.architecture}", fix="a checkpoint of tiny")
    return checkpoint.state


def _arrays(content: bytes, name: str) -> Mapping[str, Tensor]:
    import torch

    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {key: file[key].astype(np.float32) for key in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataDamaged(f"weights {name} are no .npz of numbers: {error}") from error
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise DataDamaged(f"weights {name} have NaN or infinite values")
    return {key: torch.from_numpy(array) for key, array in arrays.items()}
