"""Feature maps on disk, for as long as a plan needs them: its runs pool, fit and re-rank what a network saw once.

A file per image and scale holds which cells are active and their values: maps are mostly zeros. They are kept where
more than one reader wants them (``harness.runs.shared_maps`` says which) and removed when the plan is done. They take
at most as much of the disk as they leave free; beyond that the network runs again. Imports nothing slow.
"""

from __future__ import annotations

import math
import os
import shutil
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.cache import parse_size
from harness.core.cost import count_earlier
from harness.core.digest import digest
from harness.core.files import write_atomically
from harness.core.locks import locked
from harness.data import DECODING_VERSION
from harness.data import RESULT_VERSION as DATA_VERSION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.plugin_api import Box

    Floats = NDArray[np.float32]

LIMIT_VARIABLE: Final = "HARNESS_MAPS_LIMIT"
FOLDER: Final = "maps"
"""Below the folder of the cache; one folder for each network, dataset and image size."""
_SUFFIX: Final = ".maps"
_SUFFIXES: Final = frozenset({_SUFFIX, ".npz", ".tmp"})
"""Also of files before version 2, and of what a process was writing when it was killed."""
MAPS_VERSION: Final = 2
"""Of stored maps. Raised when numbers or files change."""
_HEAD: Final = struct.Struct("<4sI3I4x2d")
"""Of a file: what it is, checksum of all after that, shape, wall and CPU seconds of the network. Values that are not
zero follow, then a bit for each cell, whether it has one. An archive of numpy takes half as long again to read."""
_MARK: Final = b"maps"
_CHECKED: Final = 8
"""Where begins what the checksum is of."""


def maps_folder(cache: Path, keys: Mapping[str, Any], image_size: int) -> Path:
    """Where the maps of a network on a dataset lie.

    Args:
        cache: folder of the cache.
        keys: identity of ``backbone`` and ``dataset``; ``numerics`` where they are not float32 on the CPU.
        image_size: longest side of the images in pixels.
    """
    key = {
        "version": [MAPS_VERSION, DATA_VERSION, DECODING_VERSION],
        "backbone": keys["backbone"],
        "dataset": keys["dataset"],
        "image_size": image_size,
        **({"numerics": keys["numerics"]} if "numerics" in keys else {}),
    }
    return cache / FOLDER / digest(key)[:40]


def clear_maps(cache: Path) -> int:
    """Remove the maps that interrupted plans left; returns how many. A plan at work shows the images again."""
    files = [file for file in (cache / FOLDER).glob("**/*") if file.is_file() and file.suffix in _SUFFIXES]
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


class MapStore:
    """Maps of one network by image and scale.

    Args:
        folder: see ``maps_folder``.
        limit: bytes that it may hold; None reads ``$HARNESS_MAPS_LIMIT``, and without it: as many as it leaves free.
        charged: maps that others stored count with what the network spent on them, in the costs being measured.
    """

    def __init__(self, folder: Path, limit: int | None = None, *, charged: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._charged = charged
        self._paid: set[tuple[str, float]] = set()
        stated = os.environ.get(LIMIT_VARIABLE)
        self._folder, self._limit = folder, parse_size(stated) if limit is None and stated else limit
        self._bytes = sum(file.stat().st_size for file in folder.glob(f"*{_SUFFIX}"))
        self._names: dict[tuple[Path, Box | None], str] = {}

    def name(self, path: Path, box: Box | None) -> str:
        """What an image is: hex digits of the SHA-256 of its file and its box. Raises ``DataMissing``."""
        from harness.retrieval.rows import identity

        if (path, box) not in self._names:
            self._names[path, box] = identity(path, box).hex()
        return self._names[path, box]

    def read(self, name: str, scale: float) -> Floats | None:
        """Maps (C, h, w) of an image at a scale; None where they are not stored whole."""
        try:
            maps, spent = _unpacked(self._file(name, scale).read_bytes())
        except (OSError, ValueError, struct.error):
            return None
        if self._charged and (name, scale) not in self._paid:
            self._paid.add((name, scale))
            count_earlier(*spent)
        return maps

    def write(self, name: str, scale: float, maps: Floats, spent: tuple[float, float] = (0.0, 0.0)) -> None:
        """Store maps (C, h, w), every bit of them, where there is room; without room nothing is stored.

        ``spent``: wall and CPU seconds of the network on them, which this run has in its costs already.
        """
        self._paid.add((name, scale))
        content = _packed(maps, spent)
        with suppress(OSError):  # a full disk costs time, not a result
            if self._bytes + len(content) <= self._room():
                write_atomically(self._file(name, scale), content, lasting=False)
                self._bytes += len(content)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """One process at a time shows an image to the network; whoever waited finds its maps."""
        with locked(self._folder, name):
            yield

    def _room(self) -> int:
        return shutil.disk_usage(self._folder).free if self._limit is None else self._limit

    def _file(self, name: str, scale: float) -> Path:
        return self._folder / f"{name}-{float(scale)!r}{_SUFFIX}"


def _packed(maps: Floats, spent: tuple[float, float]) -> bytes:
    import numpy as np

    flat = np.ascontiguousarray(maps, "<f4").reshape(-1)
    active = flat.view(np.uint32) != 0  # a negative zero is kept too
    values = flat[np.flatnonzero(active)]
    head = _HEAD.pack(_MARK, 0, *maps.shape, *spent)[_CHECKED:]
    body = b"".join((head, values.tobytes(), np.packbits(active).tobytes()))
    return _MARK + zlib.crc32(body).to_bytes(4, "little") + body


def _unpacked(content: bytes) -> tuple[Floats, tuple[float, float]]:
    """Maps (C, h, w) and what the network spent on them. Raises ``ValueError``, ``struct.error`` for other content."""
    import numpy as np

    mark, checksum, *shape, wall_s, cpu_s = _HEAD.unpack_from(content)
    if mark != _MARK or zlib.crc32(memoryview(content)[_CHECKED:]) != checksum:
        raise ValueError("no maps")
    size = math.prod(shape)
    packed = -(-size // 8)
    if packed > len(content) - _HEAD.size:
        raise ValueError("more cells than bits")
    maps = np.zeros(shape, np.float32)
    values = np.frombuffer(content, "<f4", (len(content) - _HEAD.size - packed) // 4, _HEAD.size)
    active = np.unpackbits(np.frombuffer(content, np.uint8, packed, len(content) - packed), count=size)
    # By positions: numpy takes a third of the time that it takes by truth values.
    maps.reshape(-1)[np.flatnonzero(active.view(bool))] = values
    return maps, (wall_s, cpu_s)
