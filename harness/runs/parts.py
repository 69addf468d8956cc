"""The databases of a plan described in parts, as jobs of their own, before its runs read them from the cache."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from harness.core.digest import digest
from harness.core.progress import Progress
from harness.plugin_api.pooling import learns_from_maps
from harness.runs.executors import Executor, Job
from harness.runs.identity import Run

_POLL_SECONDS: Final = 0.5


def describe_parts(
    runs: Iterable[Run], job: Callable[[Run], Job], executor: Executor, count: int, progress: Progress
) -> None:
    """Have the database of each run described that no other of the runs describes alike.

    A part that fails is described by the run itself, whose record says what is wrong. What is in the cache is not
    described again.

    Args:
        runs: those that are pending.
        job: of a run.
        executor: does the parts; closed at the end.
        count: of parts.
        progress: told how many parts are done.
    """
    waiting = deque(replace(run, part=(number, count)) for run in _describing(runs) for number in range(count))
    total, running, failed = len(waiting), 0, set[str]()
    try:
        while waiting or running:
            progress.update("describe parts", total - len(waiting) - running, total)
            while waiting and running < executor.slots:
                run = waiting.popleft()
                executor.submit(run, replace(job(run), part=run.part, contended=executor.contended))
                running += 1
            for done in executor.finished(_POLL_SECONDS):
                running -= 1
                if done.record.failure is not None and done.record.id not in failed:
                    failed.add(done.record.id)
                    number, _ = done.job.part or (0, 0)
                    text = f"part {number + 1} of {count} of {done.job.label} failed: {done.record.failure.message}"
                    warnings.warn(text, stacklevel=2)
        progress.update("describe parts", total, total)
    finally:
        executor.close()


def _describing(runs: Iterable[Run]) -> Sequence[Run]:
    """One run for all that describe the same images in the same way; a pooling that learns from them has no parts."""
    chosen: dict[str, Run] = {}
    for run in runs:
        if "pooling" in run.methods and not learns_from_maps(run.methods["pooling"].method):
            keys = [run.methods[kind].key for kind in ("backbone", "pooling")]
            protocol = run.protocol
            # Descriptors of distractors are stored after their scales are combined.
            seen = [protocol.image_size, list(protocol.scales), protocol.scale_power, protocol.numerics_key]
            chosen.setdefault(digest([*keys, run.dataset.key, *seen]), run)
    return list(chosen.values())
