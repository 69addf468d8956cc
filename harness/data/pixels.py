"""From the pixels of an image file, in whatever form it has them, to 8 bits. Pillow is imported on first use.

What becomes of each form (docs/how-to/audit.md has the table, measured against other libraries):

- 16 bits: the high byte, as OpenCV and scikit-image have it; of fewer bits in 16 (a TIFF of 12) the highest eight.
- Floating point and integers of 32 bits: scaled by the range that the TIFF declares; refused where it declares none.
- Transparency: composed on ``BACKGROUND``.
- Palette, grey, CMYK, YCbCr, 1 bit: converted by Pillow. Colour profiles are not applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

BACKGROUND: Final = (255, 255, 255)
"""The colour behind transparent pixels: white, as of a page."""
DEEP: Final = ("I", "F")
"""Modes of more than 16 bits or of unknown range; 16 bits are ``I;16`` and its variants."""

_BITS_PER_SAMPLE: Final = 258
_PHOTOMETRIC: Final = 262
_WHITE_IS_ZERO: Final = 0
_RANGES: Final = ((340, 341), (280, 281))
"""Tags of a TIFF that declare the least and the greatest value: SMin/SMaxSampleValue, Min/MaxSampleValue."""
_SCALED_TO_16: Final = ("PPM", "PNG", "JPEG2000")
"""Formats of which Pillow gives values of more than 8 bits spread over 16."""


def eight_bits(file: Image) -> Image:
    """An opened image in 8 bits: of mode ``L`` or ``RGB``, transparency composed, orientation as Pillow gives it.

    Raises:
        ValueError: the values have no declared range, or Pillow cannot convert them.
    """
    from PIL import Image as images

    tags = _tags(file)
    file.load()
    if is_sixteen_bit(file):
        return images.fromarray(_high_byte(file, tags))
    if file.mode in DEEP:
        return images.fromarray(_scaled(file, tags))
    if file.has_transparency_data:
        rgba = file.convert("RGBA")
        background = images.new("RGBA", rgba.size, (*BACKGROUND, 255))
        return images.alpha_composite(background, rgba).convert("RGB")
    return file.convert("L" if file.mode in ("1", "L") else "RGB")


def is_sixteen_bit(file: Image) -> bool:
    """Whether the pixels are grey of 16 bits."""
    return file.mode.startswith("I;16") or (file.mode == "I" and file.format in _SCALED_TO_16)


def _high_byte(file: Image, tags: dict[int, Any]) -> NDArray[np.uint8]:
    values = np.asarray(file).astype(np.int64)
    bits = min(max(int(np.max(tags.get(_BITS_PER_SAMPLE, 16))), 8), 16)
    values = np.clip(values, 0, 2**bits - 1)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 2**bits - 1 - values
    return (values >> (bits - 8)).astype(np.uint8)


def _scaled(file: Image, tags: dict[int, Any]) -> NDArray[np.uint8]:
    declared = next(((tags[low], tags[high]) for low, high in _RANGES if low in tags and high in tags), None)
    kind = "of floating point" if file.mode == "F" else "integers of 32 bits or with a sign"
    if declared is None:
        raise ValueError(f"its values are {kind} and it declares no range; save it with 8 or 16 bits")
    low, high = (float(np.ravel(value)[0]) for value in declared)
    values = np.asarray(file, np.float64)
    if not high > low or not np.isfinite(values).all():
        raise ValueError(f"its values are {kind}, declared from {low:g} to {high:g}, and do not fit that range")
    return np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _tags(file: Image) -> dict[int, Any]:
    """The tags of a TIFF, before loading closes it."""
    tags = getattr(file, "tag_v2", None)
    return {} if tags is None else dict(tags)
