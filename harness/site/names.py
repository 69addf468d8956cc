"""Names of files and anchors, built from unchecked texts."""

from __future__ import annotations

import hashlib
import json
import re

from harness.runs.record import Record


def slug(text: str, length: int = 60) -> str:
    """Lower-case letters, digits and single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-")


def unique(names: list[str]) -> list[str]:
    """The names, with a number after each that came before."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return result


def run_name(run_id: str) -> str:
    """The id as a file name: as it is where it can be one, else its digest."""
    plain = re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", run_id)
    return run_id if plain else _digest(run_id)[:24]


def method_page(record: Record) -> str:
    """File name of the page of a record's combination of methods on its dataset; the same for all its seeds."""
    methods = {kind: [m.name, m.parameters, m.plugin, m.digest] for kind, m in record.methods.items()}
    dataset = [record.dataset.name, record.dataset.parameters, record.protocol]
    identity = _digest([record.task, dataset, methods])
    readable = slug(" ".join([record.dataset.name, *(m.name for m in record.methods.values())]))
    return f"{readable}-{identity[:10]}.html" if readable else f"{identity[:10]}.html"


def _digest(value: object) -> str:
    """Of JSON in ASCII: whatever a record holds can be written so."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
