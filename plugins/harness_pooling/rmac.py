"""R-MAC: the maxima of a grid of regions, each normalised, summed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from harness.core.errors import InvalidInput
from harness_pooling.maps import require_maps
from harness_pooling.region_whitening import RegionWhitening
from harness_pooling.regions import Region, region_grid

if TYPE_CHECKING:
    from torch import Tensor

Interval = tuple[int, int]
"""First cell and the one after the last."""


@dataclass(frozen=True)
class RMAC:
    """Sum of normalised maxima over a grid of regions (Tolias et al. 2016; thesis 2.5).

    Formula:
        f = sum_R m_R / (|m_R| + eps), over the regions R of a grid
        m_R,c = max of x_chw over (h, w) in R

    Attributes:
        levels: number of region sizes, besides the whole map.
        eps: added to the norm of each region's vector.
        whiten: whiten the regions one by one before they are added up, by the principal components of all regions of
            the database (thesis 2.5). The released code whitens the sum only, if at all.
    """

    result_version: ClassVar[int] = 2  # grids where two numbers of regions are equally good
    any_device: ClassVar[bool] = True

    levels: Annotated[int, Ge(1)] = 3  # Tolias et al. 2016, §5.1
    eps: Annotated[float, Ge(0)] = 1e-6  # cirtorch, functional.py:26
    whiten: bool = False

    @property
    def learns(self) -> bool:
        """Whether ``fit`` has anything to learn."""
        return self.whiten

    def fit(self, maps: Iterator[Tensor]) -> RMAC | WhitenedRMAC:
        """Learn the whitening of regions from maps (C, H, W), read once and not stored; nothing where there is none.

        Raises:
            InvalidInput: no maps.
        """
        if not self.whiten:
            return self
        return WhitenedRMAC(
            self, RegionWhitening.learn((np.asarray(self.region_descriptors(image).cpu()) for image in maps), 0)
        )

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., C) float32.

        Raises:
            InvalidInput: H = 0 or W = 0, or ``whiten`` without ``fit``.
        """
        if self.whiten:
            raise InvalidInput("rmac with whiten has not seen a database", fix="pool with what fit(maps) returns")
        return sum_of_normalised(self.region_descriptors(maps), self.eps)

    def region_descriptors(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., R, C) float32: the maxima over each region of the grid."""
        require_maps(maps)
        return region_maxima(maps, region_grid(maps.shape[-2], maps.shape[-1], self.levels))


@dataclass(frozen=True)
class WhitenedRMAC:
    """R-MAC with the whitening of regions that it learnt from a database."""

    parameters: RMAC
    whitening: RegionWhitening

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., d) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return self.region_descriptors(maps).sum(-2)

    def region_descriptors(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., R, d) float32: the whitened maxima over each region of the grid."""
        import torch

        regions = self.parameters.region_descriptors(maps)
        rows = self.whitening.apply(np.asarray(regions.detach().cpu()).reshape(-1, regions.shape[-1]))
        return torch.from_numpy(rows).to(regions.device).reshape(*regions.shape[:-1], -1)


def sum_of_normalised(vectors: Tensor, eps: float, weights: Tensor | None = None) -> Tensor:
    """(..., R, C) -> (..., C): each of the R vectors divided by its norm + ``eps``, times its weight, added up."""
    import torch

    norms = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    normalised: Tensor = vectors / (norms + eps).clamp(min=torch.finfo(vectors.dtype).tiny)
    return normalised.sum(-2) if weights is None else (normalised * weights[..., None]).sum(-2)


def region_maxima(maps: Tensor, regions: tuple[Region, ...]) -> Tensor:
    """Maximum of each map (..., C, H, W) over each of R regions -> (..., R, C).

    The map is cut once at all borders of regions; a region's maximum is that of the pieces in it. So every cell is read
    once, however much the regions overlap.
    """
    import torch

    rows = sorted({(top, top + height) for top, _, height, _ in regions})
    columns = sorted({(left, left + width) for _, left, _, width in regions})
    by_rows = _interval_maxima(maps, rows, dim=-2)
    grid = _interval_maxima(by_rows, columns, dim=-1)
    row = torch.tensor([rows.index((top, top + height)) for top, _, height, _ in regions], device=maps.device)
    column = torch.tensor([columns.index((left, left + width)) for _, left, _, width in regions], device=maps.device)
    return grid[..., row, column].transpose(-1, -2)


def _interval_maxima(maps: Tensor, intervals: list[Interval], dim: int) -> Tensor:
    import torch

    borders = sorted({border for interval in intervals for border in interval})
    pieces = [maps.narrow(dim, start, stop - start).amax(dim) for start, stop in pairwise(borders)]
    cut = torch.stack(pieces, dim)
    position = {border: index for index, border in enumerate(borders)}
    return torch.stack([cut.narrow(dim, position[a], position[b] - position[a]).amax(dim) for a, b in intervals], dim)
