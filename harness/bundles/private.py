"""What a bundle leaves out of records: where files lay on a machine, and the name of its user."""

from __future__ import annotations

from typing import Any

from harness.core.places import me, place_in, without_places
from harness.runs.record import Record


def home_in(content: bytes) -> str:
    """The home folder where a source names it, which cannot be left out of what is identified by its text."""
    home, _ = me()
    return home if len(home) > 1 and f"{home}/".encode() in content else ""


def anonymous(record: Record) -> Record:
    """The record without places and user names. Of methods the names of files alone change, which identify nothing."""
    content = record.model_dump(by_alias=True)
    for part in ("environment", "failure", "details"):
        content[part] = _cleaned(content[part])
    _clean_dataset(content["dataset"])
    for method in content["methods"].values():
        method["origin"] = without_places(method["origin"])
        for name in method["files"]:
            method["parameters"][name] = _cleaned(method["parameters"].get(name))
        if method["learning_set"]:
            _clean_dataset(method["learning_set"])
    return Record.model_validate(content)


def places_left(record: Record) -> str:
    """The first absolute path in the parameters of a record that identify the run; empty where there is none."""
    for kind, method in record.methods.items():
        for name, value in method.parameters.items():
            if name not in method.files and isinstance(value, str) and (place := place_in(value)):
                return f"{kind} {method.name} has {name}: {place}"
    return ""


def _clean_dataset(dataset: dict[str, Any]) -> None:
    dataset["parameters"] = _cleaned(dataset["parameters"])


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return without_places(value)
    if isinstance(value, dict):
        return {name: _cleaned(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        numbers = all(isinstance(part, int | float) for part in value)  # nearly all of a record
        return list(value) if numbers else [_cleaned(part) for part in value]
    return value
