"""Texts of ``harness methods``, ``harness datasets`` and ``harness doctor``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UnknownName, nearest
from harness.registry import Entry, Registry


def method_list(registry: Registry, kinds: Sequence[str], as_json: bool) -> str:
    """Names, summaries and origins, by kind. Loads no method."""
    entries = [registry.entry(kind, name) for kind in kinds for name in registry.names(kind)]
    if as_json:
        return _dump([_entry(entry) for entry in entries])
    width = max((len(entry.name) for entry in entries), default=0)
    parts = []
    for kind in kinds:
        lines = [
            f"  {entry.name:<{width}}  {entry.summary}{_origin(entry)}".rstrip()
            for entry in entries
            if entry.kind == kind
        ]
        parts.append("\n".join([kind, *(lines or ["  (none)"])]))
    return "\n".join(parts)


def method_card(entry: Entry, as_json: bool) -> str:
    """One method: documentation, parameters with defaults, source."""
    from harness.parameters import describe

    method = entry.load()
    parameters = describe(method)
    if as_json:
        return _dump({**_entry(entry), "parameters": [vars(parameter) for parameter in parameters]})
    rows = [[p.name, p.type, "required" if p.default is None else p.default] for p in parameters]
    import inspect

    return "\n\n".join(
        [
            f"{entry.kind} {entry.name}",
            inspect.getdoc(method) or "(no documentation)",
            "parameters:\n" + (_table(rows) if rows else "  none"),
            f"source: {method.__module__}:{method.__qualname__}\n"
            f"plugin: {entry.origin.plugin} {entry.origin.version} ({entry.origin.source})",
        ]
    )


def dataset_list(registry: Registry, as_json: bool) -> str:
    """The catalogue, then loaders for a user's own data."""
    from harness.data.catalogue import catalogue

    known = catalogue()
    own = [registry.entry("dataset", name) for name in registry.names("dataset") if name not in known]
    if as_json:
        named = [{"name": name, **entry.model_dump()} for name, entry in known.items()]
        return _dump({"catalogue": named, "loaders": [_entry(entry) for entry in own]})
    rows = [[name, entry.task, entry.description] for name, entry in known.items()]
    text = "catalogue (datasets.yaml)\n" + _table(rows)
    return text + "\nloaders for your own data\n" + _table([[entry.name, "", entry.summary] for entry in own])


def dataset_card(name: str, registry: Registry, as_json: bool) -> str:
    """One dataset of the catalogue, or a loader."""
    from harness.data.catalogue import catalogue

    known = catalogue()
    if name not in known:
        names = registry.names("dataset")
        if name not in names:
            raise UnknownName(f'unknown dataset "{name}"', fix=nearest(name, [*known, *names]) or "harness datasets")
        return method_card(registry.entry("dataset", name), as_json)
    fields = known[name].model_dump()
    if as_json:
        return _dump({"name": name, **fields})
    return f"{name}\n" + _table([[key, _text(value)] for key, value in fields.items() if value])


def doctor_report(registry: Registry, data: Path | None, cache: Path | None, as_json: bool) -> str:
    """Versions, threads, GPU, folders, plugins."""
    from harness.folders import data_folders
    from harness.runs.environment import environment, gpus

    folders = data_folders(data, cache)
    facts: dict[str, Any] = {key: value for key, value in environment().items() if key != "command"}
    facts |= {
        "threads": os.environ.get("OMP_NUM_THREADS") or "all cores (OMP_NUM_THREADS is not set)",
        "gpus": gpus(),
        "data": f"{folders.root}{'' if folders.root.is_dir() else ' (not there yet)'}",
        "cache": f"{folders.cache}{'' if folders.cache.is_dir() else ' (not there yet)'}",
        "broken plugins": [str(broken) for broken in registry.broken],
    }
    return _dump(facts) if as_json else _table([[key, _text(value) or "none"] for key, value in facts.items()])


def _entry(entry: Entry) -> dict[str, str]:
    origin = vars(entry.origin)
    return {"kind": entry.kind, "name": entry.name, "summary": entry.summary, **origin}


def _origin(entry: Entry) -> str:
    return "" if entry.origin.plugin == "vision-evaluation-harness" else f"  [{entry.origin.plugin}]"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return str(value)


def _table(rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)] if rows else []
    return "\n".join(
        "  " + "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )


def _dump(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
