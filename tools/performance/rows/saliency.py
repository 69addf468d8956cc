"""Object saliency of one image beside the product of all its cells with all regions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from comparisons import Comparison, agree, compared

_REGIONS = 100_000


def activations() -> Any:
    """Sparse maps (512, 48, 64), strong on four objects, weak between them."""
    import torch

    y, x = np.mgrid[:48, :64]
    objects = [(12, 15, 6), (30, 40, 8), (38, 10, 4), (10, 55, 5)]
    strength = 0.15 + sum(np.exp(-0.5 * (((y - a) / s) ** 2 + ((x - b) / s) ** 2)) for a, b, s in objects)
    noise = torch.randn(512, 48, 64, generator=torch.Generator().manual_seed(0))
    return torch.relu(noise - 0.8) * torch.from_numpy(strength).float()


def _saliency(search: Any, apart: float) -> Comparison:
    """The second pass of OS.EGM: what each salient cell of an image sums over the regions most like it."""
    import torch

    from harness_pooling.os_egm import FittedObjectSaliency, ObjectSaliencyEGM
    from harness_pooling.region_whitening import RegionWhitening
    from harness_pooling.saliency import RegionIndex

    parameters, maps, rng = ObjectSaliencyEGM(search=search, preset="thesis"), activations(), np.random.default_rng(0)
    rows = np.maximum(rng.standard_normal((2_000, len(maps))), 0).astype(np.float32)
    whitening = RegionWhitening.learn([rows], parameters.dim)
    centres = whitening.apply(rows)
    regions = centres[rng.integers(len(centres), size=_REGIONS)]
    regions = regions + 0.09 * rng.standard_normal(regions.shape).astype(np.float32)
    regions /= np.linalg.norm(regions, axis=1, keepdims=True)
    worth = rng.random(_REGIONS).astype(np.float32)
    fitted = FittedObjectSaliency(parameters, whitening, RegionIndex(regions, worth, search))
    there, weights = torch.from_numpy(regions), torch.from_numpy(worth)

    def plain() -> Any:
        own = parameters.first_pass.saliency(maps) ** parameters.theta
        asked = torch.from_numpy(parameters.samples(own.numpy()) > 0)
        side = parameters.patch
        patches = torch.nn.functional.max_pool2d(maps, side, 1, side // 2)[:, asked].T
        patches = torch.nn.functional.normalize(patches) - torch.from_numpy(whitening.mean)
        patches = torch.nn.functional.normalize(patches @ torch.from_numpy(whitening.projection).T)
        best = (patches @ there.T).topk(parameters.neighbours)
        result = torch.zeros_like(own)
        result[asked] = own[asked] * (best.values.clamp(min=0) * weights[best.indices]).sum(1)
        return result

    def same(ours: Any, theirs: Any) -> None:
        agree(int((theirs > 0).sum()) > 1_600, "cells that are asked about")
        agree(float((ours - theirs).abs().sum() / theirs.sum()) <= apart, "saliency")

    return Comparison(lambda: fitted.saliency(maps), plain, same)


for _search, _apart, _aim in (("exact", 1e-5, 250), ("approximate", 0.2, 100)):
    compared(
        f"object saliency, {_search}",
        f"1,662 cells, {_REGIONS:,} regions of 96",
        "torch, all products",
        f"saliency to {_apart:.3g} in the mean",
        "torch",
        aim=_aim,
    )(partial(_saliency, _search, _apart))
