"""The cheap audit before the first run on a dataset: errors stop, warnings are shown once and stay in the records."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Final

from harness.core.digest import digest
from harness.core.errors import Errors, HarnessError
from harness.core.files import write_atomically
from harness.data.audit.audit import cheap_audit
from harness.plugin_api import DataFolders
from harness.runs.identity import PlannedDataset, Run
from harness.runs.record import Record

_VERSION: Final = 2
"""Of what is stored; raised when the cheap audit finds something new."""


def audit_runs(runs: Iterable[Run], folders: DataFolders) -> dict[str, tuple[str, ...]]:
    """Audit the datasets of runs; what was found once is read from the cache and not shown again.

    Args:
        runs: those to do.
        folders: where data and cache are.

    Returns:
        Fingerprint -> warnings, of datasets that have any.

    Raises:
        Errors: numbers on a dataset would be wrong.
    """
    errors: list[HarnessError] = []
    found = {}
    planned = list(runs)
    counting = {run.dataset.fingerprint for run in planned if getattr(run.protocol, "counts_own", False)}
    named = {run.dataset.fingerprint for run in planned if "descriptors" in run.methods}
    for dataset in planned_datasets(planned).values():
        own = {"counts_own": dataset.fingerprint in counting, "by_name": dataset.fingerprint in named}
        try:
            sentences = _sentences(dataset, folders, own)
        except HarnessError as error:
            errors.append(error)
            continue
        if sentences:
            found[dataset.fingerprint] = sentences
    if errors:
        raise Errors(errors)
    return found


def planned_datasets(runs: Iterable[Run]) -> dict[str, PlannedDataset]:
    """The datasets of runs by what they are called, in the order of the plan."""
    return {run.dataset.label or run.dataset.name: run.dataset for run in runs}


def with_audit(record: Record, audits: Mapping[str, tuple[str, ...]]) -> Record:
    """The record with what the audit of its data warns of."""
    sentences = audits.get(record.dataset.fingerprint)
    if not sentences or record.status != "done":
        return record
    return record.model_copy(update={"details": {**record.details, "audit": list(sentences)}})


def _sentences(dataset: PlannedDataset, folders: DataFolders, own: Mapping[str, bool]) -> tuple[str, ...]:
    """Warnings of one dataset. Raises ``DataDamaged`` for errors.

    Args:
        dataset: the set.
        folders: where data and cache are.
        own: what becomes of the own images of queries: options of ``cheap_audit``.
    """
    file = folders.cache / "audits" / f"{digest([_VERSION, dataset.key, dict(own)])[:40]}.json"
    try:
        return tuple(map(str, json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        pass
    try:
        published = bool(dataset.expected)
        audit = cheap_audit(dataset.name, dataset.loader.method, folders, published=published, **own)
    except Exception:  # a loader is a plugin: what it raises now it raises in the run, whose record says it
        return ()
    sentences = tuple(found.message for found in audit.require().of("warning"))
    for sentence in sentences:
        warnings.warn(f"{dataset.name}: {sentence} (harness datasets audit shows all)", stacklevel=4)
    write_atomically(file, json.dumps(sentences).encode())
    return sentences
