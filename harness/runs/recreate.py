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
from harness.registry.composition import deviations_of
from harness.registry.parameters import resolved
from harness.runs.identity import Configured, PlannedDataset, Run, protocol_class
from harness.runs.record import DatasetRecord, MethodRecord, Record


def describe(run: Run) -> Record:
    """The record of a run that was not done: all that is known before it. Such a record is never written."""
    loader = run.dataset.loader.id
    presets = {m.id.parameters["preset"] for m in run.methods.values() if "preset" in m.id.parameters}
    return Record(
        id=run.id,
        status="missing",
        task=run.task,  # type: ignore[arg-type]  # checked when the spec was read
        protocol=resolved(run.protocol),
        protocol_id=run.protocol_id,
        dataset=DatasetRecord(
            name=run.dataset.name,
            loader=loader.name,
            parameters=dict(loader.parameters),
            fingerprint=run.dataset.fingerprint,
            expected=dict(run.dataset.expected),
        ),
        methods={kind: _method(configured) for kind, configured in run.methods.items()},
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


def recreate(record: Record, folders: DataFolders, plugins: Sequence[str | Path] = ()) -> Run:
    """The run that a record tells of; nothing is run and no image is read.

    It keeps the record's id. Where something is not as it was then (the source or version of a method, the data), what
    is recreated may do something else than what was recorded: one warning names all of it.

    Args:
        record: of a run that is done, failed or missing.
        folders: where data and cache live.
        plugins: files or modules with methods, besides the installed ones.

    Raises:
        UnknownName: a method or loader of the record is not registered.
        Errors: a method does not take the parameters that it had.
        PluginError: a plugin given in ``plugins`` cannot be loaded.
    """
    run = restored(record, load_registry(plugins))
    fingerprint, missing = record.dataset.fingerprint, ""
    try:
        fingerprint = run.dataset.loader.method.fingerprint(folders)
    except DataMissing as error:
        missing = error.headline
    _warn(record, run.methods, fingerprint, missing)
    return replace(run, dataset=replace(run.dataset, fingerprint=fingerprint))


def restored(record: Record, registry: Registry) -> Run:
    """The run that a record tells of, its methods made again; the data are taken to be what they were.

    Raises:
        UnknownName: a method or loader of the record is not registered.
        Errors: a method does not take the parameters that it had.
    """
    methods = {kind: _configured(registry, kind, m.name, m.parameters) for kind, m in record.methods.items()}
    loader = _configured(registry, "dataset", record.dataset.loader, record.dataset.parameters)
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


def _configured(registry: Registry, kind: str, name: str, values: dict[str, Any]) -> Configured:
    try:
        method = registry.create(kind, name, **values)
    except UnknownName as error:
        raise UnknownName(error.headline, fix=f"load the plugin that has it (--plugin); {error.fix}") from error
    return Configured(method, registry.identify(kind, name, method))


def _warn(record: Record, methods: Mapping[str, Configured], fingerprint: str, missing: str) -> None:
    changes = []
    for kind, configured in methods.items():
        then, now = record.methods[kind], configured.id
        if (then.plugin, then.version) != (now.plugin, now.version):
            changes.append(f'{kind} "{now.name}" came from {then.plugin} {then.version}, is {now.plugin} {now.version}')
        elif then.digest != now.digest:
            changes.append(f'{kind} "{now.name}" has another source')
    if missing:
        changes.append(f"the data cannot be read now: {missing}")
    elif fingerprint != record.dataset.fingerprint:
        changes.append(f"dataset {record.dataset.name} holds other data")
    if changes:
        warnings.warn(f"run {record.id} is not as it was recorded: {'; '.join(changes)}", stacklevel=3)


def _method(configured: Configured) -> MethodRecord:
    identity = configured.id
    return MethodRecord(
        kind=identity.kind,
        name=identity.name,
        parameters=dict(identity.parameters),
        plugin=identity.plugin,
        version=identity.version,
        digest=identity.digest,
        origin=identity.origin,
        deviations=deviations_of(type(configured.method)),
    )
