"""ResNet50 and ResNet101 up to their last convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness_backbone.convolutional import Convolutional, renamer

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_PARTS: Final = ("conv1.", "bn1.", "relu.", "maxpool.", "layer1.", "layer2.", "layer3.", "layer4.")
"""Names in torchvision; checkpoints of cirtorch number them ``features.0.``, ``features.1.``, ..."""


@dataclass(frozen=True)
class ResNet50(Convolutional):
    """ResNet50 to its last convolution with ReLU, stride 32, 2048 maps (He et al. 2016), by torchvision.

    Formula:
        conv 7x7 / 2 (64) - max 3x3 / 2 - 3, 4, 6, 3 bottleneck blocks of 256, 512, 1024, 2048 maps - ReLU

    Attributes: those of ``Convolutional``.
    """

    @property
    def name(self) -> str:
        """As torchvision calls the network."""
        return "resnet50"

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        return 16 if self.upsample else 32

    def body(self) -> Module:
        """The network with random initial weights.

        Upsampled: the first block of layer4 loses its stride, later blocks read every second cell. torchvision has the
        stride on the 3 x 3 convolution, which itself must not be dilated.
        """
        import torchvision
        from torch import nn

        build = getattr(torchvision.models, self.name)
        network = build(weights=None, replace_stride_with_dilation=[False, False, self.upsample])
        return nn.Sequential(*list(network.children())[: len(_PARTS)])

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a state dict that belong to the body, under the body's names."""
        names = {part: f"{position}." for position, part in enumerate(_PARTS)}
        return renamer(names | {"features.": ""})(state)


@dataclass(frozen=True)
class ResNet101(ResNet50):
    """ResNet101 to its last convolution with ReLU, stride 32, 2048 maps (He et al. 2016), by torchvision.

    Formula:
        conv 7x7 / 2 (64) - max 3x3 / 2 - 3, 4, 23, 3 bottleneck blocks of 256, 512, 1024, 2048 maps - ReLU

    Attributes: those of ``Convolutional``.
    """

    @property
    def name(self) -> str:
        """As torchvision calls the network."""
        return "resnet101"
