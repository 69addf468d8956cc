"""Where results come from: folders, files, specs, and all of it at a commit."""

from __future__ import annotations

import shutil
import subprocess

import pytest

import harness
from harness.core.errors import DataDamaged, SpecError
from harness.runs.targets import find_results

SPEC = """\
name: toy
task: retrieval
datasets: toy-images
methods: {{backbone: colour, pooling: [mac, gem]}}
plugins: [{toy}]
"""


@pytest.fixture
def folder(tmp_path, toy, monkeypatch):
    """A repository with a spec, its records and its results."""
    (tmp_path / "spec.yaml").write_text(SPEC.format(toy=toy))
    records = harness.run(tmp_path / "spec.yaml", cache=tmp_path / "cache")
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "results.json").write_text(harness.leaderboard(records, format="json"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def test_folders_files_and_specs(folder):
    records = find_results("runs").records
    assert len(records) == 2
    assert {r.id for r in find_results("spec.yaml").records} == {r.id for r in records}
    (path, _) = sorted(folder.joinpath("runs").glob("*.json"))
    assert find_results(path).records == (records[0],)
    assert find_results("board").boards == find_results("board/results.json").boards
    assert len(find_results("board").boards) == 1


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_what_was_committed(folder):
    git("init")
    git("add", "runs", "board")
    git("commit", "-m", "one")
    before = find_results("runs"), find_results("board")
    shutil.rmtree("runs")
    (folder / "board" / "results.json").write_text("{}")
    git("add", "-A", "runs", "board")
    git("commit", "-m", "two")
    assert find_results("HEAD~1:runs").records == before[0].records
    assert find_results("HEAD~1:board").boards == before[1].boards
    assert find_results("HEAD~1:board/results.json").boards == before[1].boards
    for gone in ("HEAD:runs", "nowhere:board", "--output=x:runs"):
        with pytest.raises(SpecError, match="as a file or in git"):
            find_results(gone)
    with pytest.raises(DataDamaged, match="results.json"):
        find_results("HEAD:board/results.json")
    assert not (folder / "x").exists()


def test_what_is_not_there_or_is_something_else(folder):
    with pytest.raises(SpecError, match="there is no nowhere") as error:
        find_results("nowhere")
    assert "COMMIT:PATH" in error.value.fix
    with pytest.raises(SpecError, match="as a file or in git"):
        find_results("HEAD:runs")  # no repository
    for text, words in (
        ("[]", "format"),
        ('{"boards": 3}', "not the JSON of a leaderboard"),
        ("[" * 100_000, "no rec"),
    ):
        (folder / "x.json").write_text(text)
        with pytest.raises(DataDamaged, match=words):
            find_results("x.json")
    (folder / "empty").mkdir()
    assert find_results("empty").records == ()
