"""GeM: the generalised mean of each map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np
from annotated_types import Gt

from harness.core.errors import InvalidInput
from harness_pooling.maps import require_maps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from harness_pooling.regions import Region

_INFINITE: Final = float("inf")

_LARGEST_COMPILED: Final = 6
"""Whole exponents up to here are compiled: such a power of any float32 number is within the range of float64."""

_BLOCK_CELLS: Final = 1_600_000
"""Cells worked on at once: few enough for the temporaries to stay in the processor's cache, and enough for the threads
of one operation not to wait for each other most of the time."""

_SMALL: Final = 1.0000000031710769e-30
"""1e-30 in float32. Means of powers above this have lost nothing to underflow that float32 shows."""
_LARGE: Final = 9.999999680285692e37
"""1e38 in float32. Means of powers below this have not overflowed."""


@dataclass(frozen=True)
class GeM:
    """Generalised mean of each map (Radenovic et al. 2018; thesis eq. 2.13).

    Formula:
        f_c = (1/(H W) sum_hw x_chw^p)^(1/p)

    On a CPU, whole exponents up to 6 give the same bits on every processor and with any number of threads.

    Attributes:
        p: exponent; 1 is SPoC, ``inf`` is MAC. Any size: the maximum is factored out, so that no power overflows.
        eps: lowest activation with preset ``released-code``.
        preset: ``thesis`` pools the activations as they are: an empty map gives 0. ``released-code`` lifts every
            activation to ``eps`` first: an empty map gives ``eps``, so all blank images get the same descriptor.
    """

    result_version: ClassVar[int] = 2  # sums in float64
    any_device: ClassVar[bool] = True

    p: Annotated[float, Gt(0)] | Literal["inf"] = 3.0  # Radenovic et al. 2018, §5: initial value
    eps: Annotated[float, Gt(0)] = 1e-6  # cirtorch, functional.py:21
    preset: Literal["thesis", "released-code"] = "thesis"

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return power_mean(maps, float(self.p), self.lowest)

    @property
    def lowest(self) -> float:
        """Value to which smaller activations are lifted."""
        return 0.0 if self.preset == "thesis" else self.eps


def power_mean(maps: Tensor, p: float, lowest: float = 0.0) -> Tensor:
    """Generalised mean over the last two dimensions, ``(mean of max(maps, lowest)^p)^(1/p)``.

    Args:
        maps: (..., C, H, W) float32.
        p: exponent, above 0, may be infinite.
        lowest: activations below count as this; not negative.

    Returns:
        (..., C) float32, differentiable; the gradient of an empty map is zero.

    Raises:
        InvalidInput: H = 0 or W = 0.
    """
    import torch

    require_maps(maps)
    if _is_compiled(maps, p):
        from harness_pooling.powers import power_means

        array = _array(maps)
        pooled = np.empty(array.shape[:-2], np.float32)
        power_means(array.reshape(pooled.size, math.prod(array.shape[-2:])), int(p), float(lowest), pooled.reshape(-1))
        return torch.from_numpy(pooled)
    if p == _INFINITE:
        return maps.amax((-2, -1)).clamp(min=lowest)
    if _has_gradient(maps):
        return _scaled_mean(maps, p, lowest)
    rows = maps.reshape(-1, *maps.shape[-2:])
    block = max(1, _BLOCK_CELLS // (maps.shape[-2] * maps.shape[-1]))
    means = [_plain_mean(group, p, lowest) for group in torch.split(rows, block) if len(group)]
    return torch.cat([*means, maps.new_empty(0)]).reshape(maps.shape[:-2])


def region_means(maps: Tensor, regions: Sequence[Region], p: float, lowest: float = 0.0) -> Tensor:
    """``power_mean`` of maps (..., C, H, W) over each of R regions: (..., R, C) float32. Arguments and errors as there.

    Small whole exponents read the maps once, whatever the number of regions.

    Raises:
        InvalidInput: a region without a cell, or not within the maps.
    """
    import torch

    require_maps(maps)
    cells = np.array(regions, np.int64).reshape(-1, 4)
    first, sides = cells[:, :2], cells[:, 2:]
    if (first < 0).any() or (sides < 1).any() or (first + sides > maps.shape[-2:]).any():
        text = f"regions {[tuple(map(int, region)) for region in regions]} of maps of shape {tuple(maps.shape)}"
        raise InvalidInput(text, fix="first row, first column, height, width of one cell or more within the maps")
    if _is_compiled(maps, p):
        from harness_pooling.powers import region_power_means

        *images, channels, height, width = maps.shape
        array = _array(maps).reshape(math.prod(images), channels, height, width)
        means = np.empty((len(array), len(regions), channels), np.float32)
        region_power_means(array, cells, int(p), float(lowest), means)
        return torch.from_numpy(means.reshape(*images, len(regions), channels))
    of_region = {region: power_mean(_cut(maps, region), p, lowest) for region in dict.fromkeys(regions)}
    return torch.stack([of_region[region] for region in regions], -2)


def _is_compiled(maps: Tensor, p: float) -> bool:
    """Whether compiled code pools these maps: it has no gradient, and knows float32 and small whole exponents."""
    import torch

    whole = p % 1 == 0 and p <= _LARGEST_COMPILED
    return whole and maps.dtype == torch.float32 and maps.device.type == "cpu" and not _has_gradient(maps)


def _array(maps: Tensor) -> NDArray[np.float32]:
    """Their numbers, contiguous: a view where they are."""
    return np.ascontiguousarray(maps.detach().numpy())


def _cut(maps: Tensor, region: Region) -> Tensor:
    y, x, h, w = region
    return maps[..., y : y + h, x : x + w]


def _has_gradient(maps: Tensor) -> bool:
    if not maps.requires_grad:
        return False
    import torch

    return torch.is_grad_enabled()


def _plain_mean(maps: Tensor, p: float, lowest: float) -> Tensor:
    """(..., H, W) -> (...,): the formula as it stands; maps whose powers are too large or too small for it are scaled.

    Operations in place, and on numbers of Python, are the fewest.
    """
    mean = maps.clamp_min(lowest).pow_(p).mean((-2, -1))
    # Powers of 1 and above need not be known, and may be too large for a number.
    if lowest >= 1 or lowest**p > 2 * _SMALL:
        within = mean.max().item() < _LARGE
    else:
        least, largest = mean.aminmax()
        within = least.item() > _SMALL and largest.item() < _LARGE
    if within:
        return mean.pow_(1 / p)
    doubtful = ((mean > _SMALL) & (mean < _LARGE)).logical_not_().nonzero(as_tuple=True)
    some, result = maps[doubtful], mean.pow_(1 / p)
    if lowest > 0 or not some.max().item() <= 0:  # a map without activation has its mean: 0
        result[doubtful] = _scaled_mean(some, p, lowest)
    return result


def _scaled_mean(rows: Tensor, p: float, lowest: float) -> Tensor:
    """(..., H, W) -> (...,): the same with the maximum of each map factored out."""
    import torch

    tiny = torch.finfo(rows.dtype).tiny
    values = rows.clamp(min=lowest)
    # The result does not depend on the scale: no gradient need pass through it.
    scale = values.detach().amax((-2, -1), keepdim=True).clamp(min=tiny)
    mean = torch.pow(values / scale, p).mean((-2, -1))
    # An empty row would have an infinite gradient under the root: below the clamp it is zero.
    return mean.clamp(min=tiny).pow(1 / p) * scale[..., 0, 0] * (mean > 0)
