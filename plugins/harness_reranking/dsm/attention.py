"""Where two images match: the regions of the inliers, as masks over the maps (thesis 4.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness_reranking.dsm.features import Features


def region_masks(values: NDArray[np.float32], features: Features, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where each channel is to be pooled.

    Over the union of the regions of its chosen features; everywhere in a channel without any (thesis 4.5.1).

    Args:
        values: (C, H, W) float32, the map of the features' only scale.
        features: bright regions found in it.
        chosen: (m,) positions among the features: the inliers.

    Returns:
        (C, H, W) bool, some of every channel true.
    """
    from scipy import ndimage

    from harness_reranking.dsm.mser import quantise

    width, neighbours = values.shape[2], np.ones((3, 3), bool)
    quantised = quantise(np.ascontiguousarray(values), features.gain)
    masks = np.zeros(values.shape, bool)
    for channel, seed in zip(features.channels[chosen], features.seeds[chosen], strict=True):
        cell = divmod(int(seed), width)
        regions, _ = ndimage.label(quantised[channel] >= quantised[channel][cell], neighbours)
        masks[channel] |= regions == regions[cell]
    masks[~masks.any(axis=(1, 2))] = True
    return masks
