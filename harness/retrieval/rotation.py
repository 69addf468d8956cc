"""Images turned about their middle, for re-rankers that want to see a query at several rotations. Loads torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def turned(image: Tensor, degrees: float) -> Tensor:
    """An image (3, H, W) turned counterclockwise, on the smallest canvas that holds all of it: (3, H', W').

    Quarter turns move pixels; others are bilinear, and what the image does not cover has its mean colour.
    """
    quarters, rest = divmod(degrees, 90)
    if rest == 0:
        return torch.rot90(image, int(quarters) % 4, (1, 2)).contiguous()
    height, width = image.shape[1:]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rows = math.ceil(height * abs(cosine) + width * abs(sine))
    columns = math.ceil(width * abs(cosine) + height * abs(sine))
    v, u = torch.meshgrid(torch.arange(rows) - (rows - 1) / 2, torch.arange(columns) - (columns - 1) / 2, indexing="ij")
    x, y = u * cosine - v * sine, u * sine + v * cosine
    grid = torch.stack([2 * x / max(width - 1, 1), 2 * y / max(height - 1, 1)], dim=-1)[None]
    mean = image.mean((-2, -1), keepdim=True)
    filled = torch.nn.functional.grid_sample((image - mean)[None], grid, "bilinear", "zeros", align_corners=True)
    return filled[0] + mean
