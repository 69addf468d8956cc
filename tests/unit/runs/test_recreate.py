"""A run made again from its record is the run; what changed meanwhile is said in one warning."""

from __future__ import annotations

import warnings

import pytest

import harness
from harness.core.errors import Errors, UnknownName
from harness.core.progress import SilentProgress
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness.runs.planned import planned_records, runs_store
from harness.runs.recreate import describe, recreate
from harness.runs.tasks import perform

SPEC = {
    "name": "toy",
    "task": "retrieval",
    "datasets": {"toy-images": {"count": 8}},
    "methods": {"backbone": "colour", "pooling": {"gem": {"p": 2.5}}, "expansion": "aqe"},
    "protocol": {"scales": [1.0, 0.5], "image_size": 40},
}


@pytest.fixture
def recorded(tmp_path, toy):
    (record,) = harness.run(SPEC, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    return record


@pytest.fixture
def folders(tmp_path):
    return data_folders(tmp_path / "data", tmp_path / "cache")


def told(run):
    """All of a run but the instances: a plugin file that is loaded again has other classes."""
    methods = {kind: (configured.id, repr(configured.method)) for kind, configured in run.methods.items()}
    dataset = (run.dataset.name, run.dataset.loader.id, run.dataset.fingerprint)
    return run.id, run.task, run.protocol, run.protocol_id, run.seed, dataset, methods


def changed(record, kind, **values):
    return record.model_copy(
        update={"methods": {**record.methods, kind: record.methods[kind].model_copy(update=values)}}
    )


def test_a_record_says_which_parameters_are_not_at_their_default(recorded):
    assert recorded.non_default == {
        "protocol": ["image_size", "scales"],
        "dataset": ["count"],
        "backbone": [],
        "pooling": ["p"],
        "expansion": [],
    }


def test_recreated_is_what_was_planned(recorded, folders, toy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = recreate(recorded, folders, (toy,))
    (planned,) = make_plan(SPEC, folders, plugins=(toy,)).runs
    assert told(run) == told(planned)
    assert describe(run).non_default == recorded.non_default
    outcome = perform(run, folders, SilentProgress())
    assert outcome.metrics == recorded.metrics
    assert outcome.details["ranks"] == recorded.details["ranks"]


def test_an_active_learning_run(tmp_path, folders, toy):
    spec = {
        "name": "toy",
        "task": "active-learning",
        "datasets": "toy-classes",
        "methods": {"learning": "supervised", "acquisition": {"first": {"skip": 1}}},
        "seeds": [3],
    }
    plan = make_plan(spec, folders, plugins=(toy,))
    (record,) = planned_records(plan, runs_store(plan, tmp_path / "none"))
    assert told(recreate(record, folders, (toy,))) == told(plan.runs[0])


def test_all_that_changed_is_one_warning(recorded, folders, toy):
    old = changed(changed(recorded, "pooling", digest="0" * 16), "expansion", version="0.0.1")
    old = old.model_copy(update={"dataset": old.dataset.model_copy(update={"fingerprint": "f" * 64})})
    with pytest.warns(UserWarning, match="not as it was recorded") as seen:
        run = recreate(old, folders, (toy,))
    assert len(seen) == 1
    message = str(seen[0].message)
    for part in ('pooling "gem" has another source', "0.0.1, is", "dataset toy-images holds other data"):
        assert part in message
    assert run.id == recorded.id
    assert run.methods["pooling"].method.p == 2.5


def test_missing_data_are_a_warning(recorded, folders, toy):
    gone = recorded.dataset.model_copy(update={"loader": "image-instances", "parameters": {"path": "nowhere"}})
    with pytest.warns(UserWarning, match="cannot be read now: there is no folder"):
        run = recreate(recorded.model_copy(update={"dataset": gone}), folders, (toy,))
    assert run.dataset.fingerprint == recorded.dataset.fingerprint


def test_what_cannot_be_recreated(recorded, folders, toy):
    with pytest.raises(UnknownName, match='unknown backbone "colour"') as error:
        recreate(recorded, folders)
    assert "--plugin" in error.value.fix
    with pytest.raises(Errors, match="power"):
        recreate(changed(recorded, "pooling", parameters={"power": 2.0}), folders, (toy,))
