"""Image files one by one: decoded as a run would, with what their headers say. Pillow is imported on first use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.progress import Progress, track
from harness.data.audit.finding import Finding, Severity, finding
from harness.data.decode import noted_orientation, opened_image, shown, unreadable
from harness.data.pixels import is_sixteen_bit
from harness.plugin_api import Box, Orientation

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL: Final = 16
"""Side of the descriptor of near-duplicates."""
_THREADS: Final = 4
_DARK_BITS: Final = 12
"""Bits of 16 that are used where 8 bits would be nearly black."""
_LEAST_SIDE: Final = 16
_LONGEST: Final = 10
"""Times as long as wide that is worth a look."""
_LARGEST: Final = 50_000_000
_TINY_BOX: Final = 16


@dataclass(frozen=True)
class FileFacts:
    """What is known of an image file.

    Attributes:
        path: the file.
        problem: why it cannot be read; nothing else is known then.
        size: width and height as shown.
        bits: that grey values of 16 bits use; 0 for other files.
        transparent: whether a pixel is.
        orientation: noted in EXIF, 1 to 8.
        frames: or pages.
        constant: whether all pixels are equal.
        content: digest of the bytes.
        pixels: digest of what is shown.
        thumbnail: (256,) float32, grey, where asked for.
    """

    path: Path
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    bits: int = 0
    transparent: bool = False
    orientation: int = 1
    frames: int = 1
    constant: bool = False
    content: bytes = b""
    pixels: bytes = b""
    thumbnail: NDArray[np.float32] | None = None


def inspect_files(
    paths: Sequence[Path], orientation: Orientation, progress: Progress, *, thumbnails: bool = False
) -> list[FileFacts]:
    """Decode files.

    Args:
        paths: the files.
        orientation: of the dataset.
        progress: told how far the work is.
        thumbnails: whether near-duplicates are looked for.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        facts = pool.map(partial(_inspect, orientation=orientation, thumbnails=thumbnails), paths, chunksize=32)
        return list(track(facts, len(paths), "decoding images", progress))


def _inspect(path: Path, orientation: Orientation, thumbnails: bool) -> FileFacts:
    try:
        with opened_image(path) as file:
            noted, frames = noted_orientation(file), 1 if file.format == "MPO" else int(getattr(file, "n_frames", 1))
            image = shown(file, "RGB", orientation)
            transparent = bool(file.has_transparency_data) and _is_transparent(file)
            bits = int(np.asarray(file).max()).bit_length() if is_sixteen_bit(file) else 0
        content = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
    except HarnessError as error:
        return FileFacts(path, unreadable(error))
    pixels = hashlib.blake2b(image.tobytes(), digest_size=16, key=repr(image.size).encode()).digest()
    constant = all(low == high for low, high in _extrema(image))
    thumbnail = thumbnail_of(image) if thumbnails else None
    return FileFacts(path, "", image.size, bits, transparent, noted, frames, constant, content, pixels, thumbnail)


def _is_transparent(file: Image) -> bool:
    least, _ = file.convert("RGBA").getchannel("A").getextrema()
    return least < 255  # type: ignore[operator]  # of one channel: two numbers


def _extrema(image: Image) -> Sequence[tuple[int, int]]:
    extrema: Sequence[tuple[int, int]] = image.getextrema()  # type: ignore[assignment]  # of RGB: one pair a channel
    return extrema


def thumbnail_of(image: Image) -> NDArray[np.float32]:
    """What near-duplicates share: grey, 16 x 16."""
    from PIL.Image import Resampling

    small = image.convert("L").resize((THUMBNAIL, THUMBNAIL), Resampling.BOX)
    return np.asarray(small, np.float32).ravel()


def file_findings(facts: Sequence[FileFacts], orientation: Orientation, *, published: bool) -> Iterator[Finding]:
    """What is odd about files by themselves.

    Args:
        facts: of the files.
        orientation: of the dataset.
        published: whether its files are the published ones: their orientation is then only noted.
    """
    for fact in facts:
        if fact.problem:
            yield Finding("unreadable", "error", fact.problem, (str(fact.path),))
    for code, severity, text, holds in _odd(orientation, published):
        if odd := [fact.path for fact in facts if not fact.problem and holds(fact)]:
            yield finding(code, severity, f"{len(odd):,} file{'s' if len(odd) > 1 else ''} {text}", odd)


def _odd(orientation: Orientation, published: bool) -> Iterator[tuple[str, Severity, str, Callable[[FileFacts], bool]]]:
    dark = f"of 16 bits use at most {_DARK_BITS} of them, nearly black in 8 bits"
    yield "dark", "warning", dark, lambda fact: 0 < fact.bits <= _DARK_BITS
    yield "sixteen-bit", "note", "of 16 bits, of which the high byte is read", lambda fact: fact.bits > _DARK_BITS
    yield "transparent", "warning", "with transparent pixels, which become white", lambda fact: fact.transparent
    yield "frames", "warning", "of several frames or pages, of which the first is read", lambda fact: fact.frames > 1
    yield "constant", "warning", "of a single colour", lambda fact: fact.constant
    small = f"smaller than {_LEAST_SIDE} pixels"
    yield "small", "warning", small, lambda fact: min(fact.size) < _LEAST_SIDE
    yield "long", "warning", f"more than {_LONGEST} times as long as wide", _is_long
    yield "large", "note", f"of more than {_LARGEST:,} pixels", lambda fact: fact.size[0] * fact.size[1] > _LARGEST
    if orientation == "upright":
        yield "turned", "note", "are turned as their EXIF says", lambda fact: fact.orientation != 1
    else:
        severity: Severity = "note" if published else "warning"
        text = "have an orientation in EXIF that is not applied (orientation: stored)"
        yield "turned", severity, text, lambda fact: fact.orientation != 1


def _is_long(fact: FileFacts) -> bool:
    return max(fact.size) > _LONGEST * min(fact.size)


def box_findings(
    facts: Mapping[Path, FileFacts], queries: Sequence[Path], boxes: Sequence[Box | None], orientation: Orientation
) -> Iterator[Finding]:
    """Boxes outside of their image, tiny ones, and those of images that are turned."""
    outside, beyond, tiny, turned = [], [], [], []
    for path, box in zip(queries, boxes, strict=True):
        fact = facts.get(path)
        if box is None or fact is None or fact.problem:
            continue
        x0, y0, x1, y1 = box
        width, height = min(x1, fact.size[0]) - max(x0, 0), min(y1, fact.size[1]) - max(y0, 0)
        if round(width) <= 0 or round(height) <= 0:
            outside.append(path)
        elif min(x0, y0) < -1 or x1 > fact.size[0] + 1 or y1 > fact.size[1] + 1:
            beyond.append(path)
        if 0 < min(width, height) < _TINY_BOX:
            tiny.append(path)
        if fact.orientation != 1 and orientation == "upright":
            turned.append(path)
    if outside:
        yield finding("box-outside", "error", f"{len(outside):,} boxes lie outside of their query image", outside)
    if beyond:
        yield finding("box-beyond", "warning", f"{len(beyond):,} boxes reach beyond their query image", beyond)
    if tiny:
        text = f"{len(tiny):,} boxes are narrower than {_TINY_BOX} pixels"
        yield finding("tiny-box", "warning", text, tiny)
    if turned:
        text = (
            f"{len(turned):,} queries with a box are turned by EXIF: boxes count pixels of the upright image; if they "
            "were drawn on the stored one, set orientation: stored"
        )
        yield finding("turned-box", "warning", text, turned)
