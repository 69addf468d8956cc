"""Image files decoded to their last pixel: the only module that opens them. Pillow is imported on first use."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import DataDamaged, DataMissing, HarnessError
from harness.core.progress import Progress, SilentProgress, track

if TYPE_CHECKING:
    from PIL.Image import Image

_THREADS: Final = 8
_FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "JPEG2000")
"""Photographs come in these; files from outside do not reach the rarer decoders of Pillow."""
_DAMAGE: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, MemoryError, Warning)
"""What the decoders of Pillow raise on files that are cut off, damaged or no images."""


def decode_image(path: Path, mode: Literal["RGB", "L", ""] = "RGB") -> Image:
    """Decode one image file. An orientation noted in EXIF is ignored: boxes count pixels as they are stored.

    Args:
        path: JPEG, PNG, BMP, WebP, GIF, TIFF, PPM or JPEG 2000, whatever its suffix.
        mode: to which the pixels are converted; empty keeps that of the file.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: the file is not an image, cut off, or too large to be one.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=_FORMATS) as file:
            file.load()
            return file.convert(mode) if mode else file.copy()
    except FileNotFoundError as error:
        raise DataMissing(f"image {path} does not exist") from error
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"it is not an image, its first bytes are {_start(path)!r}"
        raise DataDamaged(f"image {path} cannot be read: {reason}", fix="replace the file") from error


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone."""
    from PIL import Image

    with Image.open(path, formats=_FORMATS) as file:
        return file.size


def decode_squares(paths: Sequence[Path], size: int, channels: int) -> NDArray[np.uint8]:
    """Images resized to squares: (n, channels, size, size) uint8; bilinear, antialiased.

    Args:
        paths: image files.
        size: side in pixels.
        channels: 3 for colour, 1 for grey.

    Raises:
        DataMissing: a file does not exist.
        DataDamaged: a file cannot be read.
    """
    from PIL.Image import Resampling

    result = np.empty((len(paths), channels, size, size), dtype=np.uint8)

    def read(position: int) -> None:
        image = decode_image(paths[position], "L" if channels == 1 else "RGB")
        if image.size != (size, size):
            image = image.resize((size, size), Resampling.BILINEAR)
        result[position] = np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1)

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(read, range(len(paths)), chunksize=64):
            pass
    return result


def undecodable(paths: Sequence[Path], progress: Progress | None = None) -> list[str]:
    """One sentence for each file that is missing, not an image, cut off, or too large to be one.

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


def _problem(path: Path) -> str:
    try:
        decode_image(path, "")
    except HarnessError as error:
        return error.headline
    return ""


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)
