"""Images to maps, one image at a time; reading overlaps with the network. Loads torch."""

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
from harness.core.progress import Progress, track
from harness.core.threads import settle_thread, threads_here
from harness.plugin_api import (
    Backbone,
    Box,
    Orientation,
    SeesBatches,
)
from harness.plugin_api.contract import require_maps
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
POOL_BEHIND: Final = 2
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
        stored = prefetched(lambda file: self._stored(store, images, *file), files, POOL_BEHIND)
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
