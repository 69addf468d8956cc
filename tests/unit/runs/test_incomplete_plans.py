from __future__ import annotations

import subprocess
import sys

import pytest

from harness.core.errors import DataMissing, Errors
from harness.data.folders import data_folders, located, use
from harness.runs.plan import make_plan
from harness.runs.planned import planned_records, runs_store
from harness.runs.runner import run_plan

SPEC = """\
name: s
task: retrieval
datasets:
  - image-instances: {path: first}
  - image-instances: {path: second}
  - synthetic-instances: {objects: 4, images: 12, queries: 4}
methods:
  backbone: [tiny, {tiny: {weights: networks/mine.npz}}]
  pooling: gem
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def test_all_that_is_missing_is_reported_together_and_the_plan_is_there(spec, tmp_path):
    plan = make_plan(spec, data_folders(tmp_path / "data", tmp_path / "cache"), incomplete=True)
    assert len(plan.missing) == 3
    assert all(isinstance(error, DataMissing) for error in plan.missing)
    assert [error.where.line for error in plan.missing] == [4, 5, 8]
    assert plan.missing[0].fix == "put the images there, gnd.json beside it; or name the data folder with --data"
    assert [run.incomplete for run in plan.runs] == [True, True, True, True, False, True]
    assert len({run.id for run in plan.runs}) == 6
    assert {record.status for record in planned_records(plan, runs_store(plan))} == {"missing"}


def test_an_incomplete_plan_is_refused_where_it_is_not_asked_for_and_never_run(spec, tmp_path):
    folders = data_folders(tmp_path / "data", tmp_path / "cache")
    with pytest.raises(Errors) as caught:
        make_plan(spec, folders)
    assert caught.value.exit_status == 4
    plan = make_plan(spec, folders, incomplete=True)
    with pytest.raises(Errors):
        run_plan(plan, runs_store(plan, tmp_path / "runs"), progress=None)
    assert not (tmp_path / "runs").exists()


def test_a_mistake_of_the_user_comes_first(spec, tmp_path):
    spec.write_text(SPEC.replace("pooling: gem", "pooling: gemm"))
    with pytest.raises(Errors) as caught:
        make_plan(spec, data_folders(tmp_path), incomplete=True)
    assert caught.value.exit_status == 2
    assert "gemm" in str(caught.value)


def test_a_dry_run_prints_the_plan_and_what_is_missing(spec, tmp_path):
    command = [sys.executable, "-m", "harness", "run", str(spec), "--dry-run", "--data", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "6 runs: 1 pending, 0 cached, 5 without their data." in done.stdout
    assert done.stderr.count("error[D400]") == 3
    assert not (tmp_path / "runs").exists()


def test_files_of_methods_are_found_below_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use(data_folders(tmp_path / "data"))
    file = tmp_path / "data" / "networks" / "mine.npz"
    file.parent.mkdir(parents=True)
    file.touch()
    assert located("networks/mine.npz") == file
    assert located(file) == file
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "mine.npz").touch()
    assert located("networks/mine.npz").resolve() == tmp_path / "networks" / "mine.npz"
    assert str(located("nowhere.npz")) == "nowhere.npz"


def test_a_dataset_may_have_options_of_its_own(toy):
    spec = {
        "name": "s",
        "task": "retrieval",
        "datasets": ["synthetic-instances", {"toy-images": {}}],
        "methods": {"backbone": "tiny", "pooling": ["gem", "mac"]},
        "protocol": {"image_size": 64, "scales": [[1.0], [1.0, 0.5]]},
        "protocols": {"toy-images": {"image_size": 32, "scales": [1.0]}},
    }
    plan = make_plan(spec, data_folders(), plugins=(toy,))
    sizes = {(run.dataset.name, run.protocol.image_size, run.protocol.scales) for run in plan.runs}
    assert sizes == {
        ("synthetic-instances", 64, (1.0,)),
        ("synthetic-instances", 64, (1.0, 0.5)),
        ("toy-images", 32, (1.0,)),
    }


@pytest.mark.parametrize(
    ("own", "line", "message"),
    [("{other: {depth: 1}}", 13, "not a dataset of this spec"), ("{synthetic-instances: {depht: 1}}", 13, "depht")],
)
def test_mistakes_in_options_of_a_dataset_are_named(spec, tmp_path, own, line, message):
    spec.write_text(SPEC + f"protocol: {{depth: 5}}\n\n\nprotocols: {own}\n")
    with pytest.raises(Errors) as caught:
        make_plan(spec, data_folders(tmp_path), incomplete=True)
    (error,) = [error for error in caught.value.errors if not isinstance(error, DataMissing)]
    assert message in error.headline
    assert error.where.line == line


def test_a_combination_may_have_options_of_its_own(toy):
    spec = {
        "name": "s",
        "task": "retrieval",
        "datasets": ["synthetic-instances", "toy-images"],
        "methods": [
            {"backbone": "tiny", "pooling": ["gem", "spoc"], "protocol": {"scale_power": 3.0, "image_size": 32}},
            {"backbone": "tiny", "pooling": "mac"},
        ],
        "protocol": {"image_size": 64, "scales": [1.0, 0.5]},
        "protocols": {"toy-images": {"image_size": 48}},
    }
    plan = make_plan(spec, data_folders(), plugins=(toy,))
    options = {
        (run.dataset.name, run.methods["pooling"].id.name, run.protocol.image_size, run.protocol.scale_power)
        for run in plan.runs
    }
    special = {(dataset, pooling, 32, 3.0) for dataset in spec["datasets"] for pooling in ("gem", "spoc")}
    assert options == special | {("synthetic-instances", "mac", 64, 1.0), ("toy-images", "mac", 48, 1.0)}
    assert len(plan.runs) == 6
    assert len({run.protocol_id for run in plan.runs}) == 3
    assert {run.setting for run in plan.runs} == {"", "image_size=32 scale_power=3.0"}


def test_mistakes_in_options_of_a_combination_are_named_once(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(
        "name: s\ntask: retrieval\ndatasets: [synthetic-instances]\nmethods:\n"
        "  - backbone: tiny\n    pooling: gem\n    protocol: {depht: 1,\n"
        "      image_size: none}\n"
        "  - {backbone: tiny, pooling: mac, protocol: 5}\n"
        "protocol: {scale_pwer: 1}\n"
        "protocols: {synthetic-instances: {ks: 0}}\n"
    )
    with pytest.raises(Errors) as caught:
        make_plan(file, data_folders(tmp_path))
    assert [error.where.line for error in caught.value.errors] == [7, 8, 9, 10, 11]
