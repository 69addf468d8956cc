"""SPoC: the mean of each map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness_pooling.maps import require_maps

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SPoC:
    """Mean of each map (Babenko and Lempitsky 2015; thesis eq. 2.11).

    Formula:
        f_c = 1/(H W) sum_hw x_chw
    """

    takes_signed: ClassVar[bool] = True
    any_device: ClassVar[bool] = True

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        require_maps(maps)
        return maps.mean((-2, -1))
