"""Strong augmentation: two operations of RandAugment and a square cut out, each image by its own draws. Loads torch.

Operations and ranges are those of Sohn et al. 2020 (FixMatch). torchvision's ``RandAugment`` draws one operation for a
whole batch. Draws come from torch's own generator: call it inside ``training.seeded``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, pad

_WEAKEST: Final = 0.05
"""Factor of brightness, contrast, colour and sharpness at magnitude 0; at 1 it is 0.95."""
_TURN: Final = math.pi / 6
_MOVE: Final = 0.3
"""Largest shear, and largest shift as a share of the side."""
_CUT: Final = 0.5
"""Largest side of the square that is cut out, as a share of the image's."""
_GREY: Final = 127.0


def distorted(images: Tensor, operations: int = 2) -> Tensor:
    """Each image after ``operations`` drawn ones, each of its own magnitude, with a square of grey.

    Args:
        images: (B, C, H, W) with values in [0, 255], of any type and device.
        operations: how many are drawn for an image, with replacement.

    Returns:
        (B, C, H, W) float32 in [0, 255].
    """
    images = images.float()
    for _ in range(operations):
        chosen = torch.randint(len(OPERATIONS), (len(images),), device=images.device)
        magnitudes = torch.rand(len(images), 1, 1, 1, device=images.device)
        results = torch.empty_like(images)
        for number, operation in enumerate(OPERATIONS):
            rows = chosen == number
            if rows.any():
                results[rows] = operation(images[rows], magnitudes[rows]).clamp(0, 255)
        images = results
    return cut(images)


def cut(images: Tensor) -> Tensor:
    """Images (B, C, H, W) with a square of grey of random side, up to half of the image's, at a random place."""
    height, width = images.shape[2:]
    side, y, x = torch.rand(3, len(images), 1, 1, 1, device=images.device)
    rows = torch.arange(height, device=images.device)[:, None]
    columns = torch.arange(width, device=images.device)
    inside = ((rows + 0.5 - y * height).abs() < _CUT * side * height / 2) & (
        (columns + 0.5 - x * width).abs() < _CUT * side * width / 2
    )
    return torch.where(inside, _GREY, images)


def auto_contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Each channel stretched to [0, 255]; a constant one stays."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(high > low, (images - low) * (255 / (high - low).clamp_min(1e-6)), images)


def equalised(images: Tensor, magnitude: Tensor) -> Tensor:
    """Each channel with all values about equally frequent, by the rule of Pillow; one of few values may stay."""
    values = images.round().long().flatten(2)
    counts = torch.zeros(*values.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, values, torch.ones_like(values))
    last = counts.gather(2, values.amax(2, keepdim=True))
    step = (values.shape[2] - last) // 255
    below = counts.cumsum(2) - counts
    table = ((below + step // 2) // step.clamp_min(1)).clamp(0, 255)
    return torch.where(step > 0, table.gather(2, values), values).reshape(images.shape).float()


def brightness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Nearer to black."""
    return images * _factor(magnitude)


def contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Nearer to its mean grey."""
    return _blend(images, _grey(images).mean((1, 2, 3), keepdim=True), magnitude)


def colour(images: Tensor, magnitude: Tensor) -> Tensor:
    """Nearer to its greys; of one channel the image itself."""
    return _blend(images, _grey(images), magnitude)


def sharpness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Nearer to its smoothed self."""
    kernel = images.new_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    channels = images.shape[1]
    smooth = conv2d(pad(images, (1, 1, 1, 1), "replicate"), kernel.expand(channels, 1, 3, 3), groups=channels)
    return _blend(images, smooth, magnitude)


def posterised(images: Tensor, magnitude: Tensor) -> Tensor:
    """The first 4 to 8 bits of each value."""
    lost = 2 ** (4 - (magnitude * 5).floor().clamp_max(4))
    return (images / lost).floor() * lost


def solarised(images: Tensor, magnitude: Tensor) -> Tensor:
    """Values from a threshold on are inverted."""
    return torch.where(images < 256 * magnitude, images, 255 - images)


def rotated(images: Tensor, magnitude: Tensor) -> Tensor:
    """Turned by up to 30 degrees to either side."""
    angle = _signed(magnitude) * _TURN
    height, width = images.shape[2:]
    return _moved(
        images, angle.cos(), -angle.sin() * (height / width), 0, angle.sin() * (width / height), angle.cos(), 0
    )


def sheared_x(images: Tensor, magnitude: Tensor) -> Tensor:
    """Rows shifted in proportion to their height."""
    return _moved(images, 1, _signed(magnitude) * _MOVE, 0, 0, 1, 0)


def sheared_y(images: Tensor, magnitude: Tensor) -> Tensor:
    """Columns likewise."""
    return _moved(images, 1, 0, 0, _signed(magnitude) * _MOVE, 1, 0)


def shifted_x(images: Tensor, magnitude: Tensor) -> Tensor:
    """Shifted along the rows."""
    return _moved(images, 1, 0, 2 * _signed(magnitude) * _MOVE, 0, 1, 0)


def shifted_y(images: Tensor, magnitude: Tensor) -> Tensor:
    """Shifted along the columns."""
    return _moved(images, 1, 0, 0, 0, 1, 2 * _signed(magnitude) * _MOVE)


def _same(images: Tensor, magnitude: Tensor) -> Tensor:
    return images


OPERATIONS: Final[tuple[Callable[[Tensor, Tensor], Tensor], ...]] = (
    _same,
    auto_contrast,
    equalised,
    brightness,
    contrast,
    colour,
    sharpness,
    posterised,
    solarised,
    rotated,
    sheared_x,
    sheared_y,
    shifted_x,
    shifted_y,
)
"""Images (b, C, H, W) float32 in [0, 255] and magnitudes (b, 1, 1, 1) in [0, 1) -> images."""


def _factor(magnitude: Tensor) -> Tensor:
    return _WEAKEST + (1 - 2 * _WEAKEST) * magnitude


def _signed(magnitude: Tensor) -> Tensor:
    return 2 * magnitude - 1


def _blend(images: Tensor, other: Tensor, magnitude: Tensor) -> Tensor:
    return other + _factor(magnitude) * (images - other)


def _grey(images: Tensor) -> Tensor:
    """(b, 1, H, W): the brightness of colours, of other numbers of channels the images themselves."""
    if images.shape[1] != 3:
        return images
    return (images * images.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)


def _moved(images: Tensor, *entries: Tensor | float) -> Tensor:
    """What lies at the transformed places, in [-1, 1], of an affine map (2, 3) given row by row; black outside."""
    columns = [torch.as_tensor(entry, device=images.device).float().flatten().expand(len(images)) for entry in entries]
    theta = torch.stack(columns, 1).reshape(-1, 2, 3)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False)
