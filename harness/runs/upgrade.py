"""Records of earlier formats, read as the present one. They stay as they are on the disk.

Up to format 2 a run was identified by the source of the harness and of its methods. Since then result versions do it,
and all of them began with 1: a record of an earlier format is one of version 1, under the id that follows from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.digest import digest
from harness.registry.modules import HARNESS
from harness.runs.identity import COMPONENTS, protocol_identity, recorded_id
from harness.runs.record import SCHEMA, Record

EARLIER = (2,)
"""Formats that can be read. Format 1 carries no checksum."""


def upgraded(data: Mapping[str, Any]) -> Record:
    """The record that the content of a file of an earlier format holds.

    Raises:
        ValidationError: it is not a record.
        KeyError, TypeError, AttributeError: likewise.
        ValueError: its id does not follow from what it says.
    """
    if (derived := earlier_id(data)) != data["id"]:
        raise ValueError(f"its id is {data['id']}; from what it says follows {derived}")
    task, methods = data["task"], {kind: _method(method) for kind, method in data["methods"].items()}
    dataset = {**data["dataset"], "digest": _first_version(str(data["dataset"].get("digest", "")))}
    versions = dict.fromkeys(COMPONENTS[task], 1)
    present = {"schema": SCHEMA, "methods": methods, "dataset": dataset, "versions": versions}
    record = Record.model_validate({**data, **present})
    record = record.model_copy(update={"protocol_id": protocol_identity(task, record.protocol, record.versions)})
    return record.model_copy(update={"id": recorded_id(record)})


def earlier_id(data: Mapping[str, Any]) -> str:
    """The id that a run had up to format 2, by digests of sources."""
    counted = ("kind", "name", "parameters", "plugin", "version", "digest")
    methods = {kind: {name: method[name] for name in counted} for kind, method in data["methods"].items()}
    about = {"protocol": data["protocol_id"], "dataset": data["dataset"]["fingerprint"]}
    return digest({**about, "methods": methods, "seed": data["seed"]})[:24]


def _method(method: Mapping[str, Any]) -> dict[str, Any]:
    """Digests of anybody else's code are kept: they are those of other rules, and such a run is done again."""
    parameters = method["parameters"]
    weights = {"weights": parameters["checksum"]} if parameters.get("weights") and parameters.get("checksum") else {}
    if method["plugin"] != HARNESS:
        return {**method, "files": weights}
    return {**method, "files": weights, "digest": _first_version(method["digest"]), "source": method["digest"]}


def _first_version(digest: str) -> str:
    """``v1``, for each part of a composed method."""
    return "+".join("v1" for _ in digest.split("+"))
