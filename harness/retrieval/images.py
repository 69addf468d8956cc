"""Image files as a network sees them: decoded, cropped to a box, resized. Loads PIL."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.core.errors import DataDamaged
from harness.data.decode import decode_image
from harness.plugin_api import Box, Orientation


def read_image(path: Path, size: int, box: Box | None = None, orientation: Orientation = "stored") -> NDArray[np.uint8]:
    """Decode one image, crop it, and shrink it to the protocol's size.

    The crop is taken from the full image and shrunk by the factor by which the full image would be: an object has the
    same size in its query as in an uncropped copy (cirtorch's rule). Nothing is ever enlarged. Shrinking is antialiased
    (Lanczos).

    Args:
        path: an image file; colours become RGB.
        size: longest side in pixels that the full image would get.
        box: x0, y0, x1, y1 in pixels of the full image, rounded and clipped to it; None keeps the whole image.
        orientation: of the dataset: whether the image is turned as its EXIF says; a box counts pixels of what is shown.

    Returns:
        (h, w, 3) uint8.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: the file cannot be read as an image, or the box lies outside of it.
    """
    image = decode_image(path, orientation=orientation)
    limit = float(size)
    if box is not None:
        full = max(image.size)
        image = image.crop(_pixels(path, box, image.size))
        limit = size * max(image.size) / full
    side = max(1, math.floor(limit))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.array(image)


def _pixels(path: Path, box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (round(value) for value in box)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, size[0]), min(y1, size[1])
    if left >= right or top >= bottom:
        raise DataDamaged(f"box {tuple(box)} holds no pixel of image {path} of {size[0]} x {size[1]}")
    return left, top, right, bottom
