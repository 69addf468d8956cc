"""SuperGlobal pooling: Regional-GeM, then GeM with a larger exponent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, Gt

from harness.core.errors import InvalidInput
from harness_pooling.gem import power_mean
from harness_pooling.maps import require_maps

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SuperGlobal:
    """Generalised mean of maps that were averaged with their own neighbourhoods (Shao et al. 2023, SuperGlobal).

    Nothing is trained: it sharpens what a network trained with ``gem`` gives. Over scales the paper takes the entrywise
    maximum: ``protocol: {scales: [0.7071, 1.0, 1.4142], scale_power: inf}``. Its linear layer is the whitening here.

    Costs a power of every cell more than ``gem``.

    Formula:
        b_chw = x_chw / 2 + (mean of x_cij^regional_p over the window around (h, w))^(1/regional_p) / 2
        f_c = (mean of max(b_chw, eps)^p over (h, w))^(1/p)

    Attributes:
        p: exponent of the mean of each map (GeM+); that of a trained GeM is about 3.
        regional_p: exponent of the mean of a neighbourhood (Regional-GeM).
        window: side of a neighbourhood in cells, odd; 1 leaves the maps as they are. Maps are reflected at their
            border, and a map that is too small to be (half a window or less on a side) stays as it is.
        eps: lowest activation of the mean of each map; 0 pools activations as they are.
    """

    result_version: ClassVar[int] = 2  # means of whole exponents in float64
    any_device: ClassVar[bool] = True

    p: Annotated[float, Gt(0)] = 4.6  # Shao et al. 2023, released code (GeM+)
    regional_p: Annotated[float, Gt(0)] = 2.5  # Shao et al. 2023, released code (Regional-GeM)
    window: Annotated[int, Ge(1)] = 5  # Shao et al. 2023, released code
    eps: Annotated[float, Ge(0)] = 1e-8  # Shao et al. 2023, released code

    def __post_init__(self) -> None:
        if self.window % 2 == 0:
            raise InvalidInput(f"window = {self.window} has no middle", fix="an odd number of cells, such as 5")

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32.

        Raises:
            InvalidInput: H = 0 or W = 0, or a negative activation, of which there is no power.
        """
        require_maps(maps)
        return power_mean(with_neighbourhoods(maps, self.regional_p, self.window), self.p, self.eps)


def with_neighbourhoods(maps: Tensor, p: float, window: int) -> Tensor:
    """Each cell of maps (..., H, W) in the mean with the generalised mean of the window around it.

    Raises:
        InvalidInput: a negative activation.
    """
    import torch
    from torch.nn.functional import avg_pool2d, pad

    border, (height, width) = window // 2, maps.shape[-2:]
    if border == 0 or min(height, width) <= border:
        return maps
    rows = maps.reshape(-1, 1, height, width)
    largest = rows.detach().amax((-2, -1), keepdim=True)
    if len(rows) and float(rows.detach().amin()) < 0:
        raise InvalidInput("superglobal has no power of a negative activation", fix="a backbone that ends in a ReLU")
    # The maximum is factored out, so that no power overflows.
    scale = largest.clamp(min=torch.finfo(maps.dtype).tiny)
    powers = pad((rows / scale).pow(p), (border,) * 4, mode="reflect")
    means = avg_pool2d(avg_pool2d(powers, (window, 1), 1), (1, window), 1)
    # The root has an infinite gradient at 0, where the neighbourhood is empty.
    tiny = torch.finfo(maps.dtype).tiny
    around = means.clamp(min=tiny).pow(1 / p) * (means > 0) * scale
    averaged: Tensor = (rows + around) / 2
    return averaged.reshape(maps.shape)
