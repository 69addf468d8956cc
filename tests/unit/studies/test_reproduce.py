"""A record's run done again: the same, not the same, and what it says of why."""

from __future__ import annotations

import json

import pytest

import harness
from harness.core.errors import DataDamaged, DataMissing, PluginError, SpecError, UnknownName
from harness.runs.store import Store
from harness.studies.reproduce import MetricCheck, reproduce
from harness_pooling.gem import GeM

RETRIEVAL = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": "gem", "whitening": "pca", "expansion": "aqe"},
}
ACTIVE = {
    "name": "toy",
    "task": "active-learning",
    "datasets": "toy-classes",
    "methods": {"learning": {"supervised": {"epochs": 3}}, "acquisition": "random"},
    "protocol": {"initial": 6, "budget": 3, "cycles": 3},
    "seeds": [2],
}


@pytest.fixture(params=[RETRIEVAL, ACTIVE], ids=["retrieval", "active"])
def spec(request):
    return request.param


def recorded(spec, tmp_path, toy):
    (record,) = harness.run(spec, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    assert record.status == "done"
    return record


def test_a_record_is_reproduced_to_the_last_digit_without_the_cache(spec, tmp_path, toy, monkeypatch):
    record = recorded(spec, tmp_path, toy)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    before = sorted((tmp_path / "cache").rglob("*"))
    found = reproduce(tmp_path / "runs" / f"{record.id}.json", plugins=[toy], out=tmp_path / "again")
    assert found.same, found
    assert {check.metric: check.again for check in found.metrics} == record.metrics
    assert sum(detail.values for detail in found.details) > 10
    assert found.differs == ()
    assert not any(cost.cached for cost in found.again.cost.values())
    assert sorted((tmp_path / "cache").rglob("*")) == before
    assert Store(tmp_path / "again").read(record.id) == found.again


def test_stored_rankings_and_warnings_of_the_audit_do_not_speak_against_a_record(tmp_path, toy):
    record = recorded({**RETRIEVAL, "keep_ranks": "all"}, tmp_path, toy)
    assert record.details["kept_ranks"]
    audited = record.model_copy(update={"details": {**record.details, "audit": ["two images are alike"]}})
    assert reproduce(audited, plugins=[toy]).same
    about = {**record.details["kept_ranks"], "sha256": "0" * 64}
    forged = record.model_copy(update={"details": {**record.details, "kept_ranks": about}})
    assert not reproduce(forged, plugins=[toy]).same


def test_other_numbers_differ_unless_they_are_tolerated(tmp_path, toy):
    record = recorded(RETRIEVAL, tmp_path, toy)
    metrics = {**record.metrics, "map_medium": record.metrics["map_medium"] - 0.004}
    aps = [value - 0.004 for value in record.details["ap_medium"]]
    old = record.model_copy(update={"metrics": metrics, "details": {**record.details, "ap_medium": aps}})
    found = reproduce(old, plugins=[toy])
    assert not found.same
    assert [check.metric for check in found.metrics if not check.same] == ["map_medium"]
    (wrong,) = (detail for detail in found.details if detail.different)
    assert (wrong.name, wrong.different, wrong.values) == ("ap_medium", 4, 4)
    assert wrong.first.startswith("ap_medium[0]: 0.")
    assert not reproduce(old, plugins=[toy], tolerance={"": 0.3}).same
    assert reproduce(old, plugins=[toy], tolerance={"map_medium": 0.5}).same
    with pytest.raises(UnknownName, match=r'(?s)for "map_medum", which no record has.*did you mean "map_medium"'):
        reproduce(old, plugins=[toy], tolerance={"map_medum": 0.5})


def test_a_tolerance_is_in_points_and_none_is_exact():
    assert MetricCheck("map_medium", 0.5, 0.501, 0.1).same
    assert not MetricCheck("map_medium", 0.5, 0.5011, 0.1).same
    assert not MetricCheck("map_medium", 0.5, 0.5 + 1e-16 * 2, 0.0).same
    assert MetricCheck("labels_to@0.8", 20.0, 30.0, 10.0).same
    assert not MetricCheck("labels_to@0.8", 20.0, None, 10.0).same
    assert MetricCheck("labels_to@0.8", None, None, 0.0).same


def test_what_is_not_as_it_was_is_told(tmp_path, toy):
    record = recorded(RETRIEVAL, tmp_path, toy)
    gem = record.methods["pooling"].model_copy(update={"digest": "0" * 16, "version": "0.0.1"})
    packages = {**record.environment["packages"], "numpy": "1.0"}
    old = record.model_copy(
        update={
            "methods": {**record.methods, "pooling": gem},
            "protocol_id": "retrieval-0",
            "environment": {**record.environment, "packages": packages, "cpu": "another"},
        }
    )
    found = reproduce(old, plugins=[toy])
    assert found.same
    told = "; ".join(found.differs)
    for words in (
        "retrieval-0, now retrieval-",
        "0.0.1, now",
        f"code 000000000000, now v{GeM.result_version}",
        "numpy 1.0, now",
        "cpu another",
    ):
        assert words in told


def test_no_record_is_overwritten(tmp_path, toy):
    record = recorded(RETRIEVAL, tmp_path, toy)
    with pytest.raises(SpecError, match="already"):
        reproduce(record, plugins=[toy], out=tmp_path / "runs")
    assert Store(tmp_path / "runs").read(record.id) == record


def test_failures_are_reproduced_too(tmp_path, toy):
    spec = {**RETRIEVAL, "methods": {"backbone": "colour", "pooling": "broken"}}
    (record,) = harness.run(spec, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    assert reproduce(record, plugins=[toy]).same
    gone = record.model_copy(update={"failure": record.failure.model_copy(update={"code": "MemoryError"})})
    assert not reproduce(gone, plugins=[toy]).same
    done = record.model_copy(update={"status": "done", "failure": None, "metrics": {"map_medium": 0.5}})
    found = reproduce(done, plugins=[toy])
    assert not found.same
    assert found.again.failure.message == "this pooling is broken"


def test_what_is_missing_has_errors_of_its_own(tmp_path, toy):
    record = recorded(RETRIEVAL, tmp_path, toy)
    with pytest.raises(PluginError, match='unknown backbone "colour"') as plugin:
        reproduce(record)
    assert plugin.value.exit_code == 3
    loader = {"name": "mine", "loader": "image-instances", "parameters": {"path": "nowhere"}}
    with pytest.raises(DataMissing) as missing:
        reproduce(record.model_copy(update={"dataset": record.dataset.model_copy(update=loader)}), plugins=[toy])
    assert missing.value.exit_code == 4
    other = record.dataset.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(DataDamaged, match="was 000000000000") as data:
        reproduce(record.model_copy(update={"dataset": other}), plugins=[toy])
    assert data.value.exit_code == 4


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, json.dumps({"schema": 99})])
def test_a_record_that_cannot_be_read_is_the_users_mistake(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"x\.json") as error:
        reproduce(path)
    assert error.value.exit_code == 2
    with pytest.raises(SpecError, match="there is no record"):
        reproduce(tmp_path / "nowhere.json")
