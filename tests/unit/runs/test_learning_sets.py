"""A whitening learnt on another set: planned, part of the identity, done, restored."""

from __future__ import annotations

import pytest

import harness
from harness.core.errors import Errors
from harness.data.folders import data_folders
from harness.registry import load_registry
from harness.runs.identity import recorded_id
from harness.runs.plan import make_plan
from harness.runs.recreate import describe, restored

SMALL = {"objects": 4, "images": 24, "queries": 4, "size": 64}
CATALOGUE = """
other:
  task: retrieval
  description: drawn objects
  protocol: revisited
  source: drawn
  licence: none
  loader: synthetic-instances
  parameters: {objects: 4, images: 20, queries: 4, size: 64, seed: 5}
"""


def spec(*whitenings, **more):
    return {
        "name": "learning",
        "task": "retrieval",
        "datasets": [{"synthetic-instances": SMALL}],
        "methods": {"backbone": "tiny", "pooling": "gem", "whitening": list(whitenings), **more},
        "protocol": {"image_size": 64},
    }


@pytest.fixture
def places(tmp_path):
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(CATALOGUE)
    return data_folders(tmp_path / "data", tmp_path / "cache"), (catalogue,)


def planned(places, *whitenings, **more):
    folders, catalogues = places
    return make_plan(spec(*whitenings, **more), folders, catalogues=catalogues)


def test_the_set_is_part_of_the_identity_and_of_the_record(places):
    plan = planned(places, "pca", {"pca": {"learn_on": "other"}}, {"supervised": {"learn_on": "other"}})
    assert len({run.id for run in plan.runs}) == 3
    own, other, _ = plan.runs
    assert "learn_on" not in own.methods["whitening"].id.parameters
    record = describe(other)
    assert record.methods["whitening"].learning_set.loader == "synthetic-instances"
    assert recorded_id(record) == other.id
    again = restored(record, load_registry(), (), places[0])
    assert again.methods["whitening"].id == other.methods["whitening"].id
    assert again.methods["whitening"].learning_set.fingerprint == other.methods["whitening"].learning_set.fingerprint


@pytest.mark.parametrize(
    ("name", "message"),
    [("othr", 'unknown dataset "othr"'), ("digits", "is for active-learning")],
)
def test_a_wrong_set_is_a_mistake_of_the_spec(places, name, message):
    with pytest.raises(Errors, match=message):
        planned(places, {"pca": {"learn_on": name}})


def test_descriptors_from_files_are_those_of_one_set(places, tmp_path):
    import numpy as np

    np.save(tmp_path / "x.npy", np.eye(6, dtype=np.float32))
    (tmp_path / "labels.txt").write_text("a\na\nb\nb\nc\nc\n")
    wrong = {
        "name": "files",
        "task": "retrieval",
        "datasets": [{"descriptors": {"ground_truth": str(tmp_path / "labels.txt")}}],
        "methods": {"descriptors": str(tmp_path / "x.npy"), "whitening": {"pca": {"learn_on": "other"}}},
    }
    with pytest.raises(Errors, match="cannot be learnt on other"):
        make_plan(wrong, places[0], catalogues=places[1])


def test_runs_learn_on_the_other_set(places, tmp_path):
    folders, catalogues = places
    asked = spec("pca", {"pca": {"learn_on": "other"}})
    records = harness.run(asked, runs=tmp_path / "runs", cache=folders.cache, data=folders.root, catalogues=catalogues)
    assert [record.status for record in records] == ["done"] * 2, [record.failure for record in records]
    own, other = (record.details["notes"] for record in records)
    assert "whitening_learnt_on" not in own
    assert other["whitening_learnt_on"] == "synthetic-instances"
    assert own["whitening"]["shrinkage"] != other["whitening"]["shrinkage"]
    assert "describe learning set" in records[1].cost
