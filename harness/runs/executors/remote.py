"""What a machine of a cluster does with a job: the same isolated process as on one's own machine."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

from harness.core import threads
from harness.core.progress import SilentProgress
from harness.runs.environment import environment
from harness.runs.executors.job import Finished, Job
from harness.runs.executors.processes import Processes

_POLL_SECONDS = 1.0


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
