"""FS.EGM: generalised means of the regions that stand out in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt

from harness_pooling.egm import Detection
from harness_pooling.gem import power_mean, region_means
from harness_pooling.rmac import sum_of_normalised
from harness_pooling.saliency import feature_saliency

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RegionPooling(Detection):
    """What ``fs-egm`` and ``os-egm`` do with the regions that they detect.

    Attributes: those of ``Detection``, and

        p: exponent of the generalised mean over a region.
        eps: added to each map's share of active cells (thesis eq. 5.1, which states no value).
        preset: ``thesis`` adds up the normalised regions as they are; ``recommended`` first weighs each by its
            component's weight in the mixture: without, small regions of clutter count as much as an object.
        query: how queries are pooled: ``whole``, by the plain generalised mean; by ``regions``, as the database;
            ``auto``: with the preset ``thesis`` whole, else by regions where a query has no box, as it then shows more
            than an object.
    """

    result_version: ClassVar[int] = 3

    weight_samples: bool = False  # as printed; measured to be the better for retrieval (docs/representation.md)
    p: Annotated[float, Gt(0)] = 3.0  # Radenovic et al. 2018, §5: initial value
    eps: Annotated[float, Gt(0)] = 1e-6
    preset: Literal["thesis", "recommended"] = "recommended"
    query: Literal["auto", "whole", "regions"] = "auto"

    def whole(self, maps: Tensor) -> Tensor:
        """Without detection: the plain generalised mean (thesis 5.4.1)."""
        return power_mean(maps, self.p)

    def queries_by_regions(self, cropped: bool) -> bool:
        """Whether a query is pooled as the images of the database are."""
        if self.query == "auto":
            return self.preset == "recommended" and not cropped
        return self.query == "regions"

    def aggregated(self, maps: Tensor, saliency: Tensor) -> Tensor:
        """Sum of the normalised descriptors of the regions detected on ``saliency`` (..., H, W): (..., C) float32."""
        import torch

        images, salient = maps.flatten(0, -4) if maps.ndim > 3 else maps[None], saliency.reshape(-1, *maps.shape[-2:])
        if not len(images):
            return maps.new_zeros(maps.shape[:-2])
        rows = [self._aggregated(*pair) for pair in zip(images, salient.cpu(), strict=True)]
        return torch.stack(rows).reshape(maps.shape[:-2])

    def _aggregated(self, maps: Tensor, saliency: Tensor) -> Tensor:
        """One image (C, H, W) with its saliency (H, W): (C,)."""
        regions, weights = self.weighed(np.asarray(saliency))
        shares = maps.new_tensor(weights) if self.preset == "recommended" else None
        return sum_of_normalised(region_means(maps, regions, self.p), 0.0, shares)


@dataclass(frozen=True)
class FeatureSaliencyEGM(RegionPooling):
    """Sum of normalised generalised means over regions of high feature saliency (Simeoni et al. 2019; thesis 5.3.3-9).

    A Gaussian mixture is laid over the saliency map; each component that survives is a rectangle. Queries that are
    crops of an object are pooled whole.

    Formula:
        f = sum_R w_R g_R / |g_R|, over the rectangles R of a Gaussian mixture on the saliency F
        g_R,c = (mean of x_chw^p over (h, w) in R)^(1/p); w_R the weight of the component (thesis: 1)
        F_hw = sqrt(T_hw / |T|), T_hw = sum_c b_c x_chw, b_c = ln(sum_k Q_k / Q_c)
        Q_c the share of active cells of map c, plus eps

    Attributes: those of ``RegionPooling``.
    """

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return self.aggregated(maps, self.saliency(maps))

    def pool_query(self, maps: Tensor) -> Tensor:
        """As ``pool``, of a query with a box."""
        return self.pool(maps) if self.queries_by_regions(cropped=True) else self.whole(maps)

    def pool_uncropped_query(self, maps: Tensor) -> Tensor:
        """As ``pool``, of a query without a box."""
        return self.pool(maps) if self.queries_by_regions(cropped=False) else self.whole(maps)

    def saliency(self, maps: Tensor) -> Tensor:
        """Feature saliency of maps (..., C, H, W): (..., H, W) float32."""
        return feature_saliency(maps, self.eps)
