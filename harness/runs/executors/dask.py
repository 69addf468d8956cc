"""Runs on Dask distributed: its scheduler decides where, and does a run elsewhere when a worker is lost.

Workers need the harness, the plugins and the folders of data and cache under the same paths (a shared file system).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from harness.core.errors import SpecError
from harness.runs.executors.job import Job
from harness.runs.executors.remote import RemoteExecutor, perform_job

_CONNECT_SECONDS: Final = 10


class Dask(RemoteExecutor):
    """As many runs at once as the cluster has threads.

    Args:
        scheduler: address ``tcp://HOST:PORT``, a ``distributed.Client``, or a cluster object.

    Raises:
        SpecError: distributed is not installed, or nobody answers.
    """

    def __init__(self, scheduler: Any) -> None:
        super().__init__()
        try:
            from distributed import Client
        except ImportError as error:
            raise SpecError("Dask is not installed", fix="pip install 'vision-evaluation-harness[dask]'") from error
        self._own = not isinstance(scheduler, Client)
        try:
            self._client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False) if self._own else scheduler
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise SpecError(f"no Dask scheduler answers at {scheduler}", fix="start one: dask scheduler") from error
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

    def close(self) -> None:
        """See ``Executor``."""
        if self._running:
            self._client.cancel(list(self._running), force=True)
            self._running.clear()
        if self._own:
            self._client.close()

    def _future(self, job: Job) -> Any:
        self._submitted += 1
        key = f"harness-{job.description.id}-{self._submitted}"
        return self._client.submit(perform_job, job, key=key, pure=False)

    def _error(self, future: Any) -> BaseException | None:
        """Also of a run whose workers were lost again and again."""
        if future.status in ("finished", "error"):
            return super()._error(future)
        return RuntimeError(f"Dask gave the run up: {future.status}")

    def _threads(self) -> Mapping[str, int]:
        return dict(self._client.nthreads())
