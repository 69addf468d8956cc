"""Damage to records and cache files, at random: each is detected and named, none reaches a leaderboard."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

import harness
from harness.cache import Cache
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness.runs.record import Record
from harness.runs.runner import pending, planned_records
from harness.runs.store import Store

SPEC = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": ["mac", "spoc", {"gem": {"p": [2, 3, 4]}}]},
}
CORRUPTIONS = 100


def damage(path: Path, rng: random.Random) -> str:
    """Flip a bit, cut the end off, or empty a file."""
    content = bytearray(path.read_bytes())
    kind = rng.choice(["flip", "flip", "cut", "empty"])
    if kind == "flip":
        position = rng.randrange(len(content))
        content[position] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del content[rng.randrange(1, len(content)) :]
    else:
        content.clear()
    path.write_bytes(content)
    return kind


def test_100_corruptions_are_all_named_and_none_reaches_a_leaderboard(tmp_path, toy):
    runs, cache = tmp_path / "runs", tmp_path / "cache"
    whole = harness.run(SPEC, plugins=(toy,), runs=runs, cache=cache)
    plan = make_plan(SPEC, data_folders(None, cache), plugins=(toy,))
    rng = random.Random(0)
    records = [*runs.glob("*.json")]
    arrays = [path for path in (cache / "arrays").iterdir() if path.suffix in (".json", ".npz")]
    for turn in range(CORRUPTIONS):
        path = rng.choice(records if turn % 2 else arrays)
        before = path.read_bytes()
        kind = damage(path, rng)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if path in records:
                assert [run.id for run in pending(plan, Store(runs))] == [path.stem], kind
                assert path.stem not in [record.id for record in Store(runs).read_all()]
                board = harness.leaderboard(planned_records(plan, Store(runs)), cost=False)
                assert "not run" in board
            else:
                key = read_key(path, before)
                remade = Cache(cache / "arrays").get_or_compute(key, lambda: {"x": np.zeros(1)})
                assert not remade.cost.cached, kind
        assert any(str(path) in str(warning.message) for warning in caught), (turn, kind, path)
        restore(path, before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert harness.run(SPEC, plugins=(toy,), runs=runs, cache=cache) == whole


ORIGINAL: dict[Path, bytes] = {}


def read_key(path: Path, before: bytes) -> dict:
    """The key of an entry, one of whose files was damaged; both files are remembered."""
    description = path.with_suffix(".json")
    ORIGINAL[path] = before
    ORIGINAL[description] = before if path == description else description.read_bytes()
    other = path.with_suffix(".npz")
    ORIGINAL[other] = before if path == other else other.read_bytes()
    return json.loads(ORIGINAL[description])["key"]


def restore(path: Path, before: bytes) -> None:
    path.write_bytes(before)
    for file in (path.with_suffix(".json"), path.with_suffix(".npz")):
        if file in ORIGINAL:
            file.write_bytes(ORIGINAL.pop(file))


def test_a_damaged_record_is_named_and_the_run_done_again(tmp_path, toy):
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps({**SPEC, "plugins": [toy]}))
    first = harness.run(spec, cache=tmp_path / "cache")
    victim = tmp_path / "runs" / f"{first[0].id}.json"
    damage(victim, random.Random(1))
    command = [sys.executable, "-m", "harness"]
    board = subprocess.run([*command, "leaderboard", str(spec)], capture_output=True, text=True)
    assert board.returncode == 0
    assert f"warning: {victim}" in board.stderr
    assert "Traceback" not in board.stderr
    assert "not run" in board.stdout
    folder = subprocess.run([*command, "leaderboard", str(tmp_path / "runs")], capture_output=True, text=True)
    assert folder.returncode == 0
    assert str(victim) in folder.stderr
    again = subprocess.run(
        [*command, "run", str(spec), "--cache", str(tmp_path / "cache")], capture_output=True, text=True
    )
    assert "1 runs executed, 4 skipped (already done)" in again.stdout
    metrics = [record.metrics for record in harness.run(spec, cache=tmp_path / "cache")]
    assert metrics == [record.metrics for record in first]


def test_records_of_the_format_before_are_read(tmp_path, toy):
    (record, *_) = harness.run(SPEC, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    data = record.model_dump(by_alias=True)
    data["schema"] = 1
    for cost in data["cost"].values():
        del cost["contended"]
    path = tmp_path / "old" / f"{record.id}.json"
    path.parent.mkdir()
    path.write_text(json.dumps(data))
    assert Store(path.parent).read_all() == [record]
    assert isinstance(Store(path.parent).read(record.id), Record)


def test_a_record_under_another_name_is_refused(tmp_path, toy):
    (record, *_) = harness.run(SPEC, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    shutil.copy(tmp_path / "runs" / f"{record.id}.json", tmp_path / "runs" / "another.json")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(Store(tmp_path / "runs").read_all()) == 5
    assert "another run" in str(caught[0].message)


def test_cache_commands(tmp_path, toy):
    harness.run(SPEC, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "harness", "cache", *arguments, "--cache", str(tmp_path / "cache")]
        return subprocess.run(words, capture_output=True, text=True)

    entries = json.loads(command("list", "--json").stdout)
    count = len(entries)
    assert count >= 10  # database and queries of five poolings
    assert f"{count} entries" in command("list").stdout
    assert f"0 damaged, {count} whole" in command("verify").stdout
    explained = command("explain", entries[0]["name"][:10]).stdout
    assert "pooling" in explained
    assert "nearest: " in explained
    assert command("explain", "zzz").returncode == 2
    damage(tmp_path / "cache" / "arrays" / f"{entries[1]['name']}.npz", random.Random(2))
    (tmp_path / "cache" / "arrays" / f".{entries[2]['name']}.npz.ab12.tmp").write_text("left behind")
    found = command("verify")
    assert found.returncode == 4
    assert entries[1]["name"] in found.stdout
    assert f"1 damaged, {count - 1} whole" in found.stdout
    assert command("clear", "--keep", "lots").returncode == 2
    assert f"{count - 1} entries removed" in command("clear").stdout
    assert list((tmp_path / "cache" / "arrays").iterdir()) == []
