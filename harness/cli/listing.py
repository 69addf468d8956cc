"""``harness methods`` and ``harness doctor``; what the texts of other commands share."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.cli.options import AnyKind, AsJson, Cache, Data, Method, Plugins, StrictPlugins
from harness.core.errors import UnknownName
from harness.plugin_api import KINDS
from harness.registry import SINK, Entry, Registry, load_registry


def methods(
    kind: AnyKind = None,
    name: Method = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
    strict_plugins: StrictPlugins = False,
) -> None:
    """List the methods, or show one with its parameters and source."""
    registry = registry_of(plugin, strict=strict_plugins)
    if kind and kind not in (*KINDS, SINK) and (homes := [home for home in KINDS if kind in registry.names(home)]):
        commands = " or ".join(f"harness methods {home} {kind}" for home in homes)
        raise UnknownName(f'"{kind}" is a method and no kind', fix=commands)
    kinds = [kind] if kind else list(KINDS)
    print(method_card(registry.entry(kinds[0], name), as_json) if name else method_list(registry, kinds, as_json))


def doctor(plugin: Plugins = None, data: Data = None, cache: Cache = None, as_json: AsJson = False) -> None:
    """Show versions, threads, GPU, and where data and cache live."""
    print(doctor_report(load_registry(plugin or ()), data, cache, as_json))


def registry_of(plugin: Sequence[str] | None, *, strict: bool = False) -> Registry:
    """All plugins and those of ``--plugin``; broken ones are named on standard error."""
    registry = load_registry(plugin or (), strict=strict)
    warn_of_plugins(registry)
    return registry


def warn_of_plugins(registry: Registry) -> None:
    """Name the plugins that are broken or outdated on standard error."""
    for line in (*registry.broken, *registry.outdated):
        print(line, file=sys.stderr)


def method_list(registry: Registry, kinds: Sequence[str], as_json: bool) -> str:
    """Names, summaries and origins, by kind. Loads no method."""
    entries = [registry.entry(kind, name) for kind in kinds for name in registry.names(kind)]
    if as_json:
        return dump([entry_fields(entry) for entry in entries])
    rows = {
        kind: [[entry.name, entry.summary + _origin(entry)] for entry in entries if entry.kind == kind]
        for kind in kinds
    }
    return "\n".join(f"{kind}\n{listing(lines) or '  (none)'}" for kind, lines in rows.items())


def method_card(entry: Entry, as_json: bool) -> str:
    """One method: documentation, parameters with defaults, source."""
    from harness.registry.parameters import describe

    method = entry.load()
    parameters = describe(method)
    if as_json:
        return dump({**entry_fields(entry), "parameters": [vars(parameter) for parameter in parameters]})
    rows = [[p.name, p.type, "required" if p.default is None else p.default] for p in parameters]
    return "\n\n".join(
        [
            f"{entry.kind} {entry.name}",
            _documentation(method),
            "parameters:\n" + (listing(rows) if rows else "  none"),
            f"source: {method.__module__}:{method.__qualname__}\n"
            f"plugin: {entry.origin.plugin} {entry.origin.version} ({entry.origin.source})",
        ]
    )


def _documentation(method: type) -> str:
    """The docstring, and the attributes of each base class whose attributes it says it has too."""
    import inspect

    parts = [inspect.getdoc(method) or "(no documentation)"]
    for base in method.__mro__[1:]:
        section = (inspect.getdoc(base) or "").partition("\nAttributes:")[2]
        if section and any(f"``{base.__name__}``" in part for part in parts):
            parts.append(f"Attributes of ``{base.__name__}``:{section}")
    return "\n\n".join(parts)


def doctor_report(registry: Registry, data: Path | None, cache: Path | None, as_json: bool) -> str:
    """Versions, threads, GPU, folders, plugins."""
    from harness.data.folders import data_folders
    from harness.runs.environment import environment, gpus
    from harness.search.faiss_library import installed, mistake

    folders = data_folders(data, cache)
    facts: dict[str, Any] = {key: value for key, value in environment().items() if key != "command"}
    facts |= {
        "threads": os.environ.get("OMP_NUM_THREADS") or "all cores (OMP_NUM_THREADS is not set)",
        "gpus": gpus(),
        "faiss": [*installed(), *filter(None, [mistake()])],
        "data": f"{folders.root}{'' if folders.root.is_dir() else ' (not there yet)'}",
        "cache": f"{folders.cache}{'' if folders.cache.is_dir() else ' (not there yet)'}",
        "broken plugins": [str(broken) for broken in registry.broken],
    }
    return dump(facts) if as_json else listing([[key, text_of(value) or "none"] for key, value in facts.items()])


def entry_fields(entry: Entry) -> dict[str, str]:
    """A method in plain values."""
    origin = vars(entry.origin)
    return {"kind": entry.kind, "name": entry.name, "summary": entry.summary, **origin}


def _origin(entry: Entry) -> str:
    return "" if entry.origin.plugin == "vision-evaluation-harness" else f"  [{entry.origin.plugin}]"


def text_of(value: Any) -> str:
    """A value of any kind on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return str(value)


def listing(rows: Iterable[Sequence[str]]) -> str:
    """Rows in indented columns below each other."""
    from harness.boards.render import make_table
    from harness.boards.render.markdown import plain_text

    lines = list(rows)
    return textwrap.indent(plain_text(make_table([""] * len(lines[0]) if lines else [], lines)), "  ")


def dump(value: Any) -> str:
    """JSON for people and programs."""
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
