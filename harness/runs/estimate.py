"""What a plan will take of disk and memory, as far as it can be known before: from records of runs like its own.

Coarse on purpose. What a method stores and takes is not declared anywhere; it is known where a run with the same
methods on data of known counts has left a record. For all else the estimate says that it is not known.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from harness.data.catalogue import catalogue
from harness.runs.identity import Run
from harness.runs.plan import Plan
from harness.runs.record import Record
from harness.runs.store import Store

_DEPENDS: Final = ("backbone", "pooling", "whitening", "reranking", "network", "learning")
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
    """

    disk_bytes: int
    disk_unknown: int
    memory_bytes: int
    memory_unknown: int
    free_disk_bytes: int
    free_memory_bytes: int

    def lines(self) -> list[str]:
        """For people."""
        disk = f"about {self.disk_bytes / _MB:.0f} MB of descriptors" if self.disk_bytes else "nothing that is known of"
        memory = f"about {self.memory_bytes / _MB:.0f} MB in one run" if self.memory_bytes else "not known"
        return [
            f"disk: {disk}{_unknown(self.disk_unknown)}; {self.free_disk_bytes / _MB:.0f} MB are free",
            f"memory: {memory}{_unknown(self.memory_unknown)}; {self.free_memory_bytes / _MB:.0f} MB are free",
        ]


def estimate(plan: Plan, store: Store, waiting: Sequence[Run]) -> Estimate:
    """Estimate the runs that are to be done from the records in ``store``."""
    done = {_methods(record): record for record in store.read_all() if record.status == "done"}
    disk: list[float | None] = []
    memory: list[float | None] = []
    for run in waiting:
        record, images = done.get(_methods(run)), _images(run)
        stored = record.figures.get("bytes_per_image") if record else None
        disk.append(stored * images if stored is not None and images else None)
        memory.append(_peak(record, images) if record and images else None)
    return Estimate(
        disk_bytes=int(sum(value for value in disk if value is not None)),
        disk_unknown=disk.count(None),
        memory_bytes=int(max((value for value in memory if value is not None), default=0)),
        memory_unknown=memory.count(None),
        free_disk_bytes=shutil.disk_usage(_existing(plan.folders.cache)).free,
        free_memory_bytes=int(psutil.virtual_memory().available),
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
    """The largest stage, grown with the number of images where the data were smaller then."""
    measured_on = record.dataset.counts.get("images") or record.dataset.counts.get("train")
    if not measured_on or not record.cost:
        return None
    return max(cost.peak_bytes for cost in record.cost.values()) * max(1.0, images / measured_on)


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _unknown(count: int) -> str:
    return f" (not known for {count} runs: none like them has a record here)" if count else ""
