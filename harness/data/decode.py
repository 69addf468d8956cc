"""Image files decoded to their last pixel: the only module that opens them. Pillow is imported on first use."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import DataDamaged, DataMissing, HarnessError, InvalidInput
from harness.core.progress import Progress, SilentProgress, track
from harness.data.pixels import eight_bits
from harness.plugin_api import Orientation

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_VARIABLE: Final = "HARNESS_IMAGE_PIXELS"
"""Allows images of more pixels than Pillow does by itself."""

_THREADS: Final = 8
_FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "JPEG2000")
"""Photographs come in these; files from outside do not reach the rarer decoders of Pillow."""
_OPTIONAL_FORMATS: Final = ("AVIF", "HEIF")
"""Read where Pillow, or a plugin of Pillow that is installed (pillow-heif), can."""
_DAMAGE: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, MemoryError, Warning)
"""What the decoders of Pillow raise on files that are cut off, damaged or no images."""
_KNOWN_STARTS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Of TIFF: files of it that Pillow does not open are images of a rare form."""

_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_STORED: Final = {**_UPRIGHT, 6: "ROTATE_90", 8: "ROTATE_270"}
"""The inverse: Pillow turns a TIFF when it loads it."""


def decode_image(path: Path, mode: Literal["RGB", "L"] = "RGB", orientation: Orientation = "upright") -> Image:
    """Decode one image file to 8 bits; ``harness.data.pixels`` says what becomes of other forms.

    Args:
        path: JPEG, PNG, BMP, WebP, GIF, TIFF, PPM, JPEG 2000, or AVIF and HEIC where Pillow has them, whatever its
            suffix. Of several frames or pages the first is read.
        mode: ``RGB``, or ``L`` for grey.
        orientation: ``upright``: turned as EXIF says; ``stored``: pixels as they lie in the file.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: the file is not an image, cut off, of unknown range, or too large to be one.
    """
    with opened_image(path) as file:
        return shown(file, mode, orientation)


def shown(file: Image, mode: Literal["RGB", "L"], orientation: Orientation) -> Image:
    """An opened image file in 8 bits; arguments as of ``decode_image``."""
    turned = file.format == "TIFF"
    before = noted_orientation(file) if turned else 1  # which loading removes
    image = eight_bits(file)
    noted = before if turned else noted_orientation(file)
    image = _turned(image, noted, turned=turned, orientation=orientation)
    return image if image.mode == mode else image.convert(mode)


def image_size(path: Path, orientation: Orientation = "upright") -> tuple[int, int]:
    """Width and height in pixels of what is shown. Raises as ``decode_image`` does."""
    with opened_image(path) as file:
        width, height = file.size
        # Pillow gives the size of a TIFF as it will turn it.
        swapped = noted_orientation(file) >= 5 and (orientation == "upright") != (file.format == "TIFF")
    return (height, width) if swapped else (width, height)


def noted_orientation(file: Image) -> int:
    """The orientation that EXIF notes, 1 to 8; 1, upright, where there is none or it cannot be read.

    Of a PNG it may stand behind the pixels, which are loaded for it.
    """
    try:
        noted = file.getexif().get(_ORIENTATION, 1)
    except (*_DAMAGE, KeyError, TypeError, AttributeError):
        return 1
    return noted if noted in _UPRIGHT else 1


def formats() -> tuple[str, ...]:
    """The formats that are opened, as Pillow names them."""
    from PIL import Image

    return _FORMATS + tuple(name for name in _optional_formats() if name in Image.OPEN)


def decode_squares(
    paths: Sequence[Path], size: int, channels: int, orientation: Orientation = "upright"
) -> NDArray[np.uint8]:
    """Images resized to squares: (n, channels, size, size) uint8; bilinear, antialiased.

    Args:
        paths: image files.
        size: side in pixels.
        channels: 3 for colour, 1 for grey.
        orientation: as for ``decode_image``.

    Raises:
        DataMissing: a file does not exist.
        DataDamaged: a file cannot be read.
    """
    from PIL.Image import Resampling

    result = np.empty((len(paths), channels, size, size), dtype=np.uint8)

    def read(position: int) -> None:
        image = decode_image(paths[position], "L" if channels == 1 else "RGB", orientation)
        if image.size != (size, size):
            image = image.resize((size, size), Resampling.BILINEAR)
        result[position] = np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1)

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(read, range(len(paths)), chunksize=64):
            pass
    return result


def undecodable(paths: Sequence[Path], progress: Progress | None = None) -> list[str]:
    """One sentence for each file that a run could not read.

    Args:
        paths: image files.
        progress: told how far the work is.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        problems: Iterable[str] = pool.map(_problem, paths, chunksize=32)
        return [
            problem
            for problem in track(problems, len(paths), "decoding images", progress or SilentProgress())
            if problem
        ]


@contextmanager
def opened_image(path: Path) -> Iterator[Image]:
    """An image file, its pixels not read yet; what Pillow raises becomes one sentence."""
    from PIL import Image, UnidentifiedImageError

    _allow_large()
    try:
        with Image.open(path, formats=formats()) as file:
            yield file
    except FileNotFoundError as error:
        raise DataMissing(f"image {path} does not exist") from error
    except Image.DecompressionBombError as error:
        reason = f"image {path} cannot be read: it could be a decompression bomb: {error}"
        raise DataDamaged(
            reason, fix=f"replace the file, or allow as many pixels as it has: {PIXELS_VARIABLE}=1000000000"
        ) from error
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = _unidentified(path)
        raise DataDamaged(f"image {path} cannot be read: {reason}", fix="replace the file") from error


def _turned(image: Image, noted: int, *, turned: bool, orientation: Orientation) -> Image:
    """The image as the orientation asks for; ``turned``: Pillow has turned it upright already."""
    from PIL.Image import Transpose

    if noted == 1 or turned == (orientation == "upright"):
        return image
    return image.transpose(Transpose[(_STORED if turned else _UPRIGHT)[noted]])


@lru_cache(maxsize=1)
def _optional_formats() -> tuple[str, ...]:
    """Loads the plugins of Pillow; that of HEIC announces itself only when asked."""
    from PIL import Image

    Image.init()
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return _OPTIONAL_FORMATS
    register_heif_opener()
    return _OPTIONAL_FORMATS


def _allow_large() -> None:
    """Raise Pillow's limit to what the user allows."""
    from PIL import Image

    stated = os.environ.get(PIXELS_VARIABLE)
    if not stated:
        return
    if not stated.isdecimal():
        raise InvalidInput(f"{PIXELS_VARIABLE}={stated} is not a number of pixels", fix="1000000000")
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, int(stated))


def _problem(path: Path) -> str:
    try:
        decode_image(path)
    except HarnessError as error:
        return unreadable(error)
    return ""


def unreadable(error: HarnessError) -> str:
    """Why an image cannot be decoded, in a sentence, with the fix where it is more than another file."""
    return f"{error.headline} ({error.fix})" if PIXELS_VARIABLE in error.fix else error.headline


def _unidentified(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(_KNOWN_STARTS):
        return "it is a TIFF of a form that is not supported, such as floating point in colour; save it with 8 bits"
    return f"it is not an image, its first bytes are {start!r}"
