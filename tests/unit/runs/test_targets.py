"""What a TARGET means: specs, folders, records, boards, and all of it at a commit."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

import harness
from harness.core.errors import DataDamaged, SpecError
from harness.runs.targets import Resolver, find_results

SPEC = """\
name: toy
description: two poolings
task: retrieval
datasets: toy-images
methods: {{backbone: colour, pooling: [mac, gem]}}
plugins: [{toy}]
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory, toy):
    """A spec with its records, and a leaderboard folder without any."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "spec.yaml").write_text(SPEC.format(toy=toy))
    records = harness.run(folder / "spec.yaml", data=folder / "data", cache=folder / "cache")
    board = folder / "board"
    board.mkdir()
    shutil.copy(folder / "spec.yaml", board / "spec.yaml")
    results = harness.leaderboard(records, format="json", title="toy", description="two poolings")
    (board / "results.json").write_text(results)
    (board / "reference.yaml").write_text("{}")
    return folder


@pytest.fixture
def folder(tmp_path, measured, monkeypatch):
    """A copy of it to change, and to be in."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def test_folders_files_and_specs(folder):
    records = find_results("runs").records
    assert len(records) == 2
    planned = find_results("spec.yaml")
    assert {r.id for r in planned.records} == {r.id for r in records}
    assert (planned.title, planned.description) == ("toy", "two poolings")
    assert {path.stem for path in planned.files.values()} == planned.files.keys() == {r.id for r in records}
    (path, _) = sorted(folder.joinpath("runs").glob("*.json"))
    assert find_results(path).records == (records[0],)
    assert find_results(".").records == planned.records


def test_a_leaderboard_folder_is_its_records_or_else_its_results(folder):
    shown = find_results("board")
    assert shown.boards == find_results("board/results.json").boards
    assert (len(shown.boards), shown.title, shown.description) == (1, "toy", "two poolings")
    assert shown.reference == folder.joinpath("board/reference.yaml").relative_to(folder)
    measured = find_results("board", runs="runs")
    assert len(measured.records) == 2
    assert not measured.boards
    shutil.copytree("runs", "board/runs")
    assert find_results("board").records == measured.records
    for path in folder.joinpath("board", "runs").iterdir():  # of runs that the spec no longer has
        path.rename(path.with_name(f"0{path.name[1:]}"))
    assert find_results("board").boards == shown.boards
    shutil.copy("board/results.json", "runs/results.json")
    assert len(find_results("runs").records) == 2


def test_the_table_of_a_results_json_is_that_of_the_records(folder):
    records = find_results("runs").records
    assert harness.leaderboard(find_results("board")) == harness.leaderboard(records)
    assert harness.leaderboard(find_results("board"), cost=False) == harness.leaderboard(records, cost=False)
    again = harness.leaderboard(find_results("board"), format="json", title="toy", description="two poolings")
    assert again == folder.joinpath("board/results.json").read_text()
    content = json.loads(folder.joinpath("board/results.json").read_text())
    del content["boards"][0]["rows"][0]["cells"]["map_hard"]
    folder.joinpath("board/results.json").write_text(json.dumps(content))
    with pytest.raises(DataDamaged, match="board is not the JSON of a leaderboard"):
        harness.leaderboard(find_results("board"))


def test_commands_that_need_records_say_so(folder):
    for target in ("board", "board/results.json"):
        with pytest.raises(SpecError, match="not the records of its runs"):
            find_results(target).require_records()
        with pytest.raises(SpecError, match="not the records of its runs"):
            Resolver().record(target)
    unmeasured = find_results("spec.yaml", runs="nowhere")
    assert len(unmeasured.require_records()) == 2
    with pytest.raises(SpecError, match=r"no records in spec\.yaml\n.*board/boards/NAME"):
        unmeasured.require_records(written=True)


def test_a_file_that_is_something_else_is_not_to_be_deleted(folder):
    for name, words in (("b.zip", "harness merge b.zip"), ("mine.py", "neither a spec nor a record")):
        folder.joinpath(name).write_bytes(b"PK")
        with pytest.raises(SpecError, match=words) as caught:
            find_results(name)
        assert "delete" not in str(caught.value)


def test_one_record(folder):
    (first, second) = find_results("runs").records
    assert Resolver().record(f"runs/{first.id}.json") == first
    for among in ("runs", "spec.yaml", "."):
        assert Resolver().record(second.id, among) == second
    with pytest.raises(SpecError, match="runs holds 2 records") as several:
        Resolver().record("runs")
    assert "--runs runs" in several.value.fix
    with pytest.raises(SpecError, match="no record 0 in runs"):
        Resolver().record("0", "runs")
    with pytest.raises(SpecError, match="no record nowhere"):
        Resolver().record("nowhere")


def test_the_spec_of_a_target(folder):
    assert Resolver().spec("spec.yaml").name == "spec.yaml"
    assert Resolver().spec("board").samefile("board/spec.yaml")
    for target in ("runs", "board/results.json"):
        with pytest.raises(SpecError, match="no spec in"):
            Resolver().spec(target)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_what_was_committed(folder, monkeypatch):
    git("init")
    git("add", "runs", "board", "spec.yaml")
    git("commit", "-m", "one")
    before = find_results("runs"), find_results("board")
    shutil.rmtree("runs")
    (folder / "board" / "results.json").write_text("{}")
    (folder / "spec.yaml").write_text("name: other")
    git("add", "-A", "runs", "board", "spec.yaml")
    git("commit", "-m", "two")
    (one, *_) = before[0].records
    assert find_results("HEAD~1:runs").records == before[0].records
    assert find_results(f"HEAD~1:runs/{one.id}.json").records == (one,)
    assert find_results("HEAD~1:board").boards == before[1].boards
    assert find_results("HEAD~1:board/results.json").boards == before[1].boards
    planned = find_results("HEAD~1:spec.yaml").records  # runs beside the spec at the commit, in the order of the spec
    assert tuple(sorted(planned, key=lambda record: record.id)) == before[0].records
    assert find_results("HEAD~1:board/spec.yaml").reference.is_file()
    assert Resolver().record(one.id, "HEAD~1:runs") == one
    for gone in ("HEAD:runs", "nowhere:board", "--output=x:runs"):
        with pytest.raises(SpecError, match="as a file or in git"):
            find_results(gone)
    with pytest.raises(DataDamaged, match="results.json"):
        find_results("HEAD:board/results.json")
    assert not (folder / "x").exists()
    monkeypatch.chdir(folder / "board")  # git archives only what is below the folder it is called in
    assert find_results("HEAD~1:runs").records == before[0].records
    assert find_results("HEAD~1:./results.json").boards == before[1].boards


def test_what_is_not_there_or_is_something_else(folder):
    with pytest.raises(SpecError, match="there is no nowhere") as error:
        find_results("nowhere")
    assert "COMMIT:PATH" in error.value.fix
    with pytest.raises(SpecError, match="as a file or in git"):
        find_results("HEAD:runs")  # no repository
    for text, words in (
        ("[]", "format"),
        ('{"boards": 3}', "not the JSON of a leaderboard"),
        ("[" * 100_000, "x.json is"),
    ):
        (folder / "x.json").write_text(text)
        with pytest.raises(DataDamaged, match=words):
            find_results("x.json")
    (folder / "empty").mkdir()
    assert find_results("empty").records == ()
