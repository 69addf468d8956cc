"""Poolings and saliency beside what one would write first."""

from __future__ import annotations

from functools import partial
from typing import Any

from comparisons import Comparison, compared


def maps_of(images: int) -> Any:
    """Activations (images, 512, 48, 64)."""
    import torch

    return torch.rand(images, 512, 48, 64, generator=torch.Generator().manual_seed(0))


def _gem(shape: tuple[int, ...], threads: int) -> Comparison:
    import torch

    from harness_pooling.gem import GeM

    maps = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    gem = GeM(preset="released-code")

    def plain() -> Any:
        return maps.clamp(min=1e-6).pow(3.0).mean((-2, -1)).pow(1 / 3.0)

    same = partial(torch.testing.assert_close, rtol=1e-4, atol=0)
    repeat = max(1, _CELLS // maps.numel())
    return Comparison(lambda: gem.pool(maps), plain, same, repeat=repeat, threads=threads)


_CELLS = 12_000_000
"""Of maps that are pooled for one time: some milliseconds."""
_SHAPES = ((1, 1280, 7, 7), (1, 512, 12, 16), (1, 1280, 16, 16), (1, 2048, 24, 32), (1, 512, 48, 64), (8, 512, 48, 64))
"""Maps of single images of 224 to 1024 pixels in networks of several sizes, and of a batch."""

for _shape in _SHAPES:
    for _threads in (1, 2):
        _size = f"{' x '.join(map(str, _shape))}, {'two threads' if _threads > 1 else 'one thread'}"
        compared("gem", _size, "two lines of torch", "descriptors to 1e-4", "torch", 1)(partial(_gem, _shape, _threads))


@compared("rmac", "8 x 512 x 48 x 64, one thread", "torch, a slice a region", "descriptors to 1e-4", "torch", 3)
def rmac() -> Comparison:
    """All regions from one table of maxima against each region cut out."""
    import torch

    from harness_pooling.regions import region_grid
    from harness_pooling.rmac import RMAC, sum_of_normalised

    maps = maps_of(8)

    def sliced() -> Any:
        regions = region_grid(48, 64, 3)
        maxima = [maps[..., y : y + h, x : x + w].amax((-2, -1)) for y, x, h, w in regions]
        return sum_of_normalised(torch.stack(maxima, -2), 1e-6)

    same = partial(torch.testing.assert_close, rtol=1e-4, atol=0)
    return Comparison(lambda: RMAC().pool(maps), sliced, same, threads=1)
