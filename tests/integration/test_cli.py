"""The commands as a user types them."""

from __future__ import annotations

import json

import pytest

SPEC = """\
name: toy
description: Two poolings.
task: retrieval
datasets: toy-images
methods:
  backbone: colour
  pooling: [mac, gem]
"""


@pytest.fixture
def spec(tmp_path, toy):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC + f"plugins: [{toy}]\n")
    return path


def test_run_then_leaderboard(spec, tmp_path, harness_command):
    plan = harness_command("run", str(spec), "--dry-run")
    assert "2 runs: 2 pending" in plan.out
    assert not (tmp_path / "runs").exists()
    first = harness_command("run", str(spec))
    assert first.code == 0, first.err
    assert "2 runs executed, 0 skipped (already done), 0 failed." in first.out
    assert "\x1b" not in first.err
    again = harness_command("run", str(spec))
    assert "0 runs executed, 2 skipped (already done)" in again.out
    board = harness_command("leaderboard", str(spec), "--out", str(tmp_path / "board.md"))
    assert board.out == (tmp_path / "board.md").read_text()
    assert "# toy\n\nTwo poolings." in board.out
    from_folder = harness_command("leaderboard", str(tmp_path / "runs"), "--format", "json")
    assert len(json.loads(from_folder.out)["boards"][0]["rows"]) == 2


def test_a_leaderboard_before_any_run_shows_what_is_missing(spec, harness_command):
    assert harness_command("leaderboard", str(spec)).out.count("not run") >= 2


def test_some_failed_gives_exit_code_1_and_names_them(spec, harness_command):
    spec.write_text(spec.read_text().replace("[mac, gem]", "[mac, broken]"))
    done = harness_command("run", str(spec))
    assert done.code == 1
    assert "RuntimeError: this pooling is broken" in done.err
    assert "Traceback" not in done.err
    assert "1 failed" in done.out
    board = harness_command("leaderboard", str(spec))
    assert board.code == 0
    assert "failed" in board.out


def test_missing_data_gives_exit_code_4(tmp_path, harness_command):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: a\ntask: active-learning\ndatasets: mnist\nmethods: {learning: supervised, acquisition: random}\n"
    )
    done = harness_command("run", str(spec), "--dry-run", "--data", str(tmp_path))
    assert done.code == 4
    assert "MNIST/raw" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "nowhere.yaml"], 2, "cannot read nowhere.yaml"),
        (["leaderboard", "."], 2, "no records"),
        (["methods", "poolings"], 2, 'did you mean "pooling"?'),
        (["methods", "pooling", "gemm"], 2, 'did you mean "gem"?'),
        (["datasets", "digit"], 2, "digits"),
        (["methods", "--plugin", "gone.py"], 3, "gone.py"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_mistakes_on_the_command_line(tmp_path, arguments, code, words, harness_command):
    done = harness_command(*arguments, cwd=tmp_path)
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


def test_methods_and_datasets(harness_command):
    assert "Generalised" in harness_command("methods", "pooling").out
    card = harness_command("methods", "pooling", "gem").out
    assert "p" in card
    assert "3.0" in card
    assert "harness_pooling.gem:GeM" in card
    inherited = harness_command("methods", "backbone", "resnet50").out
    assert "Attributes of ``Convolutional``:\n    weights: ``imagenet``" in inherited
    assert "Attributes of" not in card
    assert "\n    kappa: " in harness_command("methods", "pooling", "fs-egm").out  # of a base of its base
    listed = json.loads(harness_command("methods", "--json").out)
    assert {"kind": "pooling", "name": "gem"}.items() <= next(m for m in listed if m["name"] == "gem").items()
    assert "digits" in harness_command("datasets").out
    assert "licence" in harness_command("datasets", "mnist").out


def test_doctor(harness_command):
    facts = json.loads(harness_command("doctor", "--json").out)
    assert facts["packages"]["torch"]
    assert facts["cache"]
