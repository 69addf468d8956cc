"""Runs as jobs of SLURM, through submitit; its ``local`` cluster does them on this machine, for tests.

Nodes need the harness, the plugins and the folders of data and cache under the same paths (a shared file system).
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.runs.executors.job import Finished, Job, Limits
from harness.runs.executors.remote import RemoteExecutor, perform_job
from harness.runs.executors.submitting import submitted, submitter


class Slurm(RemoteExecutor):
    """Up to ``jobs`` jobs in the queue at once.

    Args:
        folder: seen by all nodes; submitit keeps its files in a folder of its own there, emptied job by job.
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
        self.slots = jobs
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(dir=folder))  # other processes may use the same cache
        try:
            self._executor = submitter(self._folder, limits, options)
        except BaseException:
            self._remove_folder()
            raise

    def close(self) -> None:
        """See ``Executor``."""
        for future in self._running:
            future.cancel(check=False)  # one that cannot be cancelled keeps no other from it
        self._running.clear()
        self._remove_folder()

    def _remove_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # others are in it
            self._folder.parent.rmdir()

    def _future(self, job: Job) -> Any:
        return self._executor.submit(submitted(self._executor, perform_job), job)

    def _error(self, future: Any) -> BaseException | None:
        """Also one that the job gave back."""
        error = super()._error(future)
        if error is None and isinstance(result := future.result(), HarnessError):
            return result
        return error

    def _finished(self, future: Any, job: Job) -> Finished:
        result = super()._finished(future, job)
        for path in self._folder.glob(f"{future.job_id}_*"):
            path.unlink(missing_ok=True)
        return result
