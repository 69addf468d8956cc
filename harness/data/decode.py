"""Whether image files are images: every one decoded to its last pixel."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from harness.core.progress import Progress, SilentProgress, track

_THREADS: Final = 8
_FORMATS: Final = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
"""Photographs come in these; the rarer decoders of PIL need not see files from outside."""


def undecodable(paths: Sequence[Path], progress: Progress | None = None) -> list[str]:
    """One sentence for each file that is no readable image, is cut off, or is too large to be one.

    Args:
        paths: image files.
        progress: told how far the work is.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        found: Iterable[str] = pool.map(_problem, paths, chunksize=32)
        return [
            problem for problem in track(found, len(paths), "decoding images", progress or SilentProgress()) if problem
        ]


def _problem(path: Path) -> str:
    from PIL import Image, UnidentifiedImageError

    broken = (OSError, SyntaxError, ValueError, EOFError, struct.error, MemoryError, Warning)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            image.load()
    except FileNotFoundError:
        return f"{path} is not there"
    except UnidentifiedImageError:
        return f"{path} is no image: it starts with {_start(path)!r}"
    except Image.DecompressionBombError as error:
        return f"{path} is too large: {error}"
    except broken as error:
        return f"{path} cannot be decoded: {str(error).partition(chr(10))[0] or type(error).__name__}"
    return ""


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)
