"""Images to maps to descriptors, one image at a time; reading overlaps with the network. Loads torch."""

from __future__ import annotations

import collections
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.core.devices import BF16, CPU, CUDA, FP32, autocast
from harness.core.errors import InvalidInput
from harness.core.progress import Progress, track
from harness.core.threads import settle_thread, threads_here
from harness.plugin_api import (
    Backbone,
    Box,
    Orientation,
    Pooling,
    PoolsAnywhere,
    PoolsQueries,
    PoolsUncroppedQueries,
    Role,
    SeesBatches,
)
from harness.plugin_api.contract import require_maps, require_one_length, require_pooled
from harness.retrieval.images import read_image
from harness.retrieval.map_store import MapStore
from harness.retrieval.rotation import turned
from harness.retrieval.signed import gives_signed

T = TypeVar("T")
R = TypeVar("R")

DESCRIPTORS_VERSION: Final = 2
"""Of stored descriptors. Raised when numbers change: docs/explanation/identity.md."""
_READERS: Final = 2
_MOST_READERS: Final = 16
"""Threads that decode: decoders of images let go of the interpreter, so that threads are as good as processes."""
_READ_AHEAD: Final = 8
"""Images decoded before the network asks for them: bounds the memory."""

_BATCH: Final = 8
"""Images of one size that a network on a GPU sees together."""
_WINDOW: Final = 32
"""Images among which those of one size are looked for."""
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
        orientation: of the files.
        device: where the network is.
        numerics: of its products.
    """

    paths: Sequence[Path]
    boxes: Sequence[Box | None]
    size: int
    scales: tuple[float, ...] = (1.0,)
    orientation: Orientation = "stored"
    device: str = CPU
    numerics: str = FP32

    def __len__(self) -> int:
        return len(self.paths)

    def some(self, positions: Iterable[int]) -> ImageList:
        """The images at these positions."""
        chosen = list(positions)
        paths, boxes = [self.paths[i] for i in chosen], [self.boxes[i] for i in chosen]
        return replace(self, paths=paths, boxes=boxes)

    def read(self, convert: Callable[[NDArray[np.uint8]], R]) -> Iterator[R]:
        """``convert`` of each image (h, w, 3), cropped and shrunk; threads work ahead of it.

        Raises:
            DataMissing, DataDamaged: an image cannot be read.
        """
        files = zip(self.paths, self.boxes, strict=True)
        readers = min(max(_READERS, threads_here()), _MOST_READERS)
        return prefetched(lambda file: convert(self.read_one(*file)), files, max(_READ_AHEAD, 2 * readers), readers)

    def tensors(self) -> Iterator[Tensor]:
        """Each image (3, h, w) float32 in [0, 1], on the device."""
        return self.read(partial(_tensor, device=self.device))

    def read_one(self, path: Path, box: Box | None) -> NDArray[np.uint8]:
        """One image (h, w, 3) as the list shows it."""
        return read_image(path, self.size, box, self.orientation)


@dataclass(frozen=True)
class NamedBackbone:
    """A backbone and what to call it in messages; ``store`` holds maps that are needed more than once."""

    backbone: Backbone
    name: str
    store: MapStore | None = None

    def maps(self, images: ImageList, label: str, progress: Progress) -> Iterator[list[Tensor]]:
        """Per image its maps (C, h, w) float32, one per scale.

        Raises:
            DataMissing, DataDamaged: an image cannot be read.
            ContractError: the backbone returned something else than maps.
        """
        store = self.store
        if store is None:
            yield from track(self._seen_scales(images), len(images), label, progress)
            return
        files = zip(images.paths, images.boxes, strict=True)
        stored = prefetched(lambda file: self._stored(store, images, *file), files, _POOL_BEHIND)
        for maps in track(stored, len(images), label, progress):
            yield maps() if callable(maps) else maps

    def _seen_scales(self, images: ImageList) -> Iterator[list[Tensor]]:
        """Per image its maps; on a GPU images of one size that are near in the list go through the network together."""
        backbone, numerics = self.backbone, images.numerics
        if images.device == CPU or not isinstance(backbone, SeesBatches):
            for image in images.tensors():
                yield [self._seen(image, scale, numerics) for scale in images.scales]
            return

        def seen(batch: Sequence[Tensor]) -> list[list[Tensor]]:
            together = torch.stack(list(batch))
            of_scales = [self._maps(backbone.maps_batch, _scaled(together, scale), numerics) for scale in images.scales]
            return [[self._checked(maps[i].contiguous()) for maps in of_scales] for i in range(len(batch))]

        yield from in_batches(images.tensors(), seen)

    def turned_maps(
        self, images: ImageList, rotations: int, label: str, progress: Progress
    ) -> Iterator[list[list[Tensor]]]:
        """Per image and rotation its maps as ``maps`` gives them; the first rotation is none. Nothing is stored."""
        angles = [360 * k / rotations for k in range(rotations)]
        for image in track(images.tensors(), len(images), label, progress):
            views = [turned(image, angle) for angle in angles]
            yield [[self._seen(view, scale, images.numerics) for scale in images.scales] for view in views]

    def _stored(
        self, store: MapStore, images: ImageList, path: Path, box: Box | None
    ) -> list[Tensor] | Callable[[], list[Tensor]]:
        """The maps of an image, or what computes and stores them; the image is decoded for it already."""
        name = store.name(path, box)
        maps = [array for scale in images.scales if (array := store.read(name, scale)) is not None]
        if len(maps) == len(images.scales):
            return [torch.from_numpy(array).to(images.device) for array in maps]
        image = _tensor(images.read_one(path, box), images.device)

        def computed() -> list[Tensor]:
            with store.locked(name):
                return [self._kept(store, name, image, scale, images.numerics) for scale in images.scales]

        return computed

    def _kept(self, store: MapStore, name: str, image: Tensor, scale: float, numerics: str) -> Tensor:
        if (stored := store.read(name, scale)) is not None:
            return torch.from_numpy(stored).to(image.device)
        wall, cpu = time.perf_counter(), time.thread_time()
        maps = self._seen(image, scale, numerics)
        stored = maps.cpu().numpy()
        store.write(name, scale, stored, (time.perf_counter() - wall, time.thread_time() - cpu))
        return maps

    def _seen(self, image: Tensor, scale: float, numerics: str) -> Tensor:
        return self._checked(self._maps(self.backbone.maps, _scaled(image, scale), numerics))

    def _maps(self, network: Callable[[Tensor], Tensor], images: Tensor, numerics: str) -> Tensor:
        """What a network says of one image or several."""
        if numerics != BF16:
            with torch.inference_mode():
                return network(images)
        with torch.inference_mode(), autocast(images.device.type, wanted=True):
            return network(images).float()

    def _checked(self, maps: Tensor) -> Tensor:
        return require_maps(self.name, maps, signed=gives_signed(self.backbone))


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


def pooled_scales(
    maps: Iterable[list[Tensor]],
    pooling: Pooling,
    name: str,
    role: Role = "database",
    boxes: Iterable[Box | None] | None = None,
) -> NDArray[np.float32]:
    """Each scale of each image pooled and L2-normalised; an image without any activation gets zeros.

    Args:
        maps: per image its maps, one per scale.
        pooling: gives (D,) for one tensor of maps; queries are pooled by its ``pool_query``, and those without a box by
            its ``pool_uncropped_query``, if it has them.
        name: what to call the pooling in messages.
        role: what the images are.
        boxes: per image its box or None; None: all are cropped, or all that counts is the role.

    Returns:
        (n, scales, D) float32.

    Raises:
        ContractError: the pooling returned something else than finite vectors of one length.
    """
    cropped = itertools.repeat(True) if boxes is None else (box is not None for box in boxes)

    def descriptors(image: tuple[list[Tensor], bool]) -> NDArray[np.float32]:
        scales, is_cropped = image
        pool = _pool_of(pooling, role, is_cropped)
        with torch.inference_mode():
            pooled = [require_pooled(name, pool(scale)) for scale in near(pooling, scales)]
            require_one_length(name, pooled)
            return torch.stack([_normalised(vector) for vector in pooled]).cpu().numpy()

    rows: list[NDArray[np.float32]] = []
    for row in prefetched(descriptors, zip(maps, cropped, strict=False), _POOL_BEHIND):
        rows.append(row)
        require_one_length(name, [rows[0][0], row[0]])
    return np.stack(rows) if rows else np.empty((0, 0, 0), np.float32)


def near(pooling: Pooling, maps: Sequence[Tensor]) -> list[Tensor]:
    """Maps where a pooling can work on them: where they are, or in main memory."""
    anywhere = isinstance(pooling, PoolsAnywhere) and pooling.any_device
    return list(maps) if anywhere else [each.cpu() for each in maps]


def _pool_of(pooling: Pooling, role: Role, cropped: bool) -> Callable[[Tensor], Tensor]:
    """What pools an image of a role."""
    if role == "query" and not cropped and isinstance(pooling, PoolsUncroppedQueries):
        return pooling.pool_uncropped_query
    return pooling.pool_query if role == "query" and isinstance(pooling, PoolsQueries) else pooling.pool


def combined(scales: NDArray[np.float32], power: float = 1.0) -> NDArray[np.float32]:
    """The generalised mean over scales, L2-normalised: (n, scales, D) float32 -> (n, D) float32.

    Args:
        scales: what ``pooled_scales`` gives.
        power: exponent of the mean; infinite: the largest entry of all scales.

    Raises:
        InvalidInput: ``power`` is neither 1 nor infinite, and a descriptor has negative entries.
    """
    if scales.shape[1] == 1 or not len(scales):
        return scales.reshape(len(scales), scales.shape[-1])
    with torch.inference_mode():
        return np.stack([_combined(row, power).numpy() for row in torch.from_numpy(scales)])


def describe(
    maps: Iterable[list[Tensor]], pooling: Pooling, name: str, power: float = 1.0, role: Role = "database"
) -> NDArray[np.float32]:
    """Descriptors (n, D) float32 of images: ``pooled_scales``, ``combined``, with their arguments and errors."""
    return combined(pooled_scales(maps, pooling, name, role), power)


def prefetched(
    work: Callable[[T], R], items: Iterable[T], ahead: int = _READ_AHEAD, threads: int = _READERS
) -> Iterator[R]:
    """``map(work, items)`` with threads that work ``ahead`` of it; results in order, the first error is raised."""
    with ThreadPoolExecutor(threads, initializer=settle_thread) as pool:
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


def in_batches(images: Iterable[Tensor], work: Callable[[Sequence[Tensor]], Sequence[R]]) -> Iterator[R]:
    """``work`` on images of one size together, at most ``_BATCH``; results in the order of the images."""
    waiting = iter(images)
    while window := list(itertools.islice(waiting, _WINDOW)):
        by_size: dict[tuple[int, ...], list[int]] = {}
        for position, image in enumerate(window):
            by_size.setdefault(tuple(image.shape), []).append(position)
        results: dict[int, R] = {}
        for positions in by_size.values():
            for start in range(0, len(positions), _BATCH):
                chosen = positions[start : start + _BATCH]
                results.update(zip(chosen, work([window[i] for i in chosen]), strict=True))
        yield from (results[i] for i in range(len(window)))


def _tensor(image: NDArray[np.uint8], device: str = CPU) -> Tensor:
    """(h, w, 3) uint8 -> (3, h, w) float32 in [0, 1]; bytes are moved to a GPU, from memory that it can read itself."""
    pixels = torch.from_numpy(image)
    if device != CPU:
        pixels = (pixels.pin_memory() if device == CUDA else pixels).to(device, non_blocking=True)
    return pixels.permute(2, 0, 1).contiguous().float().div_(255)


def _scaled(image: Tensor, scale: float) -> Tensor:
    """Of one image or several; bilinear without antialiasing, as cirtorch does (imageretrievalnet.py:317)."""
    if scale == 1:
        return image
    size = [max(1, math.floor(side * scale)) for side in image.shape[-2:]]
    batch = image if image.ndim == 4 else image[None]
    scaled = torch.nn.functional.interpolate(batch, size=size, mode="bilinear", align_corners=False)
    return scaled if image.ndim == 4 else scaled[0]


def _normalised(vector: Tensor) -> Tensor:
    """Length 1, computed in float64; zeros stay zeros."""
    exact = vector.double()
    largest = exact.abs().max()
    if largest == 0:
        return vector
    exact = exact / largest
    unit: Tensor = (exact / exact.norm()).float()
    return unit


def _combined(scales: Tensor, power: float) -> Tensor:
    """Of one image: (scales, D) -> (D,)."""
    if power == 1:
        return _normalised(scales.mean(0))
    if power == math.inf:
        return _normalised(scales.amax(0))
    if bool((scales < 0).any()):
        raise InvalidInput(f"scale_power = {power} needs descriptors without negative entries", fix="scale_power: 1")
    return _normalised(scales.pow(power).mean(0).pow(1 / power))
