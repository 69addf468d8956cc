"""Descriptors looked up by the content of an image, not by the collection it lies in.

Adding images to a collection describes the new ones only, and an interrupted extraction resumes: rows are stored in
portions, each written as soon as it is computed. A portion is an entry of the cache like any other; it says of each of
its rows which image it describes.
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

from harness.cache import Arrays, Cache, CacheEntry
from harness.core.cost import Cost, measured
from harness.core.digest import digest
from harness.core.errors import DataMissing
from harness.core.locks import locked
from harness.plugin_api import Box
from harness.plugin_api.contract import require_one_length

PORTION: Final = 1024
"""Images described before their rows are written: what an interruption can cost."""

Floats = NDArray[np.float32]
Identities = Sequence[bytes]


def identities(files: Sequence[Path], boxes: Sequence[Box | None], key: Mapping[str, Any], cache: Cache) -> Identities:
    """What each image is: 32 bytes, the SHA-256 of its file and its box.

    Files are read once for a collection, in whatever order it is given: the result is stored under ``key``, which must
    hold its fingerprint.

    Raises:
        DataMissing: there is no such file.
    """
    images = sorted(set(zip(map(str, files), map(_box, boxes), strict=True)))

    def read() -> Arrays:
        digests = [_identity(Path(file), box) for file, box in images]
        return {"identities": np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)}

    entry = cache.get_or_compute({**key, "stage": "identities of sorted images"}, read)
    contents = dict(zip(images, (row.tobytes() for row in entry.arrays["identities"]), strict=True))
    return [contents[image] for image in zip(map(str, files), map(_box, boxes), strict=True)]


def stored_rows(
    images: Identities,
    compute: Callable[[Sequence[int], int], Floats],
    method: str,
    key: Mapping[str, Any],
    cache: Cache,
) -> tuple[Floats, Cost]:
    """One row an image and scale, computed for those images that no portion under ``key`` holds.

    Args:
        images: what each image is.
        compute: positions in ``images`` and how many images are done before -> rows (len(positions), scales, D)
            float32. Equal images are asked for once.
        method: what computes the rows, for messages.
        key: all that decides a row besides the image itself.
        cache: where portions are stored.

    Returns:
        (n, scales, D) float32, and what these rows cost to compute, now or once.

    Raises:
        ContractError: rows of different lengths.
    """
    first = {image: position for position, image in reversed(list(enumerate(images)))}
    rows: dict[bytes, Floats] = {}
    cost = Cost()
    for portion in itertools.count():
        missing = sorted(position for image, position in first.items() if image not in rows)[:PORTION]
        if not missing:
            break

        def described(positions: Sequence[int] = missing, done: int = len(rows)) -> Arrays:
            contents = np.frombuffer(b"".join(images[i] for i in positions), np.uint8).reshape(-1, 32)
            return {"images": contents, "rows": compute(positions, done)}

        entry = cache.get_or_compute(_portion_key(key, portion), described)
        stored = _stored(entry.arrays)
        used = {image: row for image, row in stored.items() if image in first and image not in rows}
        rows |= used
        cost = cost + _share(entry.cost, len(used) / len(stored)) if used else cost
    require_one_length(method, [row[0] for row in rows.values()])
    return np.stack([rows[image] for image in images]) if images else np.empty((0, 0, 0), np.float32), cost


def add_rows(
    images: Identities,
    compute: Callable[[Sequence[int], int], Floats],
    key: Mapping[str, Any],
    cache: Cache,
) -> None:
    """Compute and store the rows of images that no portion holds, while others do so for other images.

    A portion is computed first and then appended under the next number that is free; ``stored_rows`` finds it. What a
    process that was killed has appended is not computed again. Whoever asks for the same images meanwhile waits.

    Args:
        images: what each image is.
        compute: as for ``stored_rows``.
        key: as for ``stored_rows``.
        cache: a folder that all share.
    """
    if cache.root is None:
        return
    cache.root.mkdir(parents=True, exist_ok=True)
    with locked(cache.root, f"{digest([key, hashlib.sha256(b''.join(images)).hexdigest()])[:40]}-part"):
        _add_rows(images, compute, key, cache)


class Portions:
    """The portions under a key, each looked at once, and what is appended to them.

    Args:
        key: as for ``stored_rows``.
        cache: a folder that all share.
    """

    def __init__(self, key: Mapping[str, Any], cache: Cache) -> None:
        self._key, self._cache = key, cache
        self._known: set[bytes] = set()  # without what is appended here, which nobody asks for again
        self._next = 0

    def hold(self, images: Identities) -> bool:
        """Whether others have stored all of these images."""
        self._next = _listed(self._known, self._next, self._key, self._cache)
        return self._known.issuperset(images)

    def append(self, images: Identities, rows: Floats, cost: Cost) -> None:
        """Store rows (n, scales, D) that were computed already, and their cost; ``stored_rows`` finds them."""
        self._next = _append(images, rows, cost, self._next, self._key, self._cache)


def are_stored(images: Identities, key: Mapping[str, Any], cache: Cache) -> bool:
    """Whether portions under a key hold all of these images."""
    return Portions(key, cache).hold(images)


def _add_rows(
    images: Identities, compute: Callable[[Sequence[int], int], Floats], key: Mapping[str, Any], cache: Cache
) -> None:
    first = {image: position for position, image in reversed(list(enumerate(images)))}
    known: set[bytes] = set()
    portion = 0
    while True:
        portion = _listed(known, portion, key, cache)
        missing = sorted(position for image, position in first.items() if image not in known)[:PORTION]
        if not missing:
            return
        with measured() as cost:
            rows = compute(missing, len(known & first.keys()))
        portion = _listed(known, portion, key, cache)
        if not known.issuperset(images[position] for position in missing):  # unless somebody did the same
            portion = _append([images[position] for position in missing], rows, cost, portion, key, cache)
        known |= {images[position] for position in missing}


def _listed(known: set[bytes], portion: int, key: Mapping[str, Any], cache: Cache) -> int:
    """Add to ``known`` the images of the portions from ``portion`` on; the first number that nobody has.

    Rows are not read: parts would read those of all others.
    """
    while (contents := cache.array(_portion_key(key, portion), "images")) is not None:
        known |= set(map(bytes, contents))
        portion += 1
    return portion


def _append(images: Identities, rows: Floats, cost: Cost, portion: int, key: Mapping[str, Any], cache: Cache) -> int:
    """Store rows of images as the first portion from ``portion`` on that nobody has; returns the number after it."""
    contents = np.frombuffer(b"".join(images), np.uint8).reshape(-1, 32)
    entry = CacheEntry({"images": contents, "rows": rows}, cost)
    while not cache.put(_portion_key(key, portion), entry):
        portion += 1
    return portion + 1


def _portion_key(key: Mapping[str, Any], portion: int) -> dict[str, Any]:
    return {**key, "stage": "descriptors", "portion": portion}


def _stored(arrays: Arrays) -> dict[bytes, Floats]:
    """Image -> its row (scales, D) in a portion."""
    return dict(zip((row.tobytes() for row in arrays["images"]), arrays["rows"], strict=True))


def _share(cost: Cost, share: float) -> Cost:
    """Rows of a portion cost the same."""
    return replace(cost, wall_s=cost.wall_s * share, cpu_s=cost.cpu_s * share)


def _box(box: Box | None) -> str:
    return repr(tuple(map(float, box)) if box else None)


def identity(file: Path, box: Box | None) -> bytes:
    """SHA-256 of an image file and its box. Raises ``DataMissing``."""
    return _identity(file, _box(box))


def _identity(file: Path, box: str) -> bytes:
    try:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256")
    except OSError as error:
        raise DataMissing(f"image {file} cannot be read: {error.strerror}") from error
    content.update(box.encode())
    return content.digest()
