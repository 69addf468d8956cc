"""Calls that one run hands out: shards of its search, in this process, in others, on Dask or SLURM.

They are done by code of the harness alone, on arrays in files: no plugin is loaded for them.
"""

from __future__ import annotations

import itertools
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from harness.core import threads
from harness.core.errors import SOME_FAILED, HarnessError
from harness.runs.executors.children import variables_set, without_main
from harness.runs.sharding import Sharding

if TYPE_CHECKING:
    from harness.retrieval.searching import Searching
    from harness.search.sharded import Jobs

T = TypeVar("T")
R = TypeVar("R")

_CONNECT_SECONDS: Final = 10
_ATTEMPTS: Final = 3
"""Of a call whose process was lost, the first among them; as many as Dask makes."""


class ShardsLost(HarnessError):
    """Workers were lost again and again."""

    code = "R800"
    exit_code = SOME_FAILED


@contextmanager
def calls(sharding: Sharding, folder: Path) -> Iterator[Jobs]:
    """What does the calls of a run.

    Args:
        sharding: where.
        folder: for the files of submitit.
    """
    if sharding.executor == "inline":
        from harness.search.sharded import here

        yield here
    elif sharding.executor == "processes":
        yield _Pool(sharding.workers)
    elif sharding.executor == "dask":
        with _dask(sharding.scheduler) as jobs:
            yield jobs
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as own:
            yield _Submitted(Path(own), sharding)


class _Pool:
    """Processes of this machine."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def __call__(self, function: Callable[[T], R], tasks: Sequence[T], label: str) -> list[R]:
        """See ``Jobs``."""
        results: dict[int, R] = {}
        each = max(1, threads.threads_here() // self._workers)
        variables = dict.fromkeys(threads.VARIABLES, str(each))
        for attempt in itertools.count(1):
            context = multiprocessing.get_context("spawn")
            with without_main(), variables_set(variables):
                with ProcessPoolExecutor(min(self._workers, len(tasks)), context) as pool:
                    futures: dict[int, Future[R]] = {}
                    with suppress(BrokenProcessPool):  # of a process that is lost while others are started
                        for i in (i for i in range(len(tasks)) if i not in results):
                            futures[i] = pool.submit(function, tasks[i])
                    for i, future in futures.items():
                        if not isinstance(future.exception(), BrokenProcessPool):
                            results[i] = future.result()
            if len(results) == len(tasks):
                return [results[i] for i in range(len(tasks))]
            if attempt == _ATTEMPTS:
                raise ShardsLost(f"{label}: processes were lost {attempt} times", fix="more shards, or fewer --workers")
        raise AssertionError


@contextmanager
def _dask(address: str) -> Iterator[Jobs]:
    """Tasks of a scheduler, which does those of a lost worker elsewhere."""
    from distributed import Client

    try:
        connected = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ShardsLost(
            f"no Dask scheduler answers at {address}", fix="an address that this machine reaches"
        ) from error
    with connected as client:

        def jobs(function: Callable[[T], R], tasks: Sequence[T], label: str) -> list[R]:
            from distributed.scheduler import KilledWorker

            futures = [client.submit(function, task, pure=False) for task in tasks]
            try:
                results: list[R] = client.gather(futures)
            except KilledWorker as error:
                raise ShardsLost(
                    f"{label}: Dask gave up, its workers were lost", fix="workers with more memory"
                ) from error
            finally:
                client.cancel(futures, force=True)
            return results

        yield jobs


class _Submitted:
    """Jobs of SLURM through submitit."""

    def __init__(self, folder: Path, sharding: Sharding) -> None:
        self._folder, self._sharding = folder, sharding

    def __call__(self, function: Callable[[T], R], tasks: Sequence[T], label: str) -> list[R]:
        """See ``Jobs``."""
        from harness.runs.executors.job import Limits
        from harness.runs.executors.submitting import submitted, submitter

        executor = submitter(self._folder, Limits(self._sharding.seconds), dict(self._sharding.slurm))
        if executor.cluster == "slurm":
            executor.update_parameters(slurm_array_parallelism=self._sharding.workers)
        work = submitted(executor, function)
        jobs = executor.map_array(work, tasks)
        try:
            return [self._result(executor, job, work, task, label) for job, task in zip(jobs, tasks, strict=True)]
        except BaseException:
            for job in jobs:  # nobody waits for them
                job.cancel(check=False)
            raise

    def _result(self, executor: Any, job: Any, function: Callable[[T], R | HarnessError], task: T, label: str) -> R:
        """Of a job; a lost one is submitted again."""
        from submitit.core.utils import FailedJobError, UncompletedJobError

        for attempt in itertools.count(1):
            try:
                result: R | HarnessError = job.result()
                if isinstance(result, HarnessError):
                    raise result
                return result
            except FailedJobError:
                raise
            except UncompletedJobError as error:
                if attempt == _ATTEMPTS:
                    raise ShardsLost(f"{label}: jobs of SLURM were lost {attempt} times", fix="more memory") from error
            job = executor.submit(function, task)
        raise AssertionError


@contextmanager
def searching_of(sharding: Sharding | None, cache: Path) -> Iterator[Searching]:
    """Where a run searches.

    Args:
        sharding: where its shards are done; None: with it, as a whole.
        cache: folder of the cache, seen by all workers.
    """
    from harness.retrieval.searching import Searching

    if sharding is None:
        yield Searching(folder=cache / "searches")
        return
    with calls(sharding, cache / "slurm-shards") as jobs:
        yield Searching(sharding.count, jobs, cache / "searches")
