"""The JSON schema of specs: what the harness accepts it accepts, and what a schema can know it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.registry import load_registry
from harness.runs.schema import parameters_schema, spec_schema
from harness.runs.spec import _Shape

jsonschema = pytest.importorskip("jsonschema")

SPECS = sorted((Path(__file__).parents[3] / "leaderboards").glob("*/spec.yaml"))
RIGHT = {
    "name": "a",
    "task": "retrieval",
    "datasets": ["synthetic-instances"],
    "methods": {"backbone": "tiny", "pooling": ["mac", {"gem": {"p": [2, 3]}}], "whitening": ["none", "pca"]},
}
LABELS = {"name": "a", "task": "active-learning", "datasets": "digits"}
ACTIVE = {**LABELS, "methods": {"learning": "pretrain+semi", "acquisition": [{"random+coreset": None}, "jlp"]}}
WRONG = {
    "no task": {**RIGHT, "task": "retrival"},
    "unknown key": {**RIGHT, "seed": 3},
    "name with a space": {**RIGHT, "name": "a b"},
    "no methods": {key: value for key, value in RIGHT.items() if key != "methods"},
    "no pooling": {**RIGHT, "methods": {"backbone": "tiny"}},
    "unknown method": {**RIGHT, "methods": {"backbone": "tiny", "pooling": "gemm"}},
    "unknown parameter": {**RIGHT, "methods": {"backbone": "tiny", "pooling": {"gem": {"q": 3}}}},
    "out of range": {**RIGHT, "methods": {"backbone": "tiny", "pooling": {"gem": {"p": -1}}}},
    "wrong type": {**RIGHT, "methods": {"backbone": "tiny", "pooling": {"gem": {"p": "three"}}}},
    "other task's kind": {**RIGHT, "methods": {**RIGHT["methods"], "acquisition": "random"}},
    "other task's option": {**RIGHT, "protocol": {"budget": 10}},
    "unknown dataset": {**RIGHT, "datasets": ["synthetic-instance"]},
    "negative seed": {**ACTIVE, "seeds": [-1]},
    "duplicate seed": {**ACTIVE, "seeds": [1, 1]},
    "empty list": {**ACTIVE, "methods": {"learning": [], "acquisition": "jlp"}},
    "two names in one mapping": {**RIGHT, "methods": {"backbone": "tiny", "pooling": {"gem": {}, "mac": {}}}},
}


@pytest.fixture(scope="module")
def validator():
    schema = spec_schema(load_registry(built_in_only=True))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.parent.name)
def test_committed_specs_are_accepted(validator, path):
    spec = json.loads(json.dumps(YAML(typ="safe", pure=True).load(path)))
    assert [error.message for error in validator.iter_errors(spec)] == []


def test_all_keys_of_a_spec_are_known(validator):
    """Two boards had keys that no editor accepted."""
    for rule in validator.schema["allOf"]:
        assert {*rule["then"]["properties"]} == {*_Shape.model_fields}


@pytest.mark.parametrize("spec", [RIGHT, ACTIVE])
def test_names_parameters_sweeps_and_composed_methods_are_accepted(validator, spec):
    assert validator.is_valid(spec)


@pytest.mark.parametrize("spec", WRONG.values(), ids=WRONG)
def test_mistakes_are_refused(validator, spec):
    assert not validator.is_valid(spec)


def test_parameters_have_the_range_that_the_harness_checks():
    schema = parameters_schema(load_registry(built_in_only=True).entry("pooling", "gem").load())
    exponent = schema["properties"]["p"]
    assert jsonschema.Draft202012Validator(exponent).is_valid(3.0)
    assert not jsonschema.Draft202012Validator(exponent).is_valid(0)
    assert schema["additionalProperties"] is False
