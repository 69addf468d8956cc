"""Runs as jobs of SLURM, through submitit; its ``local`` cluster does them on this machine, for tests.

Nodes need the harness, the plugins and the folders of data and cache under the same paths (a shared file system).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from harness.core.errors import SpecError
from harness.runs.executors.job import Finished, Job, Limits
from harness.runs.executors.remote import RemoteExecutor, perform_job

_SPARE_MINUTES: Final = 5
"""For starting: the limit of the run itself is kept by the harness, which leaves a record."""


class Slurm(RemoteExecutor):
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
    poll_seconds: ClassVar[float] = 0.2

    def __init__(self, folder: Path, jobs: int, limits: Limits, options: Mapping[str, str]) -> None:
        super().__init__()
        try:
            import submitit
        except ImportError as error:
            fix = "pip install 'vision-evaluation-harness[slurm]'"
            raise SpecError("submitit is not installed", fix=fix) from error
        self.slots = jobs
        self._folder = folder
        parameters = {key: _plain(text) for key, text in options.items()}
        cluster = str(parameters.pop("cluster", "slurm"))
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self._executor.update_parameters(**_limits(limits), **parameters)
        except (RuntimeError, NameError, ValueError, TypeError) as error:
            raise SpecError(f"submitit cannot use {cluster}: {error}", fix="see the options of submitit") from error

    def close(self) -> None:
        """See ``Executor``."""
        for future in self._running:
            future.cancel()
        self._running.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _future(self, job: Job) -> Any:
        return self._executor.submit(perform_job, job)

    def _finished(self, future: Any, job: Job) -> Finished:
        result = super()._finished(future, job)
        for path in self._folder.glob(f"{future.job_id}*"):
            path.unlink(missing_ok=True)
        return result


def _limits(limits: Limits) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    if limits.seconds is not None:
        parameters["timeout_min"] = math.ceil(limits.seconds / 60) + _SPARE_MINUTES
    if limits.memory_bytes is not None:
        parameters["mem_gb"] = math.ceil(1.2 * limits.memory_bytes / 2**30)
    if limits.threads:
        parameters["cpus_per_task"] = limits.threads
    return parameters


def _plain(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
