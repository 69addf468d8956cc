"""Threads: how many a run's libraries may use, and a pool that all work of a process shares."""

from __future__ import annotations

import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Read by torch, faiss, BLAS and numba when they are loaded."""


def share(workers: int) -> int:
    """Threads of one run: what ``OMP_NUM_THREADS`` says, else the cores this process may use, divided."""
    variable = os.environ.get(VARIABLES[0], "")
    if variable.isdecimal() and int(variable) > 0:
        return int(variable)
    return max(1, cores() // workers)


def threads_here() -> int:
    """Threads that this process may use: ``OMP_NUM_THREADS`` where set, else the cores it may run on."""
    return share(1)


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
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return
    threadpool_limits(count)


@functools.cache
def shared_threads(count: int, process: int) -> ThreadPoolExecutor:
    """Threads that all work of a process shares; those of its parent do not live in it."""
    return ThreadPoolExecutor(count, thread_name_prefix="graph")
