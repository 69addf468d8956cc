"""What methods and settings are called in tables: names, and only those parameters that tell one from another."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from harness.runs.record import Record

_LONGEST: Final = 32
"""Letters of a parameter's value; of a longer one the beginning and the end are shown."""
_EMPTY: Final[tuple[Any, ...]] = ("", [], None)

Labels = dict[str, str]
"""Kind -> label."""


class Method(NamedTuple):
    """What a label is made of; ``source``: plugin, version and digest."""

    name: str
    parameters: Mapping[str, Any]
    source: str = ""


def methods_of(record: Record) -> dict[str, Method]:
    """The methods of a record by kind."""
    return {
        kind: Method(m.name, m.parameters, " ".join(filter(None, [m.plugin, m.version, m.digest[:6]])))
        for kind, m in record.methods.items()
    }


def method_labels(combinations: Mapping[str, Mapping[str, Method]]) -> dict[str, Labels]:
    """``gem p=3`` for each kind of each combination of methods, given by any key.

    No two combinations that differ have the same labels, if need be by the full values of their parameters or by the
    plugin and the digest of their source.
    """
    named: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for methods in combinations.values():
        for kind, method in methods.items():
            named[kind, method.name].append(method.parameters)
    differ = {what: _differing(given) for what, given in named.items()}

    def labels(key: str, short: bool) -> Labels:
        return {
            kind: " ".join([method.name, *_written(method.parameters, differ[kind, method.name], short)])
            for kind, method in combinations[key].items()
        }

    found = {key: labels(key, True) for key in combinations}
    found |= {key: labels(key, False) for key in _repeated(found)}
    for key in _repeated(found):
        found[key] = {kind: f"{label} ({combinations[key][kind].source})" for kind, label in found[key].items()}
    return found


def setting_labels(records: Sequence[Record]) -> list[str]:
    """The dataset's name, and what tells it and its protocol from the others of this name; one record a setting."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[record.task, record.dataset.name].append(record)
    options = {name: _differing([r.protocol for r in group]) for name, group in groups.items()}
    parameters = {name: _differing([r.dataset.parameters for r in group]) for name, group in groups.items()}

    def label(record: Record, short: bool) -> str:
        name = record.task, record.dataset.name
        return " ".join(
            [
                record.dataset.name,
                *_written(record.dataset.parameters, parameters[name], short),
                *_written(record.protocol, options[name], short),
            ]
        )

    labels = [label(record, True) for record in records]
    often = Counter(labels)
    return [label(r, False) if often[text] > 1 else text for r, text in zip(records, labels, strict=True)]


def option(value: Any, short: bool = True) -> str:
    """A short text: a list with slashes, of a path its last part, of a checksum its beginning."""
    if isinstance(value, list | tuple):
        return "/".join(option(part, short) for part in value) or "none"
    if isinstance(value, str) and short:
        value = value[:8] if re.fullmatch(r"[0-9a-f]{32,}", value) else re.split(r"[/\\]", value)[-1]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}" if short and len(text) > _LONGEST else text


def _differing(given: Sequence[Mapping[str, Any]]) -> set[str]:
    """Parameters that are not there or not the same everywhere."""
    values: dict[str, set[str]] = defaultdict(set)
    often: Counter[str] = Counter()
    for parameters in given:
        often.update(parameters.keys())
        for name, value in parameters.items():
            values[name].add(json.dumps(value, sort_keys=True))
    return {name for name, found in values.items() if len(found) > 1 or often[name] < len(given)}


def _written(parameters: Mapping[str, Any], shown: set[str], short: bool) -> list[str]:
    return [
        f"{name}={option(value, short)}"
        for name, value in sorted(parameters.items())
        if name in shown and value not in _EMPTY
    ]


def _repeated(labels: Mapping[str, Labels]) -> list[str]:
    """Keys whose labels another key has too."""
    often = Counter(tuple(sorted(found.items())) for found in labels.values())
    return [key for key, found in labels.items() if often[tuple(sorted(found.items()))] > 1]
