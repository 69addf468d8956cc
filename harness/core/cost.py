"""What a piece of work costs: wall seconds, CPU seconds, peak memory above where it began."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_SAMPLE_SECONDS: Final = 0.005
_contended = False
_open: list[Cost] = []
_lock = threading.Lock()


def set_contended(contended: bool) -> None:
    """Say whether other runs share the machine with this process from now on."""
    global _contended
    _contended = contended


@dataclass
class Cost:
    """Seconds and bytes of one stage. ``cached``: an earlier run did the work, or a part of it, whose cost this is.

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
        import psutil  # which planning, where nothing is measured, does without

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


class _Shares:
    """CPU seconds of this process, divided evenly among the blocks that are under way."""

    def __init__(self) -> None:
        self._lock, self._under_way, self._last = threading.Lock(), list[Cost](), 0.0

    def begin(self, cost: Cost) -> None:
        with self._lock:
            self._divide()
            self._under_way.append(cost)

    def end(self, cost: Cost) -> None:
        with self._lock:
            self._divide()
            self._under_way[:] = [each for each in self._under_way if each is not cost]

    def _divide(self) -> None:
        now = time.process_time()
        for each in self._under_way:
            each.cpu_s += (now - self._last) / len(self._under_way)
        self._last = now


_shares = _Shares()


def count_earlier(wall_s: float, cpu_s: float, peak_bytes: int = 0) -> None:
    """Add what was spent earlier for the blocks of code that are being measured."""
    with _lock:
        for cost in _open:
            cost.wall_s, cost.cpu_s, cost.cached = cost.wall_s + wall_s, cost.cpu_s + cpu_s, True
            cost.peak_bytes = max(cost.peak_bytes, peak_bytes)


def count_elsewhere(cost: Cost) -> None:
    """Add the CPU seconds of another process that worked for this one, and its peak if it is the largest."""
    with _lock:
        for each in _open:
            each.cpu_s, each.peak_bytes = each.cpu_s + cost.cpu_s, max(each.peak_bytes, cost.peak_bytes)


def count_for_others(cpu_s: float) -> None:
    """Take away CPU seconds that were spent meanwhile for other runs, which have them in their costs."""
    count_elsewhere(Cost(cpu_s=-cpu_s))


@contextmanager
def measured() -> Iterator[Cost]:
    """Seconds and peak memory of a block of code, filled in on leaving it, also by an exception."""
    cost, sampler = Cost(contended=_contended), _PeakSampler()
    sampler.start()
    with _lock:
        _open.append(cost)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with _lock:
            _open[:] = [each for each in _open if each is not cost]
        cost.wall_s, cost.cpu_s = cost.wall_s + wall, cost.cpu_s + cpu
        cost.peak_bytes = max(cost.peak_bytes, sampler.finish())


@contextmanager
def measured_among_threads() -> Iterator[Cost]:
    """The same, of a job that may be one of several threads of its process.

    CPU seconds of the process are divided evenly among the jobs under way: together they are what it took. Memory
    belongs to no thread: the peak is that of the process.
    """
    share = Cost()
    with measured() as cost:
        _shares.begin(share)
        try:
            yield cost
        finally:
            _shares.end(share)
            share.cpu_s += cost.cpu_s  # of other processes
    cost.cpu_s = share.cpu_s
