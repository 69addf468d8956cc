"""Images to maps to descriptors, one image at a time; reading overlaps with the network. Loads torch."""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.core.errors import InvalidInput
from harness.core.progress import Progress, track
from harness.plugin_api import Backbone, Box, Pooling, PoolsQueries, Role
from harness.plugin_api.contract import require_maps, require_one_length, require_pooled
from harness.retrieval.images import read_image

T = TypeVar("T")
R = TypeVar("R")

DESCRIPTORS_VERSION: Final = 1
"""Of stored descriptors. Raised when numbers change: docs/reference/result-versions.md."""
_READERS: Final = 2
_READ_AHEAD: Final = 8
"""Images decoded before the network asks for them: bounds the memory."""

_POOL_BEHIND: Final = 2
"""Images whose maps wait for their pooling while the network continues: maps are large."""


@dataclass(frozen=True)
class ImageList:
    """A list of images and how the network is to see them.

    Attributes:
        paths: the files.
        boxes: per file the part to look at, or None for all of it.
        size: longest side in pixels of the full image.
        scales: factors at which the network sees each image.
    """

    paths: Sequence[Path]
    boxes: Sequence[Box | None]
    size: int
    scales: tuple[float, ...] = (1.0,)

    def __len__(self) -> int:
        return len(self.paths)

    def some(self, positions: Iterable[int]) -> ImageList:
        """The images at these positions."""
        chosen = list(positions)
        return ImageList([self.paths[i] for i in chosen], [self.boxes[i] for i in chosen], self.size, self.scales)

    def read(self, convert: Callable[[NDArray[np.uint8]], R]) -> Iterator[R]:
        """``convert`` of each image (h, w, 3), cropped and shrunk; threads work ahead of it.

        Raises:
            DataMissing, DataDamaged: an image cannot be read.
        """
        files = zip(self.paths, self.boxes, strict=True)
        return prefetched(lambda file: convert(read_image(file[0], self.size, file[1])), files)


@dataclass(frozen=True)
class NamedBackbone:
    """A backbone and what to call it in messages."""

    backbone: Backbone
    name: str

    def maps(self, images: ImageList, label: str, progress: Progress) -> Iterator[list[Tensor]]:
        """Per image its maps (C, h, w) float32, one per scale.

        Raises:
            DataMissing, DataDamaged: an image cannot be read.
            ContractError: the backbone returned something else than maps.
        """
        for image in track(images.read(_tensor), len(images), label, progress):
            with torch.inference_mode():
                maps = [require_maps(self.name, self.backbone.maps(_scaled(image, scale))) for scale in images.scales]
            yield maps


class MapStream(Iterator[Tensor]):
    """The maps of all images, one tensor (C, h, w) per image and scale, for ``Pooling.fit``.

    ``iter(stream)`` begins again at the first image and runs the network again, so that a fit can read the database
    more than once without holding it; ``next(stream)`` reads on.
    """

    def __init__(self, start: Callable[[], Iterator[list[Tensor]]]) -> None:
        self._start = start
        self._current: Iterator[Tensor] | None = None

    def __iter__(self) -> Iterator[Tensor]:
        return itertools.chain.from_iterable(self._start())

    def __next__(self) -> Tensor:
        self._current = self._current or iter(self)
        return next(self._current)


def describe(
    maps: Iterable[list[Tensor]], pooling: Pooling, name: str, power: float = 1.0, role: Role = "database"
) -> NDArray[np.float32]:
    """One descriptor an image; pooling overlaps with the network's work on the next image.

    Each scale is pooled and L2-normalised; the scales are combined by their generalised mean with exponent ``power``;
    the result is L2-normalised. An image without any activation gets zeros.

    Args:
        maps: per image its maps, one per scale.
        pooling: gives (D,) for one tensor of maps; queries are pooled by its ``pool_query``, if it has one.
        name: what to call the pooling in messages.
        power: exponent of the mean over scales.
        role: what the images are.

    Returns:
        (n, D) float32.

    Raises:
        ContractError: the pooling returned something else than finite vectors of one length.
        InvalidInput: ``power`` is not 1 and a descriptor has negative entries.
    """
    pool = pooling.pool_query if role == "query" and isinstance(pooling, PoolsQueries) else pooling.pool

    def descriptor(scales: list[Tensor]) -> NDArray[np.float32]:
        with torch.inference_mode():
            pooled = [require_pooled(name, pool(scale)) for scale in scales]
            require_one_length(name, pooled)
            return _combined([_normalised(vector) for vector in pooled], power).numpy()

    rows: list[NDArray[np.float32]] = []
    for row in prefetched(descriptor, maps, _POOL_BEHIND):
        rows.append(row)
        require_one_length(name, [rows[0], row])
    return np.stack(rows) if rows else np.empty((0, 0), np.float32)


def prefetched(work: Callable[[T], R], items: Iterable[T], ahead: int = _READ_AHEAD) -> Iterator[R]:
    """``map(work, items)`` with threads that work ``ahead`` of it; results in order, the first error is raised."""
    with ThreadPoolExecutor(_READERS) as pool:
        waiting: collections.deque[Future[R]] = collections.deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _tensor(image: NDArray[np.uint8]) -> Tensor:
    """(h, w, 3) uint8 -> (3, h, w) float32 in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1).contiguous().float().div_(255)


def _scaled(image: Tensor, scale: float) -> Tensor:
    """Bilinear without antialiasing, as cirtorch does (imageretrievalnet.py:317); at least one pixel a side."""
    if scale == 1:
        return image
    size = [max(1, math.floor(side * scale)) for side in image.shape[1:]]
    return torch.nn.functional.interpolate(image[None], size=size, mode="bilinear", align_corners=False)[0]


def _normalised(vector: Tensor) -> Tensor:
    """Length 1, computed in float64; zeros stay zeros."""
    exact = vector.double()
    largest = exact.abs().max()
    if largest == 0:
        return vector
    exact = exact / largest
    unit: Tensor = (exact / exact.norm()).float()
    return unit


def _combined(scales: list[Tensor], power: float) -> Tensor:
    if len(scales) == 1:
        return scales[0]
    stacked = torch.stack(scales)
    if power == 1:
        return _normalised(stacked.mean(0))
    if bool((stacked < 0).any()):
        raise InvalidInput(f"scale_power = {power} needs descriptors without negative entries", fix="scale_power: 1")
    return _normalised(stacked.pow(power).mean(0).pow(1 / power))
