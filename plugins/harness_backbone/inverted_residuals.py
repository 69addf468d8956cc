"""The layers of EfficientNet-Lite0 as modules of torch; importing it loads torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, cast

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_STEM: Final = 32
_HEAD: Final = 1280
_EPS: Final = 1e-3  # of batch normalisation, as published


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    outputs: int


_STAGES: Final = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class Convolution(nn.Module):
    """Convolution, batch normalisation and, as a rule, ReLU6; ceil(side / stride) cells, as TensorFlow pads."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=_EPS, momentum=0.01)
        self.active = active
        self.step(stride)

    def step(self, stride: int = 1, dilation: int = 1) -> None:
        """Set stride and dilation. With stride 1 the padding is the same on all sides."""
        layer = self.convolution
        layer.stride, layer.dilation = (stride, stride), (dilation, dilation)
        layer.padding = (layer.kernel_size[0] // 2 * dilation,) * 2 if stride == 1 else (0, 0)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, C, h, w) to (n, outputs, ceil(h / stride), ceil(w / stride))."""
        if self.convolution.stride[0] > 1:
            maps = self._padded(maps)
        filtered: Tensor = self.norm(self.convolution(maps))
        return functional.relu6(filtered, inplace=True) if self.active else filtered

    def _padded(self, maps: Tensor) -> Tensor:
        """Padded as a stride needs it: an odd cell goes below and on the right, so it depends on the side."""
        (kernel, _), (stride, _) = self.convolution.kernel_size, self.convolution.stride
        height, width = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in maps.shape[-2:])
        return functional.pad(maps, (width // 2, width - width // 2, height // 2, height - height // 2))

    def fuse(self) -> None:
        """Make the normalisation a part of the convolution: the same output, and faster; not to be trained."""
        fused = fuse_conv_bn_eval(self.convolution, cast("nn.BatchNorm2d", self.norm))
        self.convolution, self.norm = fused, nn.Identity()


class InvertedResidual(nn.Module):
    """Expand, filter each map on its own, project; the input is added where nothing changes its size."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = Convolution(inputs, inner) if expansion > 1 else nn.Identity()
        self.spatial = Convolution(inner, inner, kernel, stride, groups=inner)
        self.project = Convolution(inner, outputs, active=False)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """(n, C, h, w) to (n, outputs, ceil(h / stride), ceil(w / stride))."""
        projected: Tensor = self.project(self.spatial(self.expand(maps)))
        return projected + maps if self.adds else projected


class Expansion(nn.Module):
    """The first layer of a block, whose maps are not negative."""

    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        self.expand = block.expand

    def forward(self, maps: Tensor) -> Tensor:
        """(n, C, h, w) to (n, 6 C, h, w)."""
        expanded: Tensor = self.expand(maps)
        return expanded


class InvertedResiduals(nn.Module):
    """EfficientNet-Lite0 without its classifier.

    Args:
        stage: 32, or 16: up to the expansion before the last stride.
        upsample: the last stride is left out, and what comes after it dilated.
    """

    def __init__(self, stage: int, upsample: bool) -> None:
        super().__init__()
        self.stem = Convolution(3, _STEM, 3, 2)
        blocks = list(_blocks())
        strides = [i for i, block in enumerate(blocks) if block.spatial.convolution.stride[0] > 1]
        end = len(blocks) if stage == 32 else strides.pop()
        if upsample:
            blocks[strides[-1]].spatial.step()
            for block in blocks[strides[-1] + 1 :]:
                block.spatial.step(dilation=2)
        self.blocks = nn.ModuleList([*blocks[:end], *(Expansion(block) for block in blocks[end : end + 1])])
        self.head = Convolution(_STAGES[-1].outputs, _HEAD) if stage == 32 else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) with normalised colours to maps (n, 672 or 1280, h, w)."""
        maps = self.stem(images)
        for block in self.blocks:
            maps = block(maps)
        headed: Tensor = self.head(maps)
        return headed


def _blocks() -> Iterator[InvertedResidual]:
    inputs = _STEM
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            yield InvertedResidual(
                inputs, stage.outputs, stage.kernel, stage.stride if repeat == 0 else 1, stage.expansion
            )
            inputs = stage.outputs
