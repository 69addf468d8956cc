"""FS.EGM: generalised means of the regions that stand out in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import numpy as np
from annotated_types import Gt

from harness_pooling.egm import Detection
from harness_pooling.gem import power_mean
from harness_pooling.rmac import sum_of_normalised
from harness_pooling.saliency import feature_saliency

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness_pooling.regions import Region

Preset = Literal["thesis", "recommended"]


class Aggregated(Protocol):
    """What ``pooled`` asks of a method."""

    @property
    def p(self) -> float:
        """Exponent of the generalised mean."""
        ...

    @property
    def preset(self) -> Preset:
        """How regions are added up."""
        ...

    def weighed(self, saliency: NDArray[Any]) -> tuple[list[Region], NDArray[np.float64]]:
        """Regions and their weights."""
        ...


@dataclass(frozen=True)
class FeatureSaliencyEGM(Detection):
    """Sum of normalised generalised means over regions of high feature saliency (Simeoni et al. 2019; thesis 5.3.3-9).

    A Gaussian mixture is laid over the saliency map; each component that survives is a rectangle. Queries are expected
    to be crops of an object and are pooled whole.

    Formula:
        f = sum_R w_R g_R / |g_R|, over the rectangles R of a Gaussian mixture on the saliency F
        g_R,c = (mean of x_chw^p over (h, w) in R)^(1/p); w_R the weight of the component (thesis: 1)
        F_hw = sqrt(T_hw / |T|), T_hw = sum_c b_c x_chw, b_c = ln(sum_k Q_k / Q_c)
        Q_c the share of active cells of map c, plus eps

    Attributes: those of ``Detection`` (with measurements), and

        p: exponent of the generalised mean over a region.
        eps: added to each map's share of active cells (thesis eq. 5.1, which states no value).
        preset: ``thesis`` adds up the normalised regions as they are; ``recommended`` first weighs each by its
            component's weight in the mixture: without, small regions of clutter count as much as an object (mAP medium
            65.1 against 82.3, see ``Detection`` for what was measured).
    """

    weight_samples: bool = False  # as printed; measured to be the better for retrieval
    p: Annotated[float, Gt(0)] = 3.0  # Radenovic et al. 2018, §5: initial value
    eps: Annotated[float, Gt(0)] = 1e-6
    preset: Preset = "recommended"

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return pooled(maps, self.saliency(maps), self)

    def pool_query(self, maps: Tensor) -> Tensor:
        """As ``pool``, without detection: the plain generalised mean (thesis 5.4.1)."""
        return power_mean(maps, self.p)

    def saliency(self, maps: Tensor) -> Tensor:
        """Feature saliency of maps (..., C, H, W): (..., H, W) float32."""
        return feature_saliency(maps, self.eps)


def pooled(maps: Tensor, saliency: Tensor, method: Aggregated) -> Tensor:
    """Sum of the normalised descriptors of the regions detected on ``saliency`` (..., H, W): (..., C) float32."""
    import torch

    images, salient = maps.flatten(0, -4) if maps.ndim > 3 else maps[None], saliency.reshape(-1, *maps.shape[-2:])
    if not len(images):
        return maps.new_zeros(maps.shape[:-2])
    rows = [_aggregated(image, np.asarray(found), method) for image, found in zip(images, salient.cpu(), strict=True)]
    return torch.stack(rows).reshape(maps.shape[:-2])


def _aggregated(maps: Tensor, saliency: NDArray[np.float32], method: Aggregated) -> Tensor:
    """One image (C, H, W) with its saliency (H, W): (C,)."""
    regions, weights = method.weighed(saliency)
    shares = maps.new_tensor(weights) if method.preset == "recommended" else None
    return sum_of_normalised(region_means(maps, regions, method.p), 0.0, shares)


def region_means(maps: Tensor, regions: list[Region], p: float) -> Tensor:
    """Generalised mean of maps (C, H, W) over each of R regions (thesis eq. 5.10): (R, C) float32."""
    import torch

    return torch.stack([power_mean(maps[:, y : y + h, x : x + w], p) for y, x, h, w in regions])
