"""A run again from its record: the same dataset and methods with the same parameters, to look at what it did."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.errors import DataMissing, UnknownName
from harness.plugin_api import DataFolders
from harness.registry import Registry, load_registry, parameters
from harness.runs.plan import Configured, PlannedDataset, Run
from harness.runs.record import Record


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
    """The run that a record tells of, its methods made anew; the data are taken to be what they were.

    Raises:
        UnknownName: a method or loader of the record is not registered.
        Errors: a method does not take the parameters that it had.
    """
    methods = {kind: _configured(registry, kind, m.name, m.parameters) for kind, m in record.methods.items()}
    loader = _configured(registry, "dataset", record.dataset.loader, record.dataset.parameters)
    return Run(
        id=record.id,
        task=record.task,
        protocol=parameters.validate(f"{record.task} protocol", _protocol_class(record.task), record.protocol),
        protocol_id=record.protocol_id,
        dataset=PlannedDataset(record.dataset.name, loader, record.dataset.fingerprint),
        methods=methods,
        seed=record.seed,
    )


def _configured(registry: Registry, kind: str, name: str, given: dict[str, Any]) -> Configured:
    try:
        method = registry.create(kind, name, **given)
    except UnknownName as error:
        raise UnknownName(error.headline, fix=f"load the plugin that has it (--plugin); {error.fix}") from error
    return Configured(method, registry.identify(kind, name, method))


def _protocol_class(task: str) -> type[Any]:
    if task == "retrieval":
        from harness.retrieval.protocol import RetrievalProtocol

        return RetrievalProtocol
    from harness.active.protocol import ActiveProtocol

    return ActiveProtocol


def _warn(record: Record, methods: Mapping[str, Configured], fingerprint: str, missing: str) -> None:
    found = []
    for kind, configured in methods.items():
        then, now = record.methods[kind], configured.id
        if (then.plugin, then.version) != (now.plugin, now.version):
            found.append(f'{kind} "{now.name}" came from {then.plugin} {then.version}, is {now.plugin} {now.version}')
        elif then.digest != now.digest:
            found.append(f'{kind} "{now.name}" has another source')
    if missing:
        found.append(f"the data cannot be read now: {missing}")
    elif fingerprint != record.dataset.fingerprint:
        found.append(f"dataset {record.dataset.name} holds other data")
    if found:
        warnings.warn(f"run {record.id} is not as it was recorded: {'; '.join(found)}", stacklevel=3)
