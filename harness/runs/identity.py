"""One run, and how the id of its record comes about: ``run_id`` digests all that decides the result, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from harness.core.digest import digest
from harness.registry import MethodId, parameters
from harness.registry.source import source_digest
from harness.runs.spec import STAGES

ENGINES: Final[Mapping[str, str]] = {
    "retrieval": "harness.retrieval.pipeline",
    "active-learning": "harness.active.loop",
}
"""The module whose source, with all it uses, decides the numbers of a task."""


@dataclass(frozen=True)
class Configured:
    """A method with its parameters, and what identifies it; ``incomplete``: a file that it names is missing."""

    method: Any
    id: MethodId
    incomplete: bool = False

    @property
    def key(self) -> dict[str, Any]:
        """The part of a run's identity that this method is: where the plugin was found does not count."""
        key = asdict(self.id)
        del key["origin"]
        return key


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset as the spec names it, its loader, and what the data are.

    Attributes:
        name: in the catalogue, or of the loader.
        loader: reads it.
        fingerprint: of the data; empty where they are missing.
        expected: the counts that the catalogue states.
        non_default: parameters of the loader that are neither as the catalogue states them nor at their default.
        label: the name, and those parameters that tell it from others of this name in the plan.
    """

    name: str
    loader: Configured
    fingerprint: str
    expected: Mapping[str, int] = field(default_factory=dict)
    non_default: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Run:
    """One run: nothing else decides its result."""

    id: str
    task: str
    protocol: Any
    protocol_id: str
    dataset: PlannedDataset
    methods: Mapping[str, Configured]
    seed: int
    setting: str = ""
    """Protocol options that the spec sweeps, ``budget=10``."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Kind -> name of the method, with those parameters that tell it from others of this name in the plan."""

    @property
    def incomplete(self) -> bool:
        """Whether data or files are missing: the run can be planned but not done, and its id is not the final one."""
        return not self.dataset.fingerprint or any(method.incomplete for method in self.methods.values())

    @property
    def label(self) -> str:
        """``synthetic-instances · tiny · gem p=3 · seed 0`` for people, with all that varies in the plan."""
        kinds = [kind for kind in STAGES[self.task] if kind in self.methods]
        names = [self.labels.get(kind, self.methods[kind].id.name) for kind in kinds]
        setting = [self.setting] if self.setting else []
        return " · ".join([self.dataset.label or self.dataset.name, *setting, *names, f"seed {self.seed}"])


def run_id(protocol: str, dataset: PlannedDataset, methods: Mapping[str, Configured], seed: int) -> str:
    """The id of a run and the name of its record's file: the first 24 hex digits of a SHA-256.

    Args:
        protocol: task, options and source of the engine (``protocol_identity``).
        dataset: counts by its fingerprint; what it is called does not.
        methods: each by name, parameters, plugin, version and source (``Configured.key``).
        seed: of all randomness.
    """
    identity = {
        "protocol": protocol,
        # Two datasets that are missing are two all the same.
        "dataset": dataset.fingerprint or [dataset.name, dataset.loader.key],
        "methods": {kind: method.key for kind, method in methods.items()},
        "seed": seed,
    }
    return digest(identity)[:24]


def protocol_identity(task: str, protocol: Any) -> str:
    """What decides the numbers of a task beside data and methods: its options, and the source that measures."""
    engine = {"task": task, "options": parameters.resolved(protocol), "engine": source_digest(ENGINES[task])}
    return f"{task}-{digest(engine)[:12]}"


def protocol_class(task: str) -> type[Any]:
    """The dataclass of a task's protocol options."""
    if task == "retrieval":
        from harness.retrieval.protocol import RetrievalProtocol

        return RetrievalProtocol
    from harness.active.protocol import ActiveProtocol

    return ActiveProtocol
