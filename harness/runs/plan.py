"""From a spec to runs: every combination of dataset, methods and seed, with the identity of each.

All names and parameters are checked here, before anything runs, and all mistakes are reported together. Neither torch
nor any data are loaded for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from harness import parameters
from harness.cache import digest
from harness.data.catalogue import CatalogueEntry, catalogue, catalogue_files
from harness.document import At, Document
from harness.errors import BadParameter, DataMissing, Errors, HarnessError, UnknownName, nearest
from harness.protocols import DataFolders, MethodId
from harness.registry import Registry, load_registry
from harness.runs.spec import STAGES, Choice, Combination, Spec, read_spec
from harness.source import source_digest

ENGINES: Final[Mapping[str, str]] = {
    "retrieval": "harness.retrieval.pipeline",
    "active-learning": "harness.active.loop",
}
"""The module whose source, with all it uses, decides the numbers of a task."""


@dataclass(frozen=True)
class Configured:
    """A method with its parameters, and what identifies it."""

    method: Any
    id: MethodId

    @property
    def key(self) -> dict[str, Any]:
        """The part of a run's identity that this method is: where the plugin was found does not count."""
        key = asdict(self.id)
        del key["origin"]
        return key


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset as the spec names it, its loader, and what the data are."""

    name: str
    loader: Configured
    fingerprint: str


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

    @property
    def label(self) -> str:
        """``synthetic-instances · tiny · gem · seed 0`` for people."""
        names = [self.methods[kind].id.name for kind in STAGES[self.task] if kind in self.methods]
        setting = [self.setting] if self.setting else []
        return " · ".join([self.dataset.name, *setting, *names, f"seed {self.seed}"])


@dataclass(frozen=True)
class Plan:
    """All runs of a spec, in the order of the spec."""

    spec: Spec
    runs: tuple[Run, ...]
    registry: Registry
    folders: DataFolders


def make_plan(
    source: str | Path | Mapping[str, Any],
    folders: DataFolders,
    *,
    plugins: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    strict: bool = False,
    catalogues: tuple[Path, ...] = (),
) -> Plan:
    """Read a spec, check everything in it, and expand it into runs.

    Args:
        source: a YAML file, or the same as a mapping.
        folders: where data and cache live.
        plugins: files or modules with methods, besides the installed ones.
        add: ``KIND=NAME``: methods that join the alternatives of the spec.
        strict: a broken installed plugin is an error.
        catalogues: files with datasets of the user, besides ``$HARNESS_CATALOGUE`` and ``datasets.yaml`` beside the
            spec.

    Raises:
        Errors: all mistakes found, each with its place.
        PluginError: a plugin given in ``plugins`` cannot be loaded.
        SpecError: the spec cannot be read at all.
    """
    spec, errors = read_spec(source)
    registry = load_registry(plugins, strict=strict)
    _load_plugins(spec, registry, errors)
    combinations = _added(spec, add)
    protocols = _protocols(spec, errors)
    known = catalogue(catalogue_files(catalogues, spec.folder if spec.document.file else None))
    datasets = [
        dataset for choice in spec.datasets for dataset in _dataset(spec, choice, known, registry, folders, errors)
    ]
    methods = [
        combination for given in combinations for combination in _methods(spec.document, given, registry, errors)
    ]
    if errors:
        raise Errors(sorted(errors, key=_place))
    runs = [
        _run(spec.task, protocol, setting, dataset, combination, seed)
        for dataset, (setting, protocol), combination, seed in itertools.product(
            datasets, protocols.items(), methods, spec.seeds
        )
    ]
    unique = {run.id: run for run in runs}
    return Plan(spec, tuple(unique.values()), registry, folders)


def _load_plugins(spec: Spec, registry: Registry, errors: list[HarnessError]) -> None:
    for position, plugin in enumerate(spec.plugins):
        try:
            registry.load(str(spec.folder / plugin) if plugin.endswith(".py") else plugin)
        except HarnessError as error:
            errors.append(spec.document.error(error, ("plugins", position)))


def _added(spec: Spec, add: tuple[str, ...]) -> tuple[Combination, ...]:
    """The spec's combinations with the methods of ``--add`` among the alternatives of their kind."""
    combinations = [dict(given) for given in spec.combinations]
    for text in add:
        kind, _, name = text.partition("=")
        if kind not in STAGES[spec.task] or not name:
            kinds = ", ".join(STAGES[spec.task])
            raise UnknownName(f'cannot add "{text}"', fix=f"write KIND=NAME with one of the kinds {kinds}")
        for combination in combinations:
            combination[kind] = (*combination[kind], Choice(name))
    return tuple(combinations)


def _protocols(spec: Spec, errors: list[HarnessError]) -> dict[str, Any]:
    """The task's protocol options as its own dataclass, one for each combination of the lists that are swept.

    Keys name the swept options; there is one, empty, where nothing is swept.
    """
    label, protocol = f"{spec.task} protocol", _protocol_class(spec.task)
    names = {parameter.name for parameter in parameters.describe(protocol)}
    known = {name: value for name, value in spec.protocol.items() if name in names}
    found: dict[str, Any] = {}
    mistakes: dict[str, HarnessError] = {}
    for values in parameters.sweep(label, protocol, known):
        swept = {name: value for name, value in values.items() if value != known[name]}
        # Unknown names go along, for their mistakes to be reported with the others.
        unknown = {name: value for name, value in spec.protocol.items() if name not in names}
        try:
            setting = " ".join(f"{name}={_setting(value)}" for name, value in swept.items())
            found[setting] = parameters.validate(label, protocol, {**values, **unknown})
        except Errors as errors_found:
            mistakes |= {error.headline: error for error in errors_found.errors}
    errors += [spec.document.error(error, _at_parameter(("protocol",), error)) for error in mistakes.values()]
    return found


def _setting(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _protocol_class(task: str) -> type[Any]:
    if task == "retrieval":
        from harness.retrieval.protocol import RetrievalProtocol

        return RetrievalProtocol
    from harness.active.protocol import ActiveProtocol

    return ActiveProtocol


def _dataset(
    spec: Spec,
    choice: Choice,
    known: Mapping[str, CatalogueEntry],
    registry: Registry,
    folders: DataFolders,
    errors: list[HarnessError],
) -> Iterator[PlannedDataset]:
    """A dataset of the catalogue or of a plugin; its parameters may be swept too."""
    document = spec.document
    entry = known.get(choice.name)
    loader = entry.loader if entry else choice.name
    if loader not in registry.names("dataset"):
        names = {*known, *registry.names("dataset")}
        fix = f"{nearest(choice.name, names)} (harness datasets lists all)".strip()
        errors.append(document.error(UnknownName(f'unknown dataset "{choice.name}"', fix=fix), choice.at))
        return
    given = {**(entry.parameters if entry else {}), **choice.parameters}
    for configured in _configured("dataset", Choice(loader, given, choice.at), document, registry, errors):
        if configured.method.task != spec.task:
            reason = f'dataset "{choice.name}" is for {configured.method.task}, the task is {spec.task}'
            errors.append(document.error(BadParameter(reason), choice.at))
            continue
        try:
            yield PlannedDataset(choice.name, configured, configured.method.fingerprint(folders))
        except HarnessError as error:
            if isinstance(error, DataMissing) and entry and entry.files:
                error.fix = f"harness datasets fetch {choice.name}; or {entry.source} ({folders.root})"
            errors.append(document.error(error, choice.at))


def _methods(
    document: Document, given: Combination, registry: Registry, errors: list[HarnessError]
) -> Iterator[dict[str, Configured]]:
    """All combinations of one alternative per kind; a stage that is none is left out."""
    axes: list[list[tuple[str, Configured | None]]] = []
    for kind, choices in given.items():
        found: list[tuple[str, Configured | None]] = []
        for choice in choices:
            if choice is None:
                found.append((kind, None))
            else:
                found += [(kind, method) for method in _configured(kind, choice, document, registry, errors)]
        axes.append(found)
    for combination in itertools.product(*axes):
        yield {kind: method for kind, method in combination if method is not None}


def _configured(
    kind: str, choice: Choice, document: Document, registry: Registry, errors: list[HarnessError]
) -> Iterator[Configured]:
    label = f'{kind} "{choice.name}"'
    try:
        method = registry.entry(kind, choice.name).load()
        combinations = list(parameters.sweep(label, method, choice.parameters))
    except Errors as found:
        errors += [document.error(error, _at_parameter(choice.at, error)) for error in found.errors]
        return
    except HarnessError as error:
        errors.append(document.error(error, choice.at))
        return
    reported: set[str] = set()
    for values in combinations:
        try:
            instance = parameters.validate(label, method, values)
        except Errors as found:
            fresh = [error for error in found.errors if error.headline not in reported]
            reported.update(error.headline for error in fresh)
            errors += [document.error(error, _at_parameter(choice.at, error)) for error in fresh]
        else:
            yield Configured(instance, registry.identify(kind, choice.name, instance))


def _at_parameter(at: At, error: HarnessError) -> At:
    name = getattr(error, "parameter", "")
    return (*at, name) if name else at


def _place(error: HarnessError) -> tuple[str, int, int]:
    where = error.where
    return (str(where.file), where.line, where.column) if where else ("", 0, 0)


def _run(
    task: str, protocol: Any, setting: str, dataset: PlannedDataset, methods: Mapping[str, Configured], seed: int
) -> Run:
    engine = {"task": task, "options": parameters.resolved(protocol), "engine": source_digest(ENGINES[task])}
    protocol_id = f"{task}-{digest(engine)[:12]}"
    identity = {
        "protocol": protocol_id,
        "dataset": dataset.fingerprint,
        "methods": {kind: method.key for kind, method in methods.items()},
        "seed": seed,
    }
    return Run(digest(identity)[:24], task, protocol, protocol_id, dataset, methods, seed, setting)
