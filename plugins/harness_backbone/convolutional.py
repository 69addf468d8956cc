"""What the networks of torchvision share: where weights come from, normalised colours, images that are too small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from annotated_types import Ge

from harness.core.errors import DataDamaged
from harness.data.checkpoint import Checkpoint, checked_sum, read_checkpoint
from harness_backbone.imagenet import imagenet_checksum, imagenet_file

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness_backbone.network import ImageNetwork

IMAGENET: Final = "imagenet"
NONE: Final = "none"


@dataclass(frozen=True)
class Convolutional:
    """A network of torchvision up to its last convolution with ReLU.

    Attributes:
        weights: ``imagenet`` (first version of torchvision, from ``networks/imagenet`` of the data folder or downloaded
            once; compared with its published checksum), ``none`` (random initial weights), or the path of a checkpoint:
            a state dict of torchvision, or a published one of Radenovic et al. 2018.
        checksum: SHA-256 of the checkpoint; filled in from the file where it is not given, so that the content of the
            file is a part of every key. Of ``imagenet`` its first digits, as published.
        seed: of random initial weights.
        upsample: maps of twice the size by dilation instead of the last stride, with the same weights (thesis 4.4.1).
        min_side: smaller images are padded to this side by the mean colour, below and on the right.
    """

    weights: Literal["imagenet", "none"] | Path = IMAGENET
    checksum: str = ""
    seed: Annotated[int, Ge(0)] = 0
    upsample: bool = False
    min_side: Annotated[int, Ge(32)] = 67  # released code of Simeoni et al. 2019, cnn_vec.m:13

    mean: ClassVar[tuple[float, ...]] = (0.485, 0.456, 0.406)  # torchvision: colours of ImageNet
    std: ClassVar[tuple[float, ...]] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.weights == IMAGENET:
            object.__setattr__(self, "checksum", self.checksum or imagenet_checksum(self.name))
        elif self.weights != NONE:
            object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))

    @property
    def name(self) -> str:
        """As torchvision calls the network."""
        raise NotImplementedError

    def body(self) -> Module:
        """The network with the initial weights of torch's global generator."""
        raise NotImplementedError

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a state dict that belong to the body, under the body's names."""
        raise NotImplementedError

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> maps (C, h, w) float32, not negative.

        Raises:
            InvalidInput: not three channels, or no pixel.
            DataMissing: the weights cannot be had.
            DataDamaged: the weights are not those of this network.
        """
        return _network(self, str(image.device)).maps(image)

    def maps_batch(self, images: Tensor) -> Tensor:
        """Images (n, 3, H, W) of one size -> maps (n, C, h, w), as ``maps`` of each. Raises as ``maps``."""
        return _network(self, str(images.device)).maps_batch(images)

    def module(self) -> ImageNetwork:
        """A copy of the network that may be trained. Raises as ``maps``."""
        return deepcopy(_network(self, "cpu")).requires_grad_(True)

    def checkpoint(self, module: ImageNetwork) -> dict[str, Any]:
        """What a file of trained weights holds: the form of cirtorch."""
        colours = {name: getattr(module, name).flatten().tolist() for name in ("mean", "std")}
        form = dict.fromkeys(("local_whitening", "regional", "whitening"), False)
        return {"state_dict": module.state_dict(), "meta": {"architecture": self.name, **form, **colours}}


@lru_cache(maxsize=2)
def _network(backbone: Convolutional, device: str) -> ImageNetwork:
    """The network with its weights, not to be trained."""
    from harness.core.generators import torch_seeded
    from harness_backbone.network import ImageNetwork, placed

    with torch_seeded(backbone.seed):
        body = backbone.body()
    published = _weights(backbone)
    if published is not None:
        _load(backbone, body, published)
    mean, std = (published and published.mean) or backbone.mean, (published and published.std) or backbone.std
    network = ImageNetwork(body, mean, std, backbone.min_side)
    return placed(network, device)


def _weights(backbone: Convolutional) -> Checkpoint | None:
    if backbone.weights == NONE:
        return None
    if backbone.weights == IMAGENET:
        return read_checkpoint(imagenet_file(backbone.name, backbone.checksum))
    return read_checkpoint(backbone.weights, backbone.checksum)


def _load(backbone: Convolutional, body: Module, published: Checkpoint) -> None:
    what = f"weights {backbone.weights}"
    if published.architecture not in ("", backbone.name):
        raise DataDamaged(f"{what} are those of {published.architecture}", fix=f"a checkpoint of {backbone.name}")
    try:
        missing, unknown = body.load_state_dict(backbone.renamed(published.state), strict=False)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise DataDamaged(f"{what} do not fit {backbone.name}: {reason}") from error
    # Files from before 2018 do not count batches, which only training needs.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unknown:
        names = ", ".join(sorted({*missing, *unknown})[:3])
        raise DataDamaged(
            f"{what} do not fit {backbone.name}: {len(missing)} tensors missing, {len(unknown)} unknown ({names}, ...)"
        )


def renamer(names: Mapping[str, str]) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
    """A function that keeps the tensors whose name begins with a key and puts the value in its place."""

    def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            new + name[len(old) :]: value
            for name, value in state.items()
            for old, new in names.items()
            if name.startswith(old)
        }

    return renamed
