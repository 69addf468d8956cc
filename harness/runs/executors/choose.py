"""The executor that a user names, ready for a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.core.errors import BadParameter, SpecError
from harness.core.progress import Progress
from harness.registry.modules import HARNESS
from harness.registry.source import libraries
from harness.runs.executors.inline import Inline
from harness.runs.executors.job import Executor, Limits
from harness.runs.identity import ENGINES, Run
from harness.runs.plan import Plan
from harness.runs.sharding import Sharding

INLINE, PROCESSES, DASK, SLURM = "inline", "processes", "dask", "slurm"
NAMES: Final = (INLINE, PROCESSES, DASK, SLURM)
LOCAL: Final = frozenset({INLINE, PROCESSES})
"""Executors whose runs are done on this machine."""

_HEAVY: Final = frozenset(
    {"cv2", "faiss", "igraph", "numba", "numpy", "PIL", "psutil", "scipy", "sklearn", "torch", "torchvision"}
)

_PRELOADED: Final = _HEAVY | {"filelock"}
_LAZY: Final[Mapping[str, tuple[str, ...]]] = {
    "retrieval": ("PIL.JpegImagePlugin", "PIL.PngImagePlugin"),
    "active-learning": ("torch._dynamo",),  # the first optimiser imports it, in two seconds
}
_LAZY_ALWAYS: Final = ("filelock", "numpy.ma", "numpy.random")
"""What libraries import when they are first used: a fresh process would import it in every run."""


WARM: Final = "harness.runs.executors.warm"
"""Imported last: it prepares what is loaded for runs of plugins, each of which has a process of its own."""


@dataclass(frozen=True)
class Options:
    """How a plan is to be run.

    Attributes:
        executor: one of ``NAMES``.
        workers: runs at once; for ``dask`` the scheduler knows, for ``slurm`` the jobs at once.
        seconds: limit of one run's wall time; None is no limit.
        memory_bytes: limit of one run's resident memory; None is no limit.
        threads: threads of one run; 0 divides the cores among the workers.
        scheduler: address of a Dask scheduler, or a Dask client or cluster.
        slurm: parameters of submitit, ``slurm_partition`` and the like, and ``cluster``.
        shards: jobs of one retrieval run; 0: a run is one job. With shards, runs are done on this machine one after
            the other, and what is handed out are the shards of each.
    """

    executor: str = INLINE
    workers: int = 1
    seconds: float | None = None
    memory_bytes: int | None = None
    threads: int = 0
    scheduler: Any = None
    slurm: tuple[tuple[str, str], ...] = ()
    shards: int = 0

    def __post_init__(self) -> None:
        if self.executor not in NAMES:
            raise BadParameter(f'unknown executor "{self.executor}"', fix=f"one of {', '.join(NAMES)}")
        if self.workers < 1:
            raise BadParameter(f"{self.workers} workers are too few", fix="at least 1")
        if self.shards < 0:
            raise BadParameter(f"{self.shards} shards are too few", fix="at least 1, or 0 for whole runs")
        if self.threads < 0:
            raise BadParameter(f"{self.threads} threads are too few", fix="at least 1, or 0 to divide the cores")
        if self.seconds is not None and self.seconds <= 0:
            raise BadParameter(f"a time limit of {self.seconds} s ends every run", fix="more than 0 seconds")
        if self.executor == INLINE and (self.workers > 1 or self.seconds or self.memory_bytes):
            raise SpecError(
                "runs in this process have no workers, time limit or memory limit", fix="executor: processes"
            )
        if self.executor == DASK and self.scheduler is None:
            raise SpecError("where is the Dask scheduler?", fix="--scheduler tcp://HOST:PORT")

    @property
    def limits(self) -> Limits:
        """What one run may take."""
        return Limits(self.seconds, self.memory_bytes, self.threads)

    @property
    def sharding(self) -> Sharding | None:
        """Where shards are done; None for whole runs."""
        if not self.shards:
            return None
        return Sharding(self.shards, self.executor, self.workers, _address(self.scheduler), self.slurm, self.seconds)

    @property
    def of_whole_runs(self) -> Options:
        """Where runs are done whose shards are jobs: on this machine, one after the other."""
        if not self.shards or self.executor == INLINE:
            return self
        return replace(self, executor=PROCESSES, workers=1, scheduler=None, slurm=())


def make_executor(options: Options, plan: Plan, runs: Iterable[Run], progress: Progress) -> Executor:
    """The executor for these runs of a plan; processes start with the first job.

    Raises:
        SpecError: a package is missing, the scheduler does not answer, or a method of the plan is in this process only.
    """
    if options.executor == INLINE:
        return Inline(progress)
    if given := ", ".join(name for _, name in plan.registry.given):
        raise SpecError(
            f"{given}: other processes cannot load a class that was given itself",
            fix="executor: inline, or write it to a plugin file (plugins: [mine.py]) and give its name",
        )
    if options.executor == PROCESSES:
        from harness.runs.executors.processes import Processes

        return Processes(options.workers, progress, preload=preloaded(runs), threads_each=options.threads)
    if options.executor == DASK:
        from harness.runs.executors.dask import Dask

        return Dask(options.scheduler)
    from harness.runs.executors.slurm import Slurm

    return Slurm(plan.folders.cache / "slurm", options.workers, options.limits, dict(options.slurm))


def _address(scheduler: Any) -> str:
    """Of a Dask scheduler, a client or a cluster."""
    of_client = getattr(scheduler, "scheduler", None)
    return str(getattr(of_client, "address", None) or getattr(scheduler, "scheduler_address", None) or scheduler or "")


def preloaded(runs: Iterable[Run]) -> list[str]:
    """Modules that every worker would otherwise load again: the engines, the built-in methods, what these import."""
    names: dict[str, None] = {}
    foreign = False
    for run in runs:
        methods = [*run.methods.values(), run.dataset.loader]
        modules = {module: m.id.plugin == HARNESS for m in methods for module in _modules(type(m.method))}
        foreign |= not all(modules.values())
        for module, built_in in {ENGINES[run.task]: True, **dict(sorted(modules.items()))}.items():
            names |= dict.fromkeys(sorted(libraries(module, _HEAVY)))
            # No foreign code, whatever its modules are called: the process that forks must stay clean.
            names |= {module: None} if built_in else {}
        names |= dict.fromkeys((*_LAZY[run.task], *_LAZY_ALWAYS))
    found = [name for name in names if name.partition(".")[0] in _PRELOADED or name.startswith("harness")]
    return [*found, WARM] if foreign else found


def _modules(method: type) -> set[str]:
    return {part.__module__ for part in getattr(method, "parts", (method,))}
