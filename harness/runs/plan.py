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

from harness.core.digest import digest
from harness.core.document import At, Document
from harness.core.errors import BadParameter, DataMissing, Errors, HarnessError, UnknownName, nearest
from harness.data.catalogue import catalogue, catalogue_files
from harness.data.entry import CatalogueEntry
from harness.data.folders import use
from harness.plugin_api import DataFolders
from harness.registry import MethodId, Registry, load_registry, parameters
from harness.registry.source import source_digest
from harness.runs.spec import STAGES, Choice, Combination, Spec, read_spec

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
    """A dataset as the spec names it, its loader, and what the data are (fingerprint empty: they are missing)."""

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
    def incomplete(self) -> bool:
        """Whether data or files are missing: the run can be planned but not done, and its id is not the final one."""
        return not self.dataset.fingerprint or any(method.incomplete for method in self.methods.values())

    @property
    def label(self) -> str:
        """``synthetic-instances · tiny · gem · seed 0`` for people."""
        names = [self.methods[kind].id.name for kind in STAGES[self.task] if kind in self.methods]
        setting = [self.setting] if self.setting else []
        return " · ".join([self.dataset.name, *setting, *names, f"seed {self.seed}"])


@dataclass(frozen=True)
class Plan:
    """All runs of a spec, in the order of the spec; ``missing`` says what they still need, each thing once."""

    spec: Spec
    runs: tuple[Run, ...]
    registry: Registry
    folders: DataFolders
    missing: tuple[HarnessError, ...] = ()
    plugins: tuple[str, ...] = ()
    """Files and modules that hold methods, besides the installed plugins: whoever does a run loads them again."""


def make_plan(
    source: str | Path | Mapping[str, Any],
    folders: DataFolders,
    *,
    plugins: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    strict: bool = False,
    catalogues: tuple[Path, ...] = (),
    incomplete: bool = False,
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
        incomplete: plan runs whose data or files are missing too, and say so in the plan instead of refusing.

    Raises:
        Errors: all mistakes found, each with its place; and unless ``incomplete``, all that is missing.
        PluginError: a plugin given in ``plugins`` cannot be loaded.
        SpecError: the spec cannot be read at all.
    """
    use(folders)
    spec, errors = read_spec(source)
    missing: list[HarnessError] = []
    registry = load_registry(plugins, strict=strict)
    _load_plugins(spec, registry, errors)
    combinations = _added(spec, add)
    protocols = {name: _protocols(spec, name, errors) for name in _protocol_names(spec, errors)}
    known = catalogue(catalogue_files(catalogues, spec.folder if spec.document.file else None))
    found = _Found(spec.document, registry, errors, missing)
    datasets = [d for choice in spec.datasets for d in _dataset(spec, choice, known, found, folders)]
    methods = [combination for given in combinations for combination in _methods(given, found)]
    if errors or (missing and not incomplete):
        raise Errors(sorted([*errors, *_once(missing)], key=_place))
    runs = [
        _run(spec.task, protocol, setting, dataset, combination, seed)
        for dataset in datasets
        for (setting, protocol), combination, seed in itertools.product(
            protocols.get(dataset.name, protocols[""]).items(), methods, spec.seeds
        )
    ]
    unique = {run.id: run for run in runs}
    return Plan(spec, tuple(unique.values()), registry, folders, tuple(_once(missing)), registry.loaded)


@dataclass(frozen=True)
class _Found:
    """Where methods come from, and what was found wrong or missing so far."""

    document: Document
    registry: Registry
    errors: list[HarnessError]
    missing: list[HarnessError]


def _once(missing: list[HarnessError]) -> list[HarnessError]:
    """What is missing, each thing once though several methods need it, in the order of the spec."""
    return sorted({error.headline: error for error in reversed(missing)}.values(), key=_place)


def _protocol_names(spec: Spec, errors: list[HarnessError]) -> list[str]:
    """The datasets that have options of their own, and "" for all others."""
    known = [choice.name for choice in spec.datasets]
    for name in spec.protocols:
        if name not in known:
            fix = f"{nearest(name, known)} datasets of this spec: {', '.join(known)}".strip()
            error = UnknownName(f'protocols: "{name}" is no dataset of this spec', fix=fix)
            errors.append(spec.document.error(error, ("protocols", name), key=True))
    return ["", *spec.protocols]


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


def _protocols(spec: Spec, dataset: str, errors: list[HarnessError]) -> dict[str, Any]:
    """A dataset's protocol options as the task's dataclass, one for each combination of the lists that are swept.

    Keys name the swept options; there is one, empty, where nothing is swept.
    """
    label, protocol = f"{spec.task} protocol", _protocol_class(spec.task)
    names = {parameter.name for parameter in parameters.describe(protocol)}
    own = spec.protocols.get(dataset, {})
    known = {name: value for name, value in {**spec.protocol, **own}.items() if name in names}
    found: dict[str, Any] = {}
    mistakes: dict[str, HarnessError] = {}
    for values in parameters.sweep(label, protocol, known):
        swept = {name: value for name, value in values.items() if value != known[name]}
        # Unknown names go along, for their mistakes to be reported with the others.
        given = own if dataset else spec.protocol
        unknown = {name: value for name, value in given.items() if name not in names}
        try:
            setting = " ".join(f"{name}={_setting(value)}" for name, value in swept.items())
            found[setting] = parameters.validate(label, protocol, {**values, **unknown})
        except Errors as errors_found:
            mistakes |= {error.headline: error for error in errors_found.errors}
    for error in mistakes.values():
        at: At = ("protocols", dataset) if getattr(error, "parameter", "") in own else ("protocol",)
        errors.append(spec.document.error(error, _at_parameter(at, error)))
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
    spec: Spec, choice: Choice, known: Mapping[str, CatalogueEntry], found: _Found, folders: DataFolders
) -> Iterator[PlannedDataset]:
    """A dataset of the catalogue or of a plugin; its parameters may be swept too."""
    document, registry, errors = spec.document, found.registry, found.errors
    entry = known.get(choice.name)
    loader = entry.loader if entry else choice.name
    if loader not in registry.names("dataset"):
        names = {*known, *registry.names("dataset")}
        fix = f"{nearest(choice.name, names)} (harness datasets lists all)".strip()
        errors.append(document.error(UnknownName(f'unknown dataset "{choice.name}"', fix=fix), choice.at))
        return
    given = {**(entry.parameters if entry else {}), **choice.parameters}
    for configured in _configured("dataset", Choice(loader, given, choice.at), found):
        if configured.method.task != spec.task:
            reason = f'dataset "{choice.name}" is for {configured.method.task}, the task is {spec.task}'
            errors.append(document.error(BadParameter(reason), choice.at))
            continue
        try:
            yield PlannedDataset(choice.name, configured, configured.method.fingerprint(folders))
        except DataMissing as error:
            if entry and entry.files:
                error.fix = entry.how_to_get(choice.name, folders.root)
            found.missing.append(document.error(error, choice.at))
            yield PlannedDataset(choice.name, configured, "")
        except HarnessError as error:
            errors.append(document.error(error, choice.at))


def _methods(given: Combination, found: _Found) -> Iterator[dict[str, Configured]]:
    """All combinations of one alternative per kind; a stage that is none is left out."""
    axes: list[list[tuple[str, Configured | None]]] = []
    for kind, choices in given.items():
        axis: list[tuple[str, Configured | None]] = []
        for choice in choices:
            if choice is None:
                axis.append((kind, None))
            else:
                axis += [(kind, method) for method in _configured(kind, choice, found)]
        axes.append(axis)
    for combination in itertools.product(*axes):
        yield {kind: method for kind, method in combination if method is not None}


def _configured(kind: str, choice: Choice, found: _Found) -> Iterator[Configured]:
    document, registry, errors = found.document, found.registry, found.errors
    label = f'{kind} "{choice.name}"'
    try:
        method = registry.entry(kind, choice.name).load()
        combinations = list(parameters.sweep(label, method, choice.parameters))
    except Errors as wrong:
        errors += [document.error(error, _at_parameter(choice.at, error)) for error in wrong.errors]
        return
    except HarnessError as error:
        errors.append(document.error(error, choice.at))
        return
    reported: set[str] = set()
    for values in combinations:
        try:
            instance = parameters.validate(label, method, values)
        except DataMissing as error:
            found.missing.append(document.error(error, choice.at))
            instance = parameters.unprepared(method, values)
            yield Configured(instance, registry.identify(kind, choice.name, instance), incomplete=True)
        except Errors as wrong:
            fresh = [error for error in wrong.errors if error.headline not in reported]
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


def protocol_identity(task: str, protocol: Any) -> str:
    """What decides the numbers of a task beside data and methods: its options, and the source that measures."""
    engine = {"task": task, "options": parameters.resolved(protocol), "engine": source_digest(ENGINES[task])}
    return f"{task}-{digest(engine)[:12]}"


def _run(
    task: str, protocol: Any, setting: str, dataset: PlannedDataset, methods: Mapping[str, Configured], seed: int
) -> Run:
    protocol_id = protocol_identity(task, protocol)
    identity = {
        "protocol": protocol_id,
        # Two datasets that are missing are two all the same.
        "dataset": dataset.fingerprint or [dataset.name, dataset.loader.key],
        "methods": {kind: method.key for kind, method in methods.items()},
        "seed": seed,
    }
    return Run(digest(identity)[:24], task, protocol, protocol_id, dataset, methods, seed, setting)
