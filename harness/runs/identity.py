"""One run, and how the id of its record comes about: ``run_id`` digests all that decides the result, nothing else.

Code of the harness and of built-in methods counts by declared result versions, which golden results keep honest
(tests/golden); code of anybody else by its source; files by their content.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.core.digest import digest
from harness.registry import MethodId
from harness.registry.entries import method_key
from harness.registry.modules import HARNESS
from harness.registry.parameters import resolved
from harness.registry.source import source_digest
from harness.runs.record import STORED_RANKS
from harness.runs.sharding import Sharding
from harness.runs.spec import STAGES

if TYPE_CHECKING:
    from harness.runs.record import Record

ENGINES: Final[Mapping[str, str]] = {
    "retrieval": "harness.retrieval.pipeline",
    "active-learning": "harness.active.loop",
}
"""The module that does a task."""
COMPONENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "retrieval": ("data", "metrics", "retrieval", "search"),
    "active-learning": ("active", "data", "metrics"),
}
"""Packages whose ``RESULT_VERSION`` decides the numbers of a task beside its methods."""


@dataclass(frozen=True)
class Configured:
    """A method with its parameters, and what identifies it.

    Attributes:
        incomplete: a file or a dataset that it names is missing.
        learning_set: what a whitening is learnt on, where that is not the dataset of the run.
    """

    method: Any
    id: MethodId
    incomplete: bool = False
    learning_set: PlannedDataset | None = None

    @property
    def key(self) -> dict[str, Any]:
        """The part of a run's identity that this method is: where the plugin was found does not count."""
        return self.id.key

    @property
    def built_in(self) -> bool:
        """Whether no plugin but those of the harness has a part in it."""
        return set(self.id.plugin.split("+")) == {HARNESS}


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

    @property
    def key(self) -> dict[str, Any]:
        """The part of a run's identity that the data are: what they are called, and where they lie, does not count."""
        return _dataset_key(self.fingerprint, self.loader.id.digest, self.loader.id.files)


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
    shares_maps: bool = False
    """Whether maps are kept on disk until the plan is done: this run or others of the plan read them again."""
    keep_ranks: int | None = STORED_RANKS
    """Images of each ranking that are stored, None: all; beside the record where they are more than it holds."""
    sharding: Sharding | None = None
    """Where shards of its search are done; None: in its process, as a whole."""
    joint_poolings: tuple[Configured, ...] = ()
    """Of other runs of the plan that want descriptors of the same images: they pool maps in the same pass."""
    part: tuple[int, int] | None = None
    """Only to describe a part of the database: its number from 0, and how many there are."""

    @property
    def incomplete(self) -> bool:
        """Whether data or files are missing: the run can be planned but not done, and its id is not the final one."""
        return not self.dataset.fingerprint or any(method.incomplete for method in self.methods.values())

    @property
    def stores_ranks(self) -> bool:
        """Whether its rankings are stored in a file beside the record."""
        return self.task == "retrieval" and (self.keep_ranks is None or self.keep_ranks > STORED_RANKS)

    @property
    def label(self) -> str:
        """``synthetic-instances · tiny · gem p=3 · seed 0`` for people, with all that varies in the plan."""
        kinds = [kind for kind in STAGES[self.task] if kind in self.methods]
        names = [self.labels.get(kind, self.methods[kind].id.name) for kind in kinds]
        setting = [self.setting] if self.setting else []
        return " · ".join([self.dataset.label or self.dataset.name, *setting, *names, f"seed {self.seed}"])


def run_id(protocol: str, dataset: Mapping[str, Any], methods: Mapping[str, Mapping[str, Any]], seed: int) -> str:
    """The id of a run and the name of its record's file: the first 24 hex digits of a SHA-256.

    Args:
        protocol: task, options and result versions of the engine (``protocol_identity``).
        dataset: what identifies the data (``PlannedDataset.key``).
        methods: what identifies each method (``Configured.key``).
        seed: of all randomness.
    """
    return digest({"protocol": protocol, "dataset": dataset, "methods": methods, "seed": seed})[:24]


def planned_id(protocol: str, dataset: PlannedDataset, methods: Mapping[str, Configured], seed: int) -> str:
    """The id of a run that is planned; where data are missing, one that no record has."""
    # Two datasets that are missing are two all the same.
    data = dataset.key if dataset.fingerprint else {"name": dataset.name, "loader": dataset.loader.key}
    return run_id(protocol, data, {kind: method.key for kind, method in methods.items()}, seed)


def recorded_id(record: Record) -> str:
    """The id that follows from what a record says of its run: another one than the record's own means a forgery."""
    methods = {
        kind: method_key(m.kind, m.name, m.parameters, m.plugin, m.version, m.digest, m.files)
        for kind, m in record.methods.items()
    }
    dataset = _dataset_key(record.dataset.fingerprint, record.dataset.digest, record.dataset.files)
    return run_id(protocol_identity(record.task, record.protocol, record.versions), dataset, methods, record.seed)


def protocol_identity(task: str, options: Mapping[str, Any], versions: Mapping[str, int]) -> str:
    """What decides the numbers of a task beside data and methods.

    Args:
        task: ``retrieval`` or ``active-learning``.
        options: of the protocol, all of them.
        versions: result versions of the engine, ``result_versions`` of the present one.
    """
    counted = _counted(task, options)
    return f"{task}-{digest({'task': task, 'options': counted, 'versions': versions})[:12]}"


def _counted(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without those of later versions at their default, so that earlier records keep their ids."""
    protocol = protocol_class(task)
    if not (added := getattr(protocol, "added", ())):
        return dict(options)
    defaults = resolved(protocol())
    return {name: value for name, value in options.items() if name not in added or value != defaults[name]}


def result_versions(task: str, protocol: object = None) -> dict[str, int]:
    """The declared result version of each package that decides the numbers of a task; loads nothing heavy.

    Args:
        task: ``retrieval`` or ``active-learning``.
        protocol: its options: evaluation protocols and the approximate search have versions of their own, which runs
            without them do not depend on.
    """
    names = {name: f"harness.{name}" for name in COMPONENTS[task]}
    names |= {"protocols": "harness.metrics.protocols"} if getattr(protocol, "evaluation", "") else {}
    names |= {"ivf-pq": "harness.search.ivf_pq"} if getattr(protocol, "search", "") == "ivf-pq" else {}
    return {name: int(importlib.import_module(package).RESULT_VERSION) for name, package in names.items()}


def engine_source(task: str) -> str:
    """Digest of the exact source that does a task, which identifies nothing."""
    return source_digest(ENGINES[task])[:16]


def _dataset_key(fingerprint: str, code: str, files: Mapping[str, str]) -> dict[str, Any]:
    return {"fingerprint": fingerprint, "code": code, **({"files": dict(files)} if files else {})}


def protocol_class(task: str) -> type[Any]:
    """The dataclass of a task's protocol options."""
    if task == "retrieval":
        from harness.retrieval.protocol import RetrievalProtocol

        return RetrievalProtocol
    from harness.active.protocol import ActiveProtocol

    return ActiveProtocol
