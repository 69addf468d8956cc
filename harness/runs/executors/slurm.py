"""Runs as jobs of SLURM, through submitit; its ``local`` cluster does them on this machine, for tests.

Nodes need the harness, the plugins and the folders of data and cache under the same paths (a shared file system).
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.core.errors import SpecError
from harness.runs import single
from harness.runs.executors.job import Finished, Job, Limits
from harness.runs.executors.remote import perform_job
from harness.runs.identity import Run

_POLL_SECONDS: Final = 0.2
_SPARE_MINUTES: Final = 5
"""For starting: the limit of the run itself is kept by the harness, which leaves a record."""


class Slurm:
    """Up to ``jobs`` jobs in the queue at once.

    Args:
        folder: where submitit keeps its files, seen by all nodes; emptied job by job.
        jobs: how many jobs may wait or run.
        limits: of one run; they become the limits of a job.
        options: parameters of submitit, ``slurm_partition``; ``cluster`` (``slurm`` or ``local``).

    Raises:
        SpecError: submitit or SLURM is not there, or an option is wrong.
    """

    contended = False

    def __init__(self, folder: Path, jobs: int, limits: Limits, options: Mapping[str, str]) -> None:
        try:
            import submitit
        except ImportError as error:
            fix = "pip install 'vision-evaluation-harness[slurm]'"
            raise SpecError("submitit is not installed", fix=fix) from error
        self.slots = jobs
        self._folder = folder
        given = {key: _plain(text) for key, text in options.items()}
        cluster = str(given.pop("cluster", "slurm"))
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._executor.update_parameters(**_parameters(limits), **given)
        except (RuntimeError, NameError, ValueError, TypeError) as error:
            raise SpecError(f"submitit cannot use {cluster}: {error}", fix="see the options of submitit") from error
        self._running: list[tuple[Any, Job]] = []

    def submit(self, run: Run, job: Job) -> None:
        """See ``Executor``."""
        self._running.append((self._executor.submit(perform_job, job), job))

    def finished(self, seconds: float) -> list[Finished]:
        """See ``Executor``."""
        until = time.monotonic() + seconds
        while True:
            ended = [(future, job) for future, job in self._running if future.done()]
            if ended or time.monotonic() > until:
                break
            time.sleep(_POLL_SECONDS)
        self._running = [pair for pair in self._running if pair not in ended]
        return [self._result(future, job) for future, job in ended]

    def close(self) -> None:
        """See ``Executor``."""
        for future, _ in self._running:
            future.cancel()
        self._running.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _result(self, future: Any, job: Job) -> Finished:
        error = future.exception()
        if error is None:
            result: Finished = future.result()
        else:
            result = Finished(job, single.failed(job.description, single.failure_of(error), ""))
        for path in self._folder.glob(f"{future.job_id}*"):
            path.unlink(missing_ok=True)
        return result


def _parameters(limits: Limits) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if limits.seconds is not None:
        found["timeout_min"] = math.ceil(limits.seconds / 60) + _SPARE_MINUTES
    if limits.memory_bytes is not None:
        found["mem_gb"] = math.ceil(1.2 * limits.memory_bytes / 2**30)
    if limits.threads:
        found["cpus_per_task"] = limits.threads
    return found


def _plain(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
