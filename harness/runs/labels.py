"""What methods and settings are called: names, and only those parameters that tell one from another.

Tables, progress lines and comparisons use the same labels; ``constants`` says what no label shows.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.plugin_api import KINDS
from harness.registry import DESCRIPTORS
from harness.runs.record import Record

_LONGEST: Final = 32
"""Letters of a parameter's value; of a longer one the beginning and the end are shown."""
SHOWN_KINDS: Final = ("ranking", DESCRIPTORS, *KINDS)
"""What a record may have, in the order in which tables show it: rankings and descriptors from files, and methods."""
_EMPTY: Final[tuple[Any, ...]] = ("", [], None)

Labels = dict[str, str]
"""Kind -> label."""


@dataclass(frozen=True)
class Method:
    """What a label is made of.

    Attributes:
        name: of the method or dataset.
        parameters: all of them, defaults included.
        non_default: names of those that are not at their default; None where that was not recorded.
        source: plugin, version and digest.
    """

    name: str
    parameters: Mapping[str, Any]
    non_default: tuple[str, ...] | None = None
    source: str = ""


def methods_of(record: Record) -> dict[str, Method]:
    """The methods of a record by kind."""
    return {
        kind: Method(
            m.name,
            m.parameters,
            non_default_of(record, kind),
            " ".join(filter(None, [m.plugin, m.version, m.digest[:6]])),
        )
        for kind, m in record.methods.items()
    }


def non_default_of(record: Record, part: str) -> tuple[str, ...] | None:
    """Parameters that are not at their default; None in an older record.

    Args:
        record: of a run.
        part: a kind of method, ``dataset`` or ``protocol``.
    """
    known = (record.non_default or {}).get(part)
    return None if known is None else tuple(known)


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
        sources = {kind: method.source for kind, method in combinations[key].items()}
        found[key] = {k: f"{label} ({sources[k]})" if sources[k] else label for k, label in found[key].items()}
    return found


def setting_labels(records: Sequence[Record]) -> list[str]:
    """The dataset's name, and what tells it and its protocol from the others of this name; one record a setting."""
    return dataset_labels([(r.dataset.name, (r.dataset.parameters, r.protocol)) for r in records])


def dataset_labels(datasets: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[str]:
    """Each name, with what tells it from others of this name.

    Args:
        datasets: name, and groups of options: the parameters of the loader, the protocol.
    """
    named: dict[str, list[Sequence[Mapping[str, Any]]]] = defaultdict(list)
    for name, groups in datasets:
        named[name].append(groups)
    differ = {name: [_differing(options) for options in zip(*given, strict=True)] for name, given in named.items()}

    def label(name: str, groups: Sequence[Mapping[str, Any]], short: bool) -> str:
        pairs = zip(groups, differ[name], strict=True)
        return " ".join([name, *(text for options, shown in pairs for text in _written(options, shown, short))])

    labels = [label(*dataset, True) for dataset in datasets]
    often = Counter(labels)
    return [label(*d, False) if often[text] > 1 else text for d, text in zip(datasets, labels, strict=True)]


def constants(methods: Iterable[tuple[str, Method]]) -> list[str]:
    """``whitening pca: shrink 0.2``: what no label shows, as it is the same wherever the method is, and no default.

    Where it was not recorded which parameters are at their defaults, all are written, and the text says so.

    Args:
        methods: what it is called (``whitening pca``) and the method, once a row.
    """
    named: dict[str, list[Method]] = defaultdict(list)
    for name, method in methods:
        named[name].append(method)
    texts = []
    for name, same in named.items():
        varying, first = _differing([method.parameters for method in same]), same[0]
        known = [method.non_default for method in same if method.non_default is not None]
        shown = first.parameters.keys() if len(known) < len(same) else {*itertools.chain(*known)}
        stated = [
            f"{key} {option(first.parameters[key])}" for key in sorted(shown - varying) if key in first.parameters
        ]
        if stated:
            unknown = "" if len(known) == len(same) else " (defaults included, they were not recorded)"
            texts.append(f"{name}{unknown}: {', '.join(stated)}")
    return texts


def option(value: Any, short: bool = True) -> str:
    """A short text: a list with slashes, of a path its last part, of a checksum its beginning."""
    if isinstance(value, list | tuple):
        return "/".join(option(part, short) for part in value) or "none"
    if value is None or value == "":
        return "none"
    if isinstance(value, str) and short:
        value = value[:8] if re.fullmatch(r"[0-9a-f]{32,}", value) else re.split(r"[/\\]", value)[-1]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}" if short and len(text) > _LONGEST else text


def _differing(given: Sequence[Mapping[str, Any]]) -> set[str]:
    """Parameters that are not there or not the same everywhere."""
    first, differing = given[0], set()
    for parameters in given:
        if parameters is first:
            continue
        if parameters.keys() != first.keys():
            differing |= parameters.keys() ^ first.keys()
        differing |= {name for name, value in parameters.items() if name in first and not _same(value, first[name])}
    return differing


def _same(a: Any, b: Any) -> bool:
    """Whether two values are the same in a record; 1, 1.0 and True are three."""
    if isinstance(a, list | tuple | dict):
        return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    return type(a) is type(b) and bool(a == b)


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
