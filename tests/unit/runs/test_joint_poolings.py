"""Which poolings of a plan share a pass of the network, and that they do wherever a run is done."""

from __future__ import annotations

import pytest

import harness
from harness.data.folders import data_folders
from harness.registry import load_registry
from harness.retrieval.map_store import FOLDER
from harness.runs.executors.choose import Options
from harness.runs.executors.job import Job
from harness.runs.plan import make_plan
from harness.runs.recreate import describe, method_record
from harness.runs.shared_maps import with_shared_maps
from harness.studies.recompute import recomputable, recompute

IMAGES = {"synthetic-instances": {"objects": 2, "images": 6, "queries": 2, "size": 48}}
SPEC = {
    "name": "joint",
    "task": "retrieval",
    "datasets": [IMAGES],
    "methods": {"backbone": "tiny", "pooling": ["gem", "mac", {"gem": {"p": 2}}], "whitening": ["none", "pca"]},
    "protocol": {"image_size": 48},
}

MINE = """
from dataclasses import dataclass

from harness import hookimpl


@dataclass(frozen=True)
class Mine:
    def pool(self, maps):
        return maps.mul_(2).amax((-2, -1))


@hookimpl
def harness_register(registry):
    registry.pooling("mine", Mine)
"""


@pytest.fixture
def plan(tmp_path):
    def planned(spec=SPEC, **options):
        return make_plan(spec, data_folders(tmp_path, tmp_path / "cache"), **options)

    return planned


def with_methods(**methods):
    return {**SPEC, "methods": {**SPEC["methods"], **methods}}


def names(run):
    return [
        f"{pooling.id.name} {pooling.method.p if pooling.id.name == 'gem' else ''}" for pooling in run.joint_poolings
    ]


def test_the_others_of_a_plan_once_each(plan):
    runs = plan().runs
    assert [names(run) for run in runs[::2]] == [
        ["mac ", "gem 2.0"],
        ["gem 3.0", "gem 2.0"],
        ["gem 3.0", "mac "],
    ]
    assert [names(run) for run in runs[1::2]] == [names(run) for run in runs[::2]]
    assert not any(run.shares_maps for run in runs)


def test_what_else_reads_maps_has_them_kept(plan):
    for methods in ({"reranking": "dsm"}, {"pooling": ["gem", "fs-egm", "os-egm"]}):
        assert all(run.shares_maps for run in plan(with_methods(**methods)).runs)


def test_a_pooling_that_learns_or_came_with_a_plugin_or_has_files_pools_alone(plan, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(MINE)
    spec = {**with_methods(pooling=["mine", "gem", "mac", "os-egm"], whitening="none"), "plugins": [str(plugin)]}
    assert [names(run) for run in plan(spec).runs] == [[], ["mac "], ["gem 3.0"], []]
    assert all(run.shares_maps for run in plan(spec).runs)


def test_other_scales_and_sizes_are_other_passes(plan):
    protocol = {"image_size": [48, 32], "scales": [[1.0], [1.0, 0.5]]}
    runs = plan({**with_methods(pooling=["gem", "mac"], whitening="none"), "protocol": protocol}).runs
    assert [len(run.joint_poolings) for run in runs] == [1] * 8
    assert all(run.shares_maps for run in runs)  # scale 1 is seen by both


def test_the_id_of_a_run_does_not_depend_on_its_company(plan):
    ids = {run.id for run in plan().runs}
    assert ids == {run.id for pooling in SPEC["methods"]["pooling"] for run in plan(with_methods(pooling=pooling)).runs}


def test_a_job_makes_them_again(plan, tmp_path):
    run = plan().runs[0]
    folders = data_folders(tmp_path, tmp_path / "cache")
    job = Job(describe(run), run.label, (), folders, joint_poolings=tuple(map(method_record, run.joint_poolings)))
    restored = job.restore(load_registry(built_in_only=True))
    assert [pooling.key for pooling in restored.joint_poolings] == [pooling.key for pooling in run.joint_poolings]
    assert [pooling.method for pooling in restored.joint_poolings] == [p.method for p in run.joint_poolings]


def test_nothing_is_pooled_for_runs_that_are_done(tmp_path):
    def run(pooling, cache):
        spec = with_methods(pooling=pooling, whitening="none")
        harness.run(spec, data=tmp_path, cache=tmp_path / cache, runs=tmp_path / "runs")
        entries = recomputable(data_folders(tmp_path, tmp_path / cache))
        return {entry.recipe["run"]["methods"]["pooling"]["name"] for entry in entries if entry.stage == "descriptors"}

    assert run(["gem", "mac"], "cache") == {"gem", "mac"}
    assert run(["gem", "mac", "spoc"], "new cache") == {"spoc"}


@pytest.mark.slow
def test_what_a_run_may_take_is_for_itself(tmp_path):
    """One slow pooling of many would else end the runs of all."""
    spec, cache = with_methods(pooling=["gem", "mac"], whitening="none"), tmp_path / "cache"
    options = Options("processes", seconds=300)
    records = harness.run(spec, data=tmp_path, cache=cache, runs=tmp_path / "runs", options=options)
    assert [record.cost["describe database"].cached for record in records] == [False, True]  # maps were kept
    recipes = {entry.recipe["run"]["id"] for entry in recomputable(data_folders(tmp_path, cache)) if entry.recipe}
    assert recipes == {record.id for record in records}
    assert not any((cache / FOLDER).glob("*/*"))


def test_without_joint_poolings_maps_are_kept(plan):
    runs = with_shared_maps(plan().runs, jointly=False)
    assert all(run.shares_maps and not run.joint_poolings for run in runs)
    assert not any(run.shares_maps for run in with_shared_maps(runs[:2], jointly=False))  # of one pooling


@pytest.mark.slow
def test_what_was_pooled_for_another_run_is_computed_again_by_it(tmp_path):
    spec = with_methods(whitening="none")
    folders = data_folders(tmp_path, tmp_path / "cache")
    records = harness.run(
        spec, data=tmp_path, cache=folders.cache, runs=tmp_path / "runs", options=Options("processes")
    )
    assert [record.cost["describe database"].cached for record in records] == [False, True, True]
    entries = [entry for entry in recomputable(folders) if entry.stage == "descriptors"]
    assert len(entries) == 6
    assert len({entry.recipe["run"]["id"] for entry in entries}) == 3
    outcomes = [(result.outcome, result.why) for result in recompute(folders, 100)]
    assert outcomes == [("equal", "")] * len(outcomes)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_numbers_are_those_of_runs_alone(tmp_path, workers):
    def run(spec, name, **options):
        records = harness.run(spec, data=tmp_path, cache=tmp_path / name, runs=tmp_path / f"{name}-runs", **options)
        return {record.id: (record.metrics, record.details["ranks"]) for record in records}

    joint = run(SPEC, "joint", options=Options("processes", workers=2) if workers > 1 else None)
    for number, pooling in enumerate(SPEC["methods"]["pooling"]):
        alone = run(with_methods(pooling=pooling), f"alone-{number}")
        assert alone.items() <= joint.items()
