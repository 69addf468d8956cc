"""Regional GeM: the generalised means of a grid of regions, each normalised, summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt

from harness_pooling.gem import GeM, region_means
from harness_pooling.maps import require_maps
from harness_pooling.regions import region_grid
from harness_pooling.rmac import sum_of_normalised

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RGeM:
    """Sum of normalised generalised means over the regions of R-MAC (Radenovic et al. 2018; thesis 2.5, eq. 2.13).

    Formula:
        f = sum_R g_R / (|g_R| + eps), over the regions R of a grid
        g_R,c = (mean of x_chw^p over (h, w) in R)^(1/p)

    Attributes:
        p: exponent of the generalised mean.
        levels: number of region sizes, besides the whole map.
        eps: added to the norm of each region's vector; with preset ``released-code`` also the lowest activation.
        preset: as for ``gem``.
    """

    result_version: ClassVar[int] = 3  # generalised means in float64
    any_device: ClassVar[bool] = True

    p: Annotated[float, Gt(0)] = 3.0  # Radenovic et al. 2018, §5: initial value
    levels: Annotated[int, Ge(1)] = 3  # Tolias et al. 2016, §5.1
    eps: Annotated[float, Gt(0)] = 1e-6  # cirtorch, functional.py:26
    preset: Literal["thesis", "released-code"] = "thesis"

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return sum_of_normalised(self.region_descriptors(maps), self.eps)

    def region_descriptors(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., R, C) float32: the generalised means over the regions."""
        require_maps(maps)
        regions = region_grid(maps.shape[-2], maps.shape[-1], self.levels)
        return region_means(maps, regions, self.p, GeM(self.p, self.eps, self.preset).lowest)
