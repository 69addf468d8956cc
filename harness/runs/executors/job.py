"""What an executor gets and gives: a job names its methods and parameters, so that any process can make them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from harness.core.devices import CUDA
from harness.core.errors import PluginError
from harness.plugin_api import DataFolders
from harness.registry import MethodId, Registry
from harness.runs.identity import Configured, Run
from harness.runs.record import STORED_RANKS, MethodRecord, Record
from harness.runs.recreate import restored
from harness.runs.sharding import Sharding


@dataclass(frozen=True)
class Limits:
    """What one run may take; None is no limit.

    Attributes:
        seconds: wall time, from the start of the run's process.
        memory_bytes: resident memory of the run's processes together.
        threads: of torch, BLAS, faiss and numba; 0 leaves them alone.
    """

    seconds: float | None = None
    memory_bytes: int | None = None
    threads: int = 0


@dataclass(frozen=True)
class Job:
    """One run to do, without any object of a plugin.

    Attributes:
        description: the record of the run as it is before it was done.
        label: for people.
        plugins: files and modules that hold its methods, besides the installed ones.
        foreign: its methods are not all built in: only then are plugins loaded that are not.
        folders: where data and cache live.
        places: folders in which files that parameters name are looked up.
        limits: what it may take.
        may_share: its process may do other runs before and after: only built-in methods run in it.
        contended: other runs may share the machine meanwhile.
        shares_maps: maps are kept until the plan is done.
        joint_poolings: see ``Run.joint_poolings``.
        keep_ranks: images of each ranking that are stored; None: all.
        surroundings: what the record says of the machine; None: found out where the run is done.
        sharding: where shards of the run are done; None: with it, as a whole.
        part: see ``Run.part``.
    """

    description: Record
    label: str
    plugins: tuple[str, ...]
    folders: DataFolders
    places: tuple[Path, ...] = ()
    limits: Limits = Limits()
    foreign: bool = False
    may_share: bool = False
    contended: bool = False
    shares_maps: bool = False
    joint_poolings: tuple[MethodRecord, ...] = ()
    keep_ranks: int | None = STORED_RANKS
    surroundings: Mapping[str, Any] | None = None
    sharding: Sharding | None = None
    part: tuple[int, int] | None = None

    @property
    def needs_card(self) -> bool:
        """Whether it computes on a GPU."""
        return bool(self.description.protocol.get("device") == CUDA)

    def restore(self, registry: Registry) -> Run:
        """The run itself. Raises ``PluginError`` where a method is not the one that was planned."""
        run = restored(self.description, registry, self.places, self.folders)
        for kind, configured in run.methods.items():
            _require_same(self.description.methods[kind], configured.id)
        return replace(
            run,
            shares_maps=self.shares_maps,
            joint_poolings=tuple(map(partial(_same, registry), self.joint_poolings)),
            keep_ranks=self.keep_ranks,
            sharding=self.sharding,
            part=self.part,
        )


def _same(registry: Registry, planned: MethodRecord) -> Configured:
    """A method without files, made again."""
    method = registry.create(planned.kind, planned.name, **planned.parameters)
    made = Configured(method, registry.identify(planned.kind, planned.name, method))
    _require_same(planned, made.id)
    return made


def _require_same(planned: MethodRecord, now: MethodId) -> None:
    if (planned.digest, planned.version, planned.files) != (now.digest, now.version, dict(now.files)):
        raise PluginError(f'{planned.kind} "{planned.name}" changed after the plan was made', fix="run again")


@dataclass(frozen=True)
class Finished:
    """A job that ended, with its record and what it warned of."""

    job: Job
    record: Record
    warnings: tuple[str, ...] = field(default=())


class Executor(Protocol):
    """Does jobs, in this process or elsewhere. One thread uses it."""

    @property
    def slots(self) -> int:
        """How many jobs it takes at once."""
        ...

    @property
    def contended(self) -> bool:
        """Whether runs share a machine while their seconds are counted."""
        ...

    def submit(self, run: Run, job: Job) -> None:
        """Begin a job; at most ``slots`` are under way."""
        ...

    def finished(self, seconds: float) -> list[Finished]:
        """The jobs that ended since; waits up to ``seconds`` for one. A job gives its record whatever happened."""
        ...

    def close(self) -> None:
        """Stop what is under way and leave no process behind."""
        ...
