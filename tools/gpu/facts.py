"""What the parts of the check share: a fact, the device and how much data, the data themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from harness.core.devices import CUDA

T = TypeVar("T")
REPEATS = 3


@dataclass(frozen=True)
class Fact:
    """One line: ``right`` is None where nothing is right or wrong."""

    name: str
    value: Any
    right: bool | None = None

    def __str__(self) -> str:
        mark = {None: "    ", True: "ok  ", False: "FAIL"}[self.right]
        value = f"{self.value:.4g}" if isinstance(self.value, float) else str(self.value)
        return f"{mark} {self.name}: {value}"


@dataclass(frozen=True)
class Setting:
    """What is checked: the device, and whether small data do."""

    device: str
    small: bool

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU: else nothing is asked of CUDA itself."""
        return torch.device(self.device).type == CUDA

    def size(self, large: int, small: int) -> int:
        """How much data."""
        return small if self.small else large

    def seconds(self, work: Callable[[], object], repeats: int = REPEATS) -> float:
        """The median after one call that warms up."""
        work()
        return float(np.median([self.once(work)[0] for _ in range(repeats)]))

    def once(self, work: Callable[[], T]) -> tuple[float, T]:
        """Seconds of one call, what is queued on the device included, and its result."""
        self._wait()
        start = time.perf_counter()
        result = work()
        self._wait()
        return time.perf_counter() - start, result

    def _wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()


def points(n: int, d: int, classes: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d) float32 around ten centres, and the centre of each."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return (rng.normal(size=(classes, d))[labels] + 1.5 * rng.normal(size=(n, d))).astype(np.float32), labels


def pictures(n: int, side: int, channels: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, C, h, w) uint8 of ten classes, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    base = rng.integers(0, 255, (classes, channels, side, side))[labels]
    return np.clip(base + rng.integers(-90, 90, base.shape), 0, 255).astype(np.uint8), labels.astype(np.int64)
