"""The JSON schema of specs, for editors: keys, names and parameters of everything that is registered.

A schema knows less than ``harness run --dry-run``: not whether a file exists, whether two methods fit together, or what
a class checks in ``__post_init__``.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, Final

from harness.core.devices import BF16, CPU, CUDA, FP32, TF32
from harness.data.catalogue import catalogue
from harness.registry import DESCRIPTORS, Registry
from harness.registry.composition import COMPOSED
from harness.registry.parameters import fields_of, hints_of, is_required
from harness.runs.devices import AUTO
from harness.runs.identity import protocol_class
from harness.runs.spec import DEFAULT_METHODS, NONE, PROTOCOL, REQUIRED, STAGES

_Schema = dict[str, Any]
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def spec_schema(registry: Registry) -> _Schema:
    """The schema of a spec that names the methods and loaders of a registry.

    Raises:
        PluginError: a method cannot be loaded.
    """
    kinds = [kind for stages in STAGES.values() for kind in stages]
    return {
        "$schema": DRAFT,
        "title": "Spec of vision-evaluation-harness",
        "type": "object",
        "properties": {"task": {"enum": list(STAGES)}},
        "required": ["task"],
        "allOf": [{"if": {"properties": {"task": {"const": task}}}, "then": _task(task)} for task in STAGES],
        "$defs": {
            **{kind: _choice(registry, kind) for kind in kinds},
            "dataset": _choice(registry, "dataset", list(catalogue())),
            **{f"{task} options": parameters_schema(protocol_class(task)) for task in STAGES},
        },
    }


def _task(task: str) -> _Schema:
    kinds, options = STAGES[task], _defined(f"{task} options")
    required = [kind for kind in kinds if kind in REQUIRED and kind not in DEFAULT_METHODS[task]]
    instead = [{"required": [DESCRIPTORS]}] if DESCRIPTORS in kinds else []
    combination = {
        "type": "object",
        "properties": {**{kind: _several(_defined(kind)) for kind in kinds}, PROTOCOL: options},
        **({"anyOf": [{"required": required}, *instead]} if instead else {"required": required}),
        "additionalProperties": False,
    }
    seed = {"type": "integer", "minimum": 0}
    return {
        "properties": {
            "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
            "task": True,
            "description": {"type": "string"},
            "datasets": _several(_defined("dataset")),
            "methods": {"anyOf": [combination, {"type": "array", "items": combination, "minItems": 1}]},
            "seeds": {"anyOf": [seed, {"type": "array", "items": seed, "minItems": 1, "uniqueItems": True}]},
            "protocol": options,
            "protocols": {"type": "object", "additionalProperties": options},
            "device": {"enum": [AUTO, CPU, CUDA]},
            "numerics": {"enum": [FP32, TF32, BF16]},
            "plugins": {"type": "array", "items": {"type": "string"}},
            "measure": {"type": ["string", "object"]},
            "baseline": {"type": "string"},
            "smallest_difference": {"type": "number", "exclusiveMinimum": 0},
            "columns": {"type": "array", "items": {"type": "string"}},
            "keep_ranks": {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]},
        },
        "required": ["name", "task", "datasets", "methods"],
        "additionalProperties": False,
    }


def _defined(name: str) -> _Schema:
    return {"$ref": f"#/$defs/{name.replace(' ', '%20')}"}


def _several(choice: _Schema) -> _Schema:
    return {"anyOf": [choice, {"type": "array", "items": choice, "minItems": 1}]}


def _choice(registry: Registry, kind: str, more: Iterable[str] = ()) -> _Schema:
    """A name, or one name with its parameters; of descriptors any name."""
    if kind == DESCRIPTORS:
        files = parameters_schema(registry.entry(kind, "any").load())
        named = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": files}
        return {"anyOf": [{"type": "string"}, named]}
    methods = {name: parameters_schema(registry.entry(kind, name).load()) for name in registry.names(kind)}
    names: _Schema = {"enum": [*methods, *(name for name in more if name not in methods), NONE]}
    one: _Schema = {
        "type": "object",
        "properties": {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in methods.items()},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    if more:  # the entries of a catalogue take the parameters of their loaders
        one["patternProperties"] = {f"^({'|'.join(more)})$": {"type": ["object", "null"]}}
    if kind in COMPOSED:
        names = {"anyOf": [names, {"type": "string", "pattern": r"\+"}]}
        one["patternProperties"] = {r"\+": {"type": ["object", "null"]}}
    return {"anyOf": [names, one]}


def parameters_schema(method: type) -> _Schema:
    """Of the parameters of one method, or the options of a protocol; a list of values is a sweep."""
    fields, hints = fields_of(method), hints_of(method)
    return {
        "type": "object",
        "properties": {field.name: _value(hints[field.name]) for field in fields},
        "required": [field.name for field in fields if is_required(field)],
        "additionalProperties": False,
    }


def _value(hint: Any) -> _Schema:
    from pydantic import TypeAdapter

    value = _inlined(TypeAdapter(hint).json_schema())
    return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]}


def _inlined(schema: _Schema) -> _Schema:
    """Without references, which would lead out of the place where the schema is put."""
    definitions = schema.pop("$defs", {})

    def replaced(part: Any) -> Any:
        if isinstance(part, Mapping):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            return replaced(definitions[name]) if name else {key: replaced(value) for key, value in part.items()}
        return [replaced(item) for item in part] if isinstance(part, list) else part

    return typing.cast(_Schema, replaced(schema))
