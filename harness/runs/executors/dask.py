"""Runs on Dask distributed: its scheduler decides where, and does a run elsewhere when a worker is lost.

Workers need the harness, the plugins and the folders of data and cache under the same paths (a shared file system).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from harness.core.errors import SpecError
from harness.runs import single
from harness.runs.executors.job import Finished, Job
from harness.runs.executors.remote import perform_job
from harness.runs.identity import Run

_CONNECT_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.05


class Dask:
    """As many runs at once as the cluster has threads.

    Args:
        scheduler: address ``tcp://HOST:PORT``, a ``distributed.Client``, or a cluster object.

    Raises:
        SpecError: distributed is not installed, or nobody answers.
    """

    def __init__(self, scheduler: Any) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise SpecError("Dask is not installed", fix="pip install 'vision-evaluation-harness[dask]'") from error
        self._own = not isinstance(scheduler, Client)
        try:
            self._client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False) if self._own else scheduler
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise SpecError(f"no Dask scheduler answers at {scheduler}", fix="start one: dask scheduler") from error
        self._running: dict[Any, Job] = {}
        self._submitted = 0

    @property
    def slots(self) -> int:
        """See ``Executor``: workers may join and leave."""
        return max(1, sum(self._threads().values()))

    @property
    def contended(self) -> bool:
        """Whether any machine does several runs at once."""
        hosts: Counter[str] = Counter()
        for address, count in self._threads().items():
            hosts[address.rpartition(":")[0]] += count
        return any(count > 1 for count in hosts.values())

    def submit(self, run: Run, job: Job) -> None:
        """See ``Executor``."""
        self._submitted += 1
        key = f"harness-{job.description.id}-{self._submitted}"
        self._running[self._client.submit(perform_job, job, key=key, pure=False)] = job

    def finished(self, seconds: float) -> list[Finished]:
        """See ``Executor``."""
        until = time.monotonic() + seconds
        while not (ended := [future for future in self._running if future.done()]) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return [self._result(future, self._running.pop(future)) for future in ended]

    def close(self) -> None:
        """See ``Executor``."""
        if self._running:
            self._client.cancel(list(self._running), force=True)
            self._running.clear()
        if self._own:
            self._client.close()

    def _result(self, future: Any, job: Job) -> Finished:
        """A run whose workers were lost again and again has a record too."""
        if future.status == "finished":
            result: Finished = future.result()
            return result
        error = (
            future.exception() if future.status == "error" else RuntimeError(f"Dask gave the run up: {future.status}")
        )
        return Finished(job, single.failed(job.description, single.failure_of(error), ""))

    def _threads(self) -> Mapping[str, int]:
        return dict(self._client.nthreads())
