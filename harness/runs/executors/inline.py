"""Runs in this very process, one after the other: for debugging, and for few short runs from Python."""

from __future__ import annotations

from harness.core.progress import Progress
from harness.runs import single
from harness.runs.executors.job import Finished, Job
from harness.runs.identity import Run


class Inline:
    """Does a job when it is asked for what is finished. No isolation, no limits."""

    slots = 1
    contended = False

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._waiting: list[tuple[Run, Job]] = []

    def submit(self, run: Run, job: Job) -> None:
        """See ``Executor``."""
        self._waiting.append((run, job))

    def finished(self, seconds: float) -> list[Finished]:
        """See ``Executor``; takes as long as the run takes."""
        run, job = self._waiting.pop(0)
        return [Finished(job, single.execute(run, job.folders, self._progress, job.surroundings, job.places))]

    def close(self) -> None:
        """See ``Executor``."""
        self._waiting.clear()
