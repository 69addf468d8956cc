"""Records of earlier formats are read, found under the ids that their runs have now, and shown on boards."""

from __future__ import annotations

import json

import pytest

import harness
from harness.boards import boards
from harness.core.errors import DataDamaged
from harness.core.signed import signed, unsigned
from harness.data.folders import data_folders
from harness.runs import identity
from harness.runs.identity import recorded_id
from harness.runs.plan import make_plan
from harness.runs.planned import pending, planned_records
from harness.runs.store import Store, read_record
from harness.runs.upgrade import earlier_id

SPEC = {
    "name": "s",
    "task": "active-learning",
    "datasets": "digits",
    "methods": {
        "network": {"small-cnn": {"width": 8}},
        "learning": {"supervised": {"epochs": 40}},
        "acquisition": "random",
    },
    "seeds": [0],
    "protocol": {"initial": 20, "budget": 10, "cycles": 2},
}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    (found,) = harness.run(SPEC, runs=folder / "runs", cache=folder / "cache", data=folder / "data")
    assert found.status == "done", found.failure
    return found


@pytest.fixture
def first_versions(monkeypatch):
    """All result versions as they were when records got them."""
    real = identity.result_versions
    versions = lambda task, evaluation: dict.fromkeys(real(task), 1)  # noqa: E731
    monkeypatch.setattr("harness.runs.plan.result_versions", versions)


@pytest.fixture
def earlier(record, tmp_path):
    """The file of a record as the version before wrote it: format 2, another id, digests of sources."""
    content = record.model_dump(by_alias=True)
    for name in ("versions", "source", "non_default"):
        content.pop(name, None)
    for name in ("digest", "files", "expected"):
        content["dataset"].pop(name, None)
    for method in content["methods"].values():
        method["digest"] = method.pop("source")
        del method["files"]
    content |= {"schema": 2, "protocol_id": "active-learning-000000000000"}
    content["id"] = earlier_id(content)
    path = tmp_path / "runs" / f"{content['id']}.json"
    path.parent.mkdir()
    path.write_bytes(signed(content))
    return path


def test_a_record_of_the_format_before_is_read(earlier, record):
    found = read_record(earlier)
    assert found.metrics == record.metrics
    assert set(found.versions.values()) == {1}
    assert {method.digest for method in found.methods.values()} == {"v1"}
    assert found.id == recorded_id(found)


def test_it_is_the_record_of_its_run_and_stands_on_its_board(earlier, record, first_versions, tmp_path):
    plan = make_plan(SPEC, data_folders(tmp_path / "data", tmp_path / "cache"))
    store = Store(earlier.parent)
    assert pending(plan, store) == []
    records = planned_records(plan, store)
    assert records[0].metrics == record.metrics
    (board,) = boards(records)
    assert board.rows[0].runs == 1
    (same,) = boards(Store(earlier.parent).read_all())
    assert same.rows[0].cells == board.rows[0].cells


def test_a_version_that_was_raised_since_is_another_run(earlier, first_versions, monkeypatch, tmp_path):
    from harness_learning.supervised import Supervised

    monkeypatch.setattr(Supervised, "result_version", 2, raising=False)
    plan = make_plan(SPEC, data_folders(tmp_path / "data", tmp_path / "cache"))
    assert len(pending(plan, Store(earlier.parent))) == 1


def test_a_damaged_record_of_the_format_before_is_named(earlier):
    content = unsigned(earlier.read_bytes())
    del content["methods"]["learning"]["plugin"]
    earlier.write_bytes(signed(content))
    with pytest.raises(DataDamaged, match="is a damaged record"):
        read_record(earlier)
    with pytest.warns(UserWarning, match="counts as not there"):
        assert Store(earlier.parent).read_all() == []


def test_unknown_formats_are_refused(earlier):
    content = {**unsigned(earlier.read_bytes()), "schema": 4}
    earlier.write_text(json.dumps(content))
    with pytest.raises(DataDamaged, match="record format 4; this harness reads format 3"):
        read_record(earlier)


@pytest.mark.parametrize("change", [{"seed": 1}, {"id": "0" * 24}, {"metrics": {"accuracy": 9.99}}])
def test_a_forged_record_of_the_format_before_is_refused(earlier, change):
    earlier.write_bytes(signed({**unsigned(earlier.read_bytes()), **change}))
    with pytest.raises(DataDamaged, match=r"follows|9\.99"):
        read_record(earlier)


@pytest.mark.parametrize("schema", [1, 2])
def test_a_record_without_a_checksum_is_refused(earlier, schema):
    earlier.write_text(json.dumps({**unsigned(earlier.read_bytes()), "schema": schema}))
    with pytest.raises(DataDamaged, match="no checksum|format 1"):
        read_record(earlier)
