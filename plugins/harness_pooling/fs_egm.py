"""FS.EGM: generalised means of the regions that stand out in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt

from harness_pooling.egm import Detection
from harness_pooling.gem import power_mean
from harness_pooling.rmac import sum_of_normalised
from harness_pooling.saliency import feature_saliency

if TYPE_CHECKING:
    from torch import Tensor

    from harness_pooling.regions import Region


@dataclass(frozen=True)
class FeatureSaliencyEGM(Detection):
    """Sum of normalised generalised means over regions of high feature saliency (Simeoni et al. 2019; thesis 5.3.3-9).

    A Gaussian mixture is laid over the saliency map; each component that survives is a rectangle. Queries are expected
    to be crops of an object and are pooled whole.

    Attributes: those of ``Detection`` (with measurements), and

        p: exponent of the generalised mean over a region.
        eps: added to each map's share of active cells (thesis eq. 5.1, which states no value).
    """

    p: Annotated[float, Gt(0)] = 3.0  # Radenovic et al. 2018, §5: initial value
    eps: Annotated[float, Gt(0)] = 1e-6

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return pooled(maps, self.saliency(maps), self, self.p)

    def pool_query(self, maps: Tensor) -> Tensor:
        """As ``pool``, without detection: the plain generalised mean (thesis 5.4.1)."""
        return power_mean(maps, self.p)

    def saliency(self, maps: Tensor) -> Tensor:
        """Feature saliency of maps (..., C, H, W): (..., H, W) float32."""
        return feature_saliency(maps, self.eps)


def pooled(maps: Tensor, saliency: Tensor, detection: Detection, p: float) -> Tensor:
    """Sum of the normalised descriptors of the regions detected on ``saliency`` (..., H, W): (..., C) float32."""
    import torch

    images, salient = maps.flatten(0, -4) if maps.ndim > 3 else maps[None], saliency.reshape(-1, *maps.shape[-2:])
    if not len(images):
        return maps.new_zeros(maps.shape[:-2])
    rows = [
        sum_of_normalised(region_means(image, detection.detect(np.asarray(found)), p), 0.0)
        for image, found in zip(images, salient.detach().cpu(), strict=True)
    ]
    return torch.stack(rows).reshape(maps.shape[:-2])


def region_means(maps: Tensor, regions: list[Region], p: float) -> Tensor:
    """Generalised mean of maps (C, H, W) over each of R regions (thesis eq. 5.10): (R, C) float32."""
    import torch

    return torch.stack([power_mean(maps[:, y : y + h, x : x + w], p) for y, x, h, w in regions])
