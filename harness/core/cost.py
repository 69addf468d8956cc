"""What a piece of work costs: wall seconds, CPU seconds, peak memory above where it began."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psutil

_SAMPLE_SECONDS: Final = 0.005
_contended = False


def set_contended(contended: bool) -> None:
    """Say whether other runs share the machine with this process from now on."""
    global _contended
    _contended = contended


@dataclass
class Cost:
    """Seconds and bytes of one stage. ``cached``: the work was done by an earlier run, whose cost this is.

    ``contended``: other runs may have shared the machine, so the seconds are too many.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    cached: bool = False
    contended: bool = False

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.wall_s + other.wall_s,
            self.cpu_s + other.cpu_s,
            max(self.peak_bytes, other.peak_bytes),
            self.cached or other.cached,
            self.contended or other.contended,
        )


class _PeakSampler(threading.Thread):
    """Samples the resident size; a peak shorter than the sampling interval can be missed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process()
        self.start_bytes = self.peak_bytes = int(self._process.memory_info().rss)
        self._stop_event = threading.Event()

    def run(self) -> None:
        while not self._stop_event.wait(_SAMPLE_SECONDS):
            self._sample()

    def finish(self) -> int:
        self._stop_event.set()
        self.join()
        self._sample()
        return self.peak_bytes - self.start_bytes

    def _sample(self) -> None:
        self.peak_bytes = max(self.peak_bytes, int(self._process.memory_info().rss))


@contextmanager
def measured() -> Iterator[Cost]:
    """Seconds and peak memory of a block of code, filled in on leaving it, also by an exception."""
    cost, sampler = Cost(contended=_contended), _PeakSampler()
    sampler.start()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.wall_s, cost.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        cost.peak_bytes = sampler.finish()
