"""Every thesis board can be planned without data, and its rows are those that were published."""

from __future__ import annotations

import csv
import io

import pytest
from typer.testing import CliRunner

from harness.boards import read_reference
from harness.cli.app import app
from harness.core.errors import DataMissing
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness.runs.planned import planned_records, runs_store

BOARDS = [f"thesis-table-{n}" for n in ("3-2", "3-4", "4-1", "4-2", "4-3", "4-5", "4-6", "4-7", "4-8", "5-1")]


def planned(root, name, tmp_path):
    plan = make_plan(root / "leaderboards" / name / "spec.yaml", data_folders(tmp_path), incomplete=True)
    return plan, planned_records(plan, runs_store(plan, tmp_path / "runs"))


@pytest.mark.parametrize("name", [*BOARDS, "thesis-figure-5-10"])
def test_without_data_a_board_is_planned_and_only_data_are_missing(root, tmp_path, name):
    plan, _ = planned(root, name, tmp_path)
    assert plan.runs
    assert all(isinstance(error, DataMissing) and error.fix for error in plan.missing)
    datasets = {run.dataset.name for run in plan.runs}
    assert datasets == {column.dataset for column in read_reference(_reference(root, name)).columns}


@pytest.mark.parametrize("name", BOARDS)
def test_every_published_row_is_one_planned_combination(root, tmp_path, name):
    plan, records = planned(root, name, tmp_path)
    reference = read_reference(_reference(root, name))
    for row in reference.rows:
        for dataset in {column.dataset for column in reference.columns}:
            fitting = [r for r in records if r.dataset.name == dataset and reference.row_of(r) is row]
            assert len(fitting) == len(plan.spec.seeds), row.name


@pytest.mark.parametrize("name", BOARDS)
def test_boards_are_measured_under_the_published_setting(root, tmp_path, name):
    reference = read_reference(_reference(root, name))
    assert reference.protocol or reference.protocols
    _, records = planned(root, name, tmp_path)
    assert {reference.other_setting(r.dataset.name, r.protocol) for r in records} == {""}
    small = {**records[0].protocol, "image_size": 99, "initial": 3}
    assert "Not comparable with the published numbers: " in reference.other_setting(records[0].dataset.name, small)


def test_protocol_and_presets_are_those_of_the_thesis(root, tmp_path):
    for name in BOARDS[2:]:
        _, records = planned(root, name, tmp_path)
        assert {record.preset for record in records} <= {"thesis", None}
        assert {record.protocol["image_size"] for record in records} == {1024}
    _, records = planned(root, "thesis-table-3-2", tmp_path)
    assert {(r.dataset.name, r.protocol["initial"], r.protocol["budget"]) for r in records} == {
        ("cifar10", 100, 100),
        ("cifar100", 1000, 1000),
    }
    assert {r.methods["learning"].parameters["learning_rate"] for r in records} == {0.2}


def test_the_leaderboard_without_data_shows_what_is_published_and_says_what_is_missing(root, tmp_path):
    spec = root / "leaderboards" / "thesis-table-4-2" / "spec.yaml"
    options = ["leaderboard", str(spec), "--data", str(tmp_path), "--runs", str(tmp_path / "runs")]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0
    for number in ("44.8", "81.7", "60.2", "95.0"):
        assert f"| {number} |" in " ".join(done.output.split())
    assert "harness datasets fetch roxford5k" in done.output
    assert "harness datasets fetch rparis6k" in done.output
    table = CliRunner().invoke(app, [*options, "--format", "csv"]).stdout
    assert "V+DSM+D" in table
    lines = list(csv.DictReader(io.StringIO(table[table.index("task,dataset,rank") :])))
    assert len(lines) == 16  # of two datasets
    assert {line["map_medium mean"] for line in lines} == {""}
    assert all(line["map_medium published mean"] for line in lines)


def _reference(root, name):
    return root / "leaderboards" / name / "reference.yaml"
