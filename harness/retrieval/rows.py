"""Descriptors found again by what an image is, not by the collection it lies in.

Adding images to a collection describes the new ones only, and an extraction that was stopped goes on where it was: rows
are kept in portions, each written as soon as it is made. A portion is an entry of the cache like any other; it says of
each of its rows which image it describes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.cache.store import Arrays, Cache
from harness.core.cost import Cost
from harness.core.errors import ContractError, DataMissing
from harness.plugin_api import Box

PORTION: Final = 1024
"""Images described before their rows are written: what a stop can cost."""

Floats = NDArray[np.float32]
Identities = Sequence[bytes]


def identities(files: Sequence[Path], boxes: Sequence[Box | None], key: Mapping[str, Any], cache: Cache) -> Identities:
    """What each image is: 32 bytes, the SHA-256 of its file and its box.

    Files are read once for a collection: the result is kept under ``key``, which must hold its fingerprint.

    Raises:
        DataMissing: there is no such file.
    """

    def read() -> Arrays:
        found = [_identity(file, box) for file, box in zip(files, boxes, strict=True)]
        return {"identities": np.frombuffer(b"".join(found), np.uint8).reshape(-1, 32)}

    kept = cache.get_or_make({**key, "stage": "identities of images"}, read)
    return [row.tobytes() for row in kept.arrays["identities"]]


def rows_of(
    images: Identities, make: Callable[[Sequence[int], int], Floats], key: Mapping[str, Any], cache: Cache
) -> tuple[Floats, Cost]:
    """One row an image, made for those that no portion under ``key`` holds.

    Args:
        images: what each image is.
        make: positions in ``images`` and how many images are done before -> rows (len(positions), D) float32. Equal
            images are asked for once.
        key: all that decides a row besides the image itself.
        cache: where portions are kept.

    Returns:
        (n, D) float32, and what it cost to make these rows, now or once.

    Raises:
        ContractError: rows of different lengths.
    """
    wanted = {image: position for position, image in reversed(list(enumerate(images)))}
    found: dict[bytes, Floats] = {}
    cost = Cost()
    for portion in itertools.count():
        missing = sorted(position for image, position in wanted.items() if image not in found)[:PORTION]
        if not missing:
            break

        def describe(positions: Sequence[int] = missing, done: int = len(found)) -> Arrays:
            described = np.frombuffer(b"".join(images[i] for i in positions), np.uint8).reshape(-1, 32)
            return {"images": described, "rows": make(positions, done)}

        made = cache.get_or_make({**key, "stage": "descriptors", "portion": portion}, describe)
        held = dict(zip((row.tobytes() for row in made.arrays["images"]), made.arrays["rows"], strict=True))
        used = {image: row for image, row in held.items() if image in wanted}
        found |= used
        cost = cost + _share(made.cost, len(used) / len(held)) if used else cost
    if len({len(row) for row in found.values()}) > 1:
        raise ContractError("descriptors of different lengths", fix="one length for all images and scales")
    return np.stack([found[image] for image in images]) if images else np.empty((0, 0), np.float32), cost


def _share(cost: Cost, share: float) -> Cost:
    """Rows of a portion cost the same."""
    return replace(cost, wall_s=cost.wall_s * share, cpu_s=cost.cpu_s * share)


def _identity(file: Path, box: Box | None) -> bytes:
    try:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256")
    except OSError as error:
        raise DataMissing(f"image {file} cannot be read: {error.strerror}") from error
    content.update(repr(tuple(map(float, box)) if box else None).encode())
    return content.digest()
