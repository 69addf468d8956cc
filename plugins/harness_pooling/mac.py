"""MAC: the maximum of each map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness_pooling.maps import require_maps

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MAC:
    """Maximum of each map (Azizpour et al. 2014, Tolias et al. 2016; thesis eq. 2.12).

    Formula:
        f_c = max_hw x_chw
    """

    takes_signed: ClassVar[bool] = True
    any_device: ClassVar[bool] = True

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        require_maps(maps)
        return maps.amax((-2, -1))
