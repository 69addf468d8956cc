"""What a plan will take of disk, memory and time, as far as it can be known before.

From a probe on a few images (``harness.runs.probe``), else disk and memory from records of runs with the same methods:
what such a run took, and what is stored of each further image. For all else the estimate says that it is not known.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import psutil

from harness.data.catalogue import catalogue
from harness.runs.identity import Run
from harness.runs.plan import Plan
from harness.runs.probe import COPIES, UNCERTAINTY, Expected
from harness.runs.record import Record
from harness.runs.store import Store

_DEPENDS: Final = ("descriptors", "backbone", "pooling", "whitening", "reranking", "network", "learning")
"""Kinds that decide how much is stored and held."""

_MB: Final = 2**20


@dataclass(frozen=True)
class Estimate:
    """Sums over the runs that are to be done.

    Attributes:
        disk_bytes: descriptors and features of re-ranking that will be stored, of the runs where it is known.
        disk_unknown: runs where it is not.
        memory_bytes: the most that one run will take above the loaded libraries, where it is known.
        memory_unknown: runs where it is not.
        free_disk_bytes: in the folder of the cache.
        free_memory_bytes: on this machine now.
        seconds: of all runs, one after the other; descriptors that several runs need count once.
        longest: seconds of the longest run alone.
        timed: runs that were probed.
        device: where networks run.
    """

    disk_bytes: int
    disk_unknown: int
    memory_bytes: int
    memory_unknown: int
    free_disk_bytes: int
    free_memory_bytes: int
    seconds: float = 0.0
    longest: float = 0.0
    timed: int = 0
    device: str = ""

    def lines(self) -> list[str]:
        """For people."""
        disk = f"about {self.disk_bytes / _MB:.0f} MB of descriptors" if self.disk_bytes else "nothing that is known of"
        memory = f"about {self.memory_bytes / _MB:.0f} MB in one run" if self.memory_bytes else "not known"
        return [
            f"disk: {disk}{_unknown(self.disk_unknown)}; {self.free_disk_bytes / _MB:.0f} MB are free",
            f"memory: {memory}{_unknown(self.memory_unknown)}; {self.free_memory_bytes / _MB:.0f} MB are free",
            self._time(),
        ]

    def _time(self) -> str:
        if not self.timed:
            return "time: not known; --probe measures a few images"
        low, high = (_duration(self.seconds * factor) for factor in (1 / UNCERTAINTY, UNCERTAINTY))
        return (
            f"time: about {_duration(self.seconds)} ({low} to {high}) for {self.timed} runs one after the other, "
            f"at most {_duration(self.longest)} for one, on this machine ({self.device})"
        )


def estimate(
    plan: Plan, store: Store, waiting: Sequence[Run], probed: Mapping[str, Expected] = MappingProxyType({})
) -> Estimate:
    """Estimate the runs that are to be done from what was probed, by id, else from the records in ``store``."""
    done = {_methods(record): record for record in store.read_all() if record.status == "done"}
    disk: list[float | None] = []
    memory: list[float | None] = []
    for run in waiting:
        if run.id in probed:
            disk.append(probed[run.id].disk_bytes)
            memory.append(probed[run.id].memory_bytes)
            continue
        record, images = done.get(_methods(run)), _images(run)
        stored = record.figures.get("bytes_per_image") if record else None
        disk.append(stored * images if stored is not None and images else None)
        memory.append(_peak(record, images) if record and images else None)
    own, shared = 0.0, dict[str, float]()
    for each in probed.values():
        own += each.seconds - each.shared_seconds
        shared[each.shared] = max(each.shared_seconds, shared.get(each.shared, 0.0))
    return Estimate(
        disk_bytes=int(sum(value for value in disk if value is not None)),
        disk_unknown=disk.count(None),
        memory_bytes=int(max((value for value in memory if value is not None), default=0)),
        memory_unknown=memory.count(None),
        free_disk_bytes=shutil.disk_usage(_existing(plan.folders.cache)).free,
        free_memory_bytes=int(psutil.virtual_memory().available),
        seconds=own + sum(shared.values()),
        longest=max((each.seconds for each in probed.values()), default=0.0),
        timed=len(probed),
        device=next((each.device for each in probed.values()), ""),
    )


def _methods(run: Run | Record) -> tuple[str, ...]:
    """Names and parameters of what decides the sizes."""
    if isinstance(run, Record):
        methods = {kind: (method.name, method.parameters) for kind, method in run.methods.items()}
    else:
        methods = {kind: (m.id.name, dict(m.id.parameters)) for kind, m in run.methods.items()}
    return tuple(
        f"{kind} {name} {sorted(values.items())}" for kind, (name, values) in methods.items() if kind in _DEPENDS
    )


def _images(run: Run) -> int:
    """Of the catalogue; 0 where it does not say."""
    entry = catalogue().get(run.dataset.name)
    counts: Mapping[str, int] = getattr(entry, "counts", None) or {}
    return int(counts.get("images") or counts.get("train") or 0)


def _peak(record: Record, images: int) -> float | None:
    """The largest stage then, and the descriptors of the images that are more now: networks do not grow with them."""
    measured_on = record.dataset.counts.get("images") or record.dataset.counts.get("train")
    if not measured_on or not record.cost:
        return None
    stored = (record.figures.get("bytes_per_image") or 0.0) * COPIES
    return max(cost.peak_bytes for cost in record.cost.values()) + stored * max(0, images - measured_on)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _unknown(count: int) -> str:
    return f" (not known for {count} runs: none like them has a record here)" if count else ""
