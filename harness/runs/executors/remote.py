"""What executors for clusters have in common: each job is done in an isolated process of the machine it comes to."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import replace
from typing import Any, ClassVar

from harness.core import threads
from harness.core.progress import SilentProgress
from harness.core.versions import warn_of_other_versions
from harness.runs import single
from harness.runs.environment import environment
from harness.runs.executors.job import Finished, Job
from harness.runs.executors.processes import Processes
from harness.runs.identity import Run

_POLL_SECONDS = 1.0


class RemoteExecutor:
    """Jobs as futures of a library, which are looked at every ``poll_seconds``."""

    poll_seconds: ClassVar[float] = 0.05

    def __init__(self) -> None:
        self._running: dict[Any, Job] = {}
        self._versions: list[Any] = []

    def submit(self, run: Run, job: Job) -> None:
        """See ``Executor``."""
        self._running[self._future(job)] = job

    def finished(self, seconds: float) -> list[Finished]:
        """See ``Executor``."""
        until = time.monotonic() + seconds
        while not (ended := [future for future in self._running if future.done()]) and time.monotonic() < until:
            time.sleep(self.poll_seconds)
        return [self._finished(future, self._running.pop(future)) for future in ended]

    def _future(self, job: Job) -> Any:
        """The library's future of ``perform_job(job)``."""
        raise NotImplementedError

    def _error(self, future: Any) -> BaseException | None:
        """Why the library has no result of a future that ended."""
        error: BaseException | None = future.exception()
        return error

    def _finished(self, future: Any, job: Job) -> Finished:
        """A run that was lost has a record too."""
        error = self._error(future)
        if error is not None:
            return Finished(job, single.failed(job.description, single.failure_of(error), ""))
        result: Finished = future.result()
        self._compare_versions(result.record.environment.get("packages"), job)
        return result

    def _compare_versions(self, packages: Any, job: Job) -> None:
        """Warn of each set of other versions once."""
        if packages and packages not in self._versions:
            self._versions.append(packages)
            warn_of_other_versions(f"the worker of {job.label}", packages, environment()["packages"])


def perform_job(job: Job) -> Finished:
    """Do one job here and return its record; limits and isolation hold as on one machine."""
    # Dask's workers are marked as processes that may have no children; a run's process is ended with this call.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    here = replace(job, surroundings=environment())
    executor = Processes(1, SilentProgress(), preload=("torch",), threads_each=job.limits.threads or threads.share(1))
    executor.begin(here)
    try:
        while not (done := executor.finished(_POLL_SECONDS)):
            pass
    finally:
        executor.close()
    return replace(done[0], job=job)
