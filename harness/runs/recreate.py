"""From a run to its record and back: a record names everything that it takes to do the run again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.errors import DataMissing, UnknownName
from harness.plugin_api import DataFolders
from harness.registry import Registry, load_registry, parameters
from harness.registry.composition import deviations_of, source_of
from harness.registry.parameters import resolved
from harness.runs.file_parameters import file_parameters
from harness.runs.identity import Configured, PlannedDataset, Run, engine_source, protocol_class, result_versions
from harness.runs.learning_sets import LEARN_ON, as_parameter
from harness.runs.record import DatasetRecord, MethodRecord, Record


def describe(run: Run, *, sources: bool = True) -> Record:
    """The record of a run that was not done: all that is known before it. Such a record is never written.

    Args:
        run: as planned.
        sources: with the digest of the exact source of all methods and the engine, which takes a second to read.
    """
    presets = {m.id.parameters["preset"] for m in run.methods.values() if "preset" in m.id.parameters}
    return Record(
        id=run.id,
        status="missing",
        task=run.task,  # type: ignore[arg-type]  # checked when the spec was read
        protocol=resolved(run.protocol),
        versions=result_versions(run.task, run.protocol),
        source=engine_source(run.task) if sources else "",
        protocol_id=run.protocol_id,
        dataset=_dataset(run.dataset),
        methods={kind: method_record(configured, sources=sources) for kind, configured in run.methods.items()},
        non_default={
            "protocol": parameters.non_default(run.protocol),
            "dataset": list(run.dataset.non_default),
            **{kind: parameters.non_default(configured.method) for kind, configured in run.methods.items()},
        },
        preset="+".join(sorted(presets)) or None,
        seed=run.seed,
        started="",
        finished="",
    )


def recreate(
    record: Record, folders: DataFolders, plugins: Sequence[str | Path] = (), places: Sequence[Path] = ()
) -> Run:
    """The run that a record tells of; nothing is run and no image is read.

    It keeps the record's id. Where something is not as it was then (the source or version of a method, the data), what
    is recreated may do something else than what was recorded: one warning names all of it.

    Args:
        record: of a run that is done, failed or missing.
        folders: where data and cache live.
        plugins: files or modules with methods, besides the installed ones.
        places: folders in which files that parameters name are looked up, before the data and the working folder.

    Raises:
        UnknownName: a method or loader of the record is not registered.
        Errors: a method does not take the parameters that it had.
        DataMissing: a file that a parameter names is not there.
        PluginError: a plugin given in ``plugins`` cannot be loaded.
    """
    run = restored(record, load_registry(plugins), (*places, folders.root, Path.cwd()), folders)
    fingerprint, missing = record.dataset.fingerprint, ""
    try:
        fingerprint = run.dataset.loader.method.fingerprint(folders)
    except DataMissing as error:
        missing = error.headline
    _warn(record, run.methods, fingerprint, missing, folders)
    return replace(run, dataset=replace(run.dataset, fingerprint=fingerprint))


def restored(record: Record, registry: Registry, places: Sequence[Path], folders: DataFolders) -> Run:
    """The run that a record tells of, its methods made again; the data are taken to be what they were.

    Of an imported record it has no methods.

    Args:
        record: of a run.
        registry: where its methods are registered.
        places: folders in which files that parameters name are looked up.
        folders: where data and cache live.

    Raises:
        UnknownName: a method or loader of the record is not registered.
        Errors: a method does not take the parameters that it had.
        DataMissing: a file that a parameter names is not there.
    """

    def configured(kind: str, name: str, values: dict[str, Any]) -> Configured:
        try:
            method = registry.entry(kind, name).load()
        except UnknownName as error:
            raise UnknownName(error.headline, fix=f"load the plugin that has it (--plugin); {error.fix}") from error
        files = file_parameters(f'{kind} "{name}"', method, values, places, folders)
        made = registry.create(kind, name, **values | {name: file.path for name, file in files.items()})
        return Configured(made, registry.identify(kind, name, made, files))

    def method_of(kind: str, method: MethodRecord) -> Configured:
        made = configured(kind, method.name, method.parameters)
        if (learnt := method.learning_set) is None:
            return made
        loader = configured("dataset", learnt.loader, learnt.parameters)
        planned = PlannedDataset(learnt.name, loader, learnt.fingerprint, learnt.expected)
        files = file_parameters(f'{kind} "{method.name}"', type(made.method), method.parameters, places, folders)
        files[LEARN_ON] = as_parameter(planned)
        identity = registry.identify(kind, method.name, made.method, files)
        return Configured(made.method, identity, learning_set=planned)

    # Of an imported record the data alone can be had again.
    here = {} if record.measured_by else record.methods
    methods = {kind: method_of(kind, m) for kind, m in here.items()}
    loader = configured("dataset", record.dataset.loader, record.dataset.parameters)
    return Run(
        id=record.id,
        task=record.task,
        protocol=parameters.validate(f"{record.task} protocol", protocol_class(record.task), record.protocol),
        protocol_id=record.protocol_id,
        dataset=PlannedDataset(
            name=record.dataset.name,
            loader=loader,
            fingerprint=record.dataset.fingerprint,
            expected=record.dataset.expected,
            non_default=tuple((record.non_default or {}).get("dataset", ())),
        ),
        methods=methods,
        seed=record.seed,
    )


def _fingerprint(dataset: PlannedDataset, folders: DataFolders) -> str:
    """Of the data as they are now; empty where they are missing."""
    try:
        return str(dataset.loader.method.fingerprint(folders))
    except DataMissing:
        return ""


def _warn(
    record: Record, methods: Mapping[str, Configured], fingerprint: str, missing: str, folders: DataFolders
) -> None:
    changes = []
    for kind, configured in methods.items():
        then, now = record.methods[kind], configured.id
        if (then.plugin, then.version) != (now.plugin, now.version):
            changes.append(f'{kind} "{now.name}" came from {then.plugin} {then.version}, is {now.plugin} {now.version}')
        elif then.digest != now.digest:
            changes.append(f'{kind} "{now.name}" has another source')
        elif dict(then.files) != dict(now.files):
            changes.append(f'{kind} "{now.name}" reads other files')
        if (learnt := configured.learning_set) and learnt.fingerprint != _fingerprint(learnt, folders):
            changes.append(f"{learnt.name}, on which {kind} was learnt, holds other data or is missing")
    if missing:
        changes.append(f"the data cannot be read now: {missing}")
    elif fingerprint != record.dataset.fingerprint:
        changes.append(f"dataset {record.dataset.name} holds other data")
    if changes:
        warnings.warn(f"run {record.id} is not as it was recorded: {'; '.join(changes)}", stacklevel=3)


def method_record(configured: Configured, *, sources: bool = True) -> MethodRecord:
    """What a record says of a method, ``sources`` with the digest of its exact source."""
    identity = configured.id
    return MethodRecord(
        kind=identity.kind,
        name=identity.name,
        parameters=dict(identity.parameters),
        plugin=identity.plugin,
        version=identity.version,
        digest=identity.digest,
        files=dict(identity.files),
        origin=identity.origin,
        source=source_of(type(configured.method)) if sources else "",
        deviations=deviations_of(type(configured.method)),
        learning_set=None if configured.learning_set is None else _dataset(configured.learning_set),
    )


def _dataset(planned: PlannedDataset) -> DatasetRecord:
    loader = planned.loader.id
    return DatasetRecord(
        name=planned.name,
        loader=loader.name,
        parameters=dict(loader.parameters),
        fingerprint=planned.fingerprint,
        expected=dict(planned.expected),
        digest=loader.digest,
        files=dict(loader.files),
    )
