"""Threads: how many a run's libraries may use, and a pool that all work of a process shares."""

from __future__ import annotations

import functools
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Part = TypeVar("Part")

VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Read by torch, faiss, BLAS and numba when they are loaded."""


OPERATION: Final = 1
"""Threads of one operation in everything that gives numbers; part of ``numerics`` in keys and identities."""


def share(workers: int) -> int:
    """Threads of one run: what ``OMP_NUM_THREADS`` says, else the cores this process may use, divided."""
    variable = os.environ.get(VARIABLES[0], "")
    if variable.isdecimal() and int(variable) > 0:
        return int(variable)
    return max(1, cores() // workers)


_outside: list[int] = []
"""Threads that the process may use, while each single operation is held to ``OPERATION``."""


def threads_here() -> int:
    """Threads that this process may use: ``OMP_NUM_THREADS`` where set, else the cores it may run on."""
    return _outside[-1] if _outside else share(1)


@contextmanager
def reproducible() -> Iterator[None]:
    """Inside, each operation of torch, BLAS and faiss uses ``OPERATION`` threads, however many the process may use.

    Sums are added up in an order that depends on the number of threads, so results would be those of a machine, of
    ``OMP_NUM_THREADS``, and of the number of workers. Work that is shared out by the harness itself (``threads_here``)
    gives the same bytes on any number of threads.
    """
    if _outside:
        yield
        return
    _outside.append(threads_here())
    before = {name: os.environ.get(name) for name in VARIABLES}
    try:
        with _held_to(OPERATION):
            yield
    finally:
        _outside.pop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _held_to(count: int) -> Iterator[None]:
    """Libraries that are loaded by calls, with their own numbers restored; those still to be loaded by variables."""
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(count):
        if torch:
            torch.set_num_threads(count)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def settle_thread() -> None:
    """Begin a thread that works for a run: OpenMP counts the threads of each thread apart."""
    if _outside and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(OPERATION)


def on_all_threads(work: Callable[[Part], object], parts: Sequence[Part]) -> None:
    """``work`` on each part, on as many threads as this process may use; inside, an operation of torch uses one.

    For results that do not depend on which part comes first. Threads inside of small operations would wait for each
    other after each, which takes longer than the operations.
    """
    torch = sys.modules["torch"]
    before, waiting = torch.get_num_threads(), deque(parts)

    def alone() -> None:
        torch.set_num_threads(1)  # OpenMP counts the threads of each thread apart
        while waiting:
            try:
                part = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            work(part)

    torch.set_num_threads(1)
    try:
        threads = threads_here()
        if threads == 1 or len(parts) == 1:
            for part in parts:
                work(part)
            return
        from concurrent.futures import wait

        pool = shared_threads(threads, os.getpid())
        # One call a thread, not one a part: a call takes two kilobytes, and parts can be millions.
        started = [pool.submit(alone) for _ in range(min(threads, len(parts)))]
        wait(started)
        for done in started:
            done.result()
    finally:
        torch.set_num_threads(before)


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def limit(count: int) -> None:
    """Hold libraries to ``count`` threads: by variables those still to be loaded, by calls the others."""
    if count <= 0 or os.environ.get(VARIABLES[0]) == str(count):
        return
    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(count)
    if "numba" in sys.modules:
        numba = sys.modules["numba"]
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    from threadpoolctl import threadpool_limits

    threadpool_limits(count)


@functools.cache
def shared_threads(count: int, process: int) -> ThreadPoolExecutor:
    """Threads that all work of a process shares; those of its parent do not live in it."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(count, thread_name_prefix="graph")
