"""Files that parameters name: found beside the spec, then below the data folder; identified by their content."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.core.errors import Errors
from harness.data.fingerprint import file_digest
from harness.data.folders import data_folders
from harness.runs.identity import recorded_id
from harness.runs.plan import make_plan
from harness.runs.recreate import describe, recreate

PLUGIN = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
import torch
import harness

@dataclass(frozen=True)
class Weighted:
    "Mean of each map, weighted by a file."
    weights: Path
    other: Path | None = None
    def pool(self, maps):
        return maps.mean(dim=(-2, -1)) * torch.from_numpy(np.load(self.weights)).float()

@harness.hookimpl
def harness_register(registry):
    registry.pooling("weighted", Weighted)
"""
SPEC = """
name: files
task: retrieval
datasets: toy-images
plugins: [plugin.py]
methods:
  backbone: colour
  pooling: {{weighted: {{weights: {weights}}}}}
protocol: {{image_size: 32, scales: [1.0]}}
"""


@pytest.fixture
def folder(tmp_path):
    return made(tmp_path / "project")


def made(folder: Path, weights: str = "w.npy") -> Path:
    folder.mkdir(parents=True)
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "spec.yaml").write_text(SPEC.format(weights=weights))
    store(folder / "w.npy", [1.0, 0.0, 0.0])
    return folder


def store(file: Path, values) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, np.asarray(values))


def planned(folder: Path, toy: str, tmp_path: Path):
    folders = data_folders(tmp_path / "data", tmp_path / "cache")
    (run,) = make_plan(folder / "spec.yaml", folders, plugins=(toy,)).runs
    return run


def test_a_file_that_changes_is_another_run_with_other_numbers(folder, toy, tmp_path):
    def score() -> tuple[str, float]:
        cache = tmp_path / "cache"
        (record,) = harness.run(folder / "spec.yaml", plugins=(toy,), data=tmp_path / "data", cache=cache)
        return record.id, record.metrics["map_medium"]

    first = score()
    assert score() == first
    store(folder / "w.npy", [0.0, 0.0, 1.0])
    other = score()
    assert other[0] != first[0]
    assert other[1] != first[1], "the arrays of the first file were taken from the cache"


def test_another_content_of_the_same_path_size_and_modification_time_is_seen(folder, toy, tmp_path):
    file = folder / "w.npy"
    os.utime(file, ns=(10**18, 10**18))
    folders = data_folders(tmp_path / "data", tmp_path / "cache")
    first, digest = planned(folder, toy, tmp_path).id, file_digest(file, folders)
    store(file, [0.0, 0.0, 1.0])
    os.utime(file, ns=(10**18, 10**18))
    assert file_digest(file, folders) != digest
    assert planned(folder, toy, tmp_path).id != first


def test_what_is_remembered_of_a_file_is_forgotten_when_another_takes_its_place(tmp_path, monkeypatch):
    """Even where the clock says that the file is old: its inode and the time of its change are others."""
    from harness.registry import modules

    monkeypatch.setattr(modules, "_SETTLED_NS", -(10**18))
    folders = data_folders(tmp_path / "data", tmp_path / "cache")
    file, other = tmp_path / "w.npy", tmp_path / "v.npy"
    store(file, [1.0])
    store(other, [2.0])
    for path in (file, other):
        os.utime(path, ns=(10**18, 10**18))
    first = file_digest(file, folders)
    assert file_digest(file, folders) == first
    os.replace(other, file)
    assert file_digest(file, folders) != first


def test_where_files_lie_does_not_count(folder, toy, tmp_path):
    ids = {planned(folder, toy, tmp_path).id}
    shutil.move(folder, tmp_path / "elsewhere")
    ids.add(planned(tmp_path / "elsewhere", toy, tmp_path).id)
    absolute = made(tmp_path / "absolute", str(tmp_path / "elsewhere" / "w.npy"))
    ids.add(planned(absolute, toy, tmp_path).id)
    assert len(ids) == 1


def test_the_spec_comes_before_the_data_folder(folder, toy, tmp_path):
    store(tmp_path / "data" / "w.npy", [0.0, 1.0, 0.0])
    beside = planned(folder, toy, tmp_path)
    assert beside.methods["pooling"].method.weights == (folder / "w.npy").resolve()
    (folder / "w.npy").unlink()
    below = planned(folder, toy, tmp_path)
    assert below.methods["pooling"].method.weights == (tmp_path / "data" / "w.npy").resolve()
    assert below.id != beside.id


def test_a_missing_file_is_found_when_planning(folder, toy, tmp_path):
    (folder / "w.npy").unlink()
    with pytest.raises(Errors, match=r'pooling "weighted": weights names w\.npy, which is not there') as caught:
        planned(folder, toy, tmp_path)
    assert caught.value.exit_status == 4


def test_records_hold_the_name_and_the_content_and_are_recreated(folder, toy, tmp_path):
    run = planned(folder, toy, tmp_path)
    record = describe(run)
    assert record.methods["pooling"].parameters == {"weights": "w.npy", "other": None}
    assert len(record.methods["pooling"].files["weights"]) == 64
    assert recorded_id(record) == run.id
    folders = data_folders(tmp_path / "data", tmp_path / "cache")
    again = recreate(record, folders, (toy, folder / "plugin.py"), (folder,))
    assert again.methods["pooling"].key == run.methods["pooling"].key
    assert again.methods["pooling"].method.weights == run.methods["pooling"].method.weights
    store(folder / "w.npy", [0.0, 0.0, 1.0])
    with pytest.warns(UserWarning, match='pooling "weighted" reads other files'):
        recreate(record, folders, (toy, folder / "plugin.py"), (folder,))


def test_a_field_of_several_files_is_refused(folder, toy, tmp_path):
    (folder / "plugin.py").write_text(PLUGIN.replace("weights: Path\n", "weights: tuple[Path, ...]\n"))
    with pytest.raises(Errors, match="a field for each file: Path or Path | None"):
        planned(folder, toy, tmp_path)


def test_weights_of_built_in_methods_are_file_parameters(tmp_path):
    """Embedded and named weights are no files; a file beside the spec is, by its content."""
    source = Path(__file__).parents[3] / "plugins" / "harness_backbone" / "tiny.npz"
    spec = {"name": "s", "task": "retrieval", "datasets": "synthetic-instances", "methods": {"pooling": "gem"}}
    ids = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        shutil.copy(source, tmp_path / place / "t.npz")
        weights = str(tmp_path / place / "t.npz")
        methods = {**spec["methods"], "backbone": {"tiny": {"weights": weights}}}
        plan = make_plan({**spec, "methods": methods}, data_folders(tmp_path), incomplete=True)
        ids.append(plan.runs[0].methods["backbone"].key)
    assert ids[0] == ids[1]
    assert "weights" in plan.runs[0].methods["backbone"].id.files
    plain = make_plan(
        {**spec, "methods": {**spec["methods"], "backbone": "tiny"}}, data_folders(tmp_path), incomplete=True
    )
    assert plain.runs[0].methods["backbone"].id.files == {}


def test_missing_weights_of_a_plugin_refer_to_the_plugin_and_not_to_published_networks(folder):
    (folder / "spec.yaml").write_text(SPEC.format(weights="none.npy"))
    with pytest.raises(Errors) as caught:
        make_plan(folder / "spec.yaml", data_folders(folder / "data", None))
    fixes = [error.fix for error in caught.value.errors if "none.npy" in error.headline]
    command = "harness methods pooling weighted --plugin FILE"
    assert fixes == [f"put it there; {command} says what the parameter takes"]
