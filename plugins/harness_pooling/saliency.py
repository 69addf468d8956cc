"""Saliency maps: from one image's activations (FS), and from what repeats in a collection (OS)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from harness_pooling.maps import active_share, require_maps

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float32]

Search = Literal["exact", "approximate"]

_PROBED: Final = 32
"""Of the lists of the approximate index, the share that is searched is one in this many."""


def feature_saliency(maps: Tensor, eps: float = 1e-6) -> Tensor:
    """Feature saliency (thesis eq. 5.1-5.2): rarely active maps count more; the sum is normalised as in CroW.

    Args:
        maps: (..., C, H, W) float32, not negative.
        eps: added to each map's share of active cells, so that the weight of an empty map is finite.

    Returns:
        (..., H, W) float32, not negative: the root of each cell's share of the sum's norm. Zeros for empty maps.

    Raises:
        InvalidInput: fewer than three dimensions, or H = 0 or W = 0.
    """
    import torch

    require_maps(maps)
    active = active_share(maps) + eps
    weights = torch.log(active.sum(-1, keepdim=True) / active)
    total = (weights[..., None, :] @ maps.flatten(-2))[..., 0, :].reshape(maps.shape[:-3] + maps.shape[-2:])
    # A power of the largest value would overflow in float32: it is divided out before the norm.
    tiny = torch.finfo(maps.dtype).tiny
    total = total / total.amax((-2, -1), keepdim=True).clamp(min=tiny)
    norm = torch.linalg.vector_norm(total, dim=(-2, -1), keepdim=True)
    salient: Tensor = (total / norm.clamp(min=tiny)).sqrt()  # a = b = 2, Kalantidis et al. 2016, §4.1
    return salient


def patches(maps: Tensor, side: int, p: float) -> Tensor:
    """The generalised mean of each map over a square of ``side`` cells around every cell, clipped at the border.

    Args:
        maps: (C, H, W) float32, not negative.
        side: of the square; where it is even, the larger half lies above and to the left.
        p: exponent, above 0; infinity is the maximum.

    Returns:
        (C, H, W) float32.
    """
    import torch

    pad = side // 2
    if p == float("inf"):
        return _running_maxima(_running_maxima(maps, side, -2), side, -1)
    scale = maps.amax().clamp(min=torch.finfo(maps.dtype).tiny)
    powers = (maps / scale).pow(p)[None]
    means = torch.nn.functional.avg_pool2d(powers, side, 1, pad, count_include_pad=False)
    return means[0, :, : maps.shape[-2], : maps.shape[-1]].pow(1 / p) * scale


def _running_maxima(maps: Tensor, side: int, dim: int) -> Tensor:
    """Maximum over ``side`` neighbours along one dimension; windows double in width until they have it."""
    import torch

    before, after = side // 2, side - 1 - side // 2
    # Zeros outside change no maximum of activations that are not negative.
    maxima = torch.nn.functional.pad(maps, (0, 0, before, after) if dim == -2 else (before, after))
    width = 1
    while width < side:
        step = min(width, side - width)
        length = maxima.shape[dim] - step
        maxima = torch.maximum(maxima.narrow(dim, 0, length), maxima.narrow(dim, step, length))
        width += step
    return maxima


class RegionIndex:
    """Regions of a collection with their worth, searched by descriptor.

    Args:
        descriptors: (n, d) float32, rows of norm 1 or zero.
        worth: (n,) float32, not negative: feature saliency times centrality.
        search: ``exact``, or ``approximate`` with an inverted file (lists of similar regions, one in 32 of them
            searched).
    """

    def __init__(self, descriptors: Floats, worth: Floats, search: Search = "exact") -> None:
        self.descriptors = np.ascontiguousarray(descriptors, np.float32)
        self.worth = np.asarray(worth, np.float32)
        self._index = _inverted_file(self.descriptors) if search == "approximate" else None

    def neighbours(self, patches: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
        """Similarities and positions (m, k) of the regions nearest to each patch (m, d), -1 where there are none."""
        if self._index is None:
            from harness.search import top_k

            best = top_k(patches, self.descriptors, k)
            return best.scores, best.indices
        # Lists of 16 bits a number are read in half the time; similarities come from the descriptors themselves.
        rows = np.ascontiguousarray(patches, np.float32)
        positions = self._index.search(rows, k)[1]
        return np.einsum("md,mkd->mk", rows, self.descriptors[positions]), positions

    def recall(self, patches: Floats, k: int) -> float:
        """Share of the k nearest regions of some patches (m, d) that the search finds."""
        from harness.search import top_k

        k = min(k, len(self.descriptors))
        exact, found = top_k(patches, self.descriptors, k).indices, self.neighbours(patches, k)[1]
        return float((exact[:, :, None] == found[:, None, :]).any(axis=2).mean())

    def regress(self, patches: Floats, k: int) -> Floats:
        """The sum of eq. 5.14 for patches (m, d): worth of the k nearest regions times similarity -> (m,) float32.

        Negative similarities count as 0.
        """
        similarities, positions = self.neighbours(patches, k)
        weights = np.where(positions >= 0, np.maximum(similarities, 0), 0)
        sums: Floats = (weights * self.worth[positions]).sum(axis=1, dtype=np.float32)
        return sums


def _inverted_file(descriptors: Floats) -> Any:
    import faiss

    n, dimension = descriptors.shape
    lists = max(1, min(int(4 * np.sqrt(n)), n // 39))  # faiss guidelines: 4 sqrt(n) lists, 39 points a list
    centroids, halves, product = faiss.IndexFlatIP(dimension), faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFScalarQuantizer(centroids, dimension, lists, halves, product, False)
    index.train(descriptors)
    index.add(descriptors)
    index.nprobe = -(-lists // _PROBED)
    return index
