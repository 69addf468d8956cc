"""The commands as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys

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


def harness(*arguments: str, cwd=None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, cwd=cwd)


@pytest.fixture
def spec(tmp_path, toy):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC + f"plugins: [{toy}]\n")
    return path


def test_run_then_leaderboard(spec, tmp_path):
    plan = harness("run", str(spec), "--dry-run")
    assert "2 runs: 2 pending" in plan.stdout
    assert not (tmp_path / "runs").exists()
    first = harness("run", str(spec))
    assert first.returncode == 0, first.stderr
    assert "2 runs executed, 0 skipped (already done), 0 failed." in first.stdout
    assert "\x1b" not in first.stderr
    again = harness("run", str(spec))
    assert "0 runs executed, 2 skipped (already done)" in again.stdout
    board = harness("leaderboard", str(spec), "--out", str(tmp_path / "board.md"))
    assert board.stdout == (tmp_path / "board.md").read_text()
    assert "# toy\n\nTwo poolings." in board.stdout
    from_folder = harness("leaderboard", str(tmp_path / "runs"), "--format", "json")
    assert len(json.loads(from_folder.stdout)["boards"][0]["rows"]) == 2


def test_a_leaderboard_before_any_run_shows_what_is_missing(spec):
    assert harness("leaderboard", str(spec)).stdout.count("not run") >= 2


def test_some_failed_gives_exit_code_1_and_names_them(spec):
    spec.write_text(spec.read_text().replace("[mac, gem]", "[mac, broken]"))
    done = harness("run", str(spec))
    assert done.returncode == 1
    assert "RuntimeError: this pooling is broken" in done.stderr
    assert "Traceback" not in done.stderr
    assert "1 failed" in done.stdout
    board = harness("leaderboard", str(spec))
    assert board.returncode == 0
    assert "failed" in board.stdout


def test_missing_data_gives_exit_code_4(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: a\ntask: active-learning\ndatasets: mnist\nmethods: {learning: supervised, acquisition: random}\n"
    )
    done = harness("run", str(spec), "--dry-run", "--data", str(tmp_path))
    assert done.returncode == 4
    assert "MNIST/raw" in done.stderr


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
def test_mistakes_on_the_command_line(tmp_path, arguments, code, words):
    done = harness(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_methods_and_datasets():
    assert "Generalised" in harness("methods", "pooling").stdout
    card = harness("methods", "pooling", "gem").stdout
    assert "p" in card
    assert "3.0" in card
    assert "harness_pooling.gem:GeM" in card
    listed = json.loads(harness("methods", "--json").stdout)
    assert {"kind": "pooling", "name": "gem"}.items() <= next(m for m in listed if m["name"] == "gem").items()
    assert "digits" in harness("datasets").stdout
    assert "licence" in harness("datasets", "mnist").stdout


def test_doctor():
    facts = json.loads(harness("doctor", "--json").stdout)
    assert facts["packages"]["torch"]
    assert facts["cache"]
