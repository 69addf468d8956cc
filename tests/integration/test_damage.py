"""Damage to records and cache files, at random: each is detected and named, none reaches a leaderboard."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import shutil
import stat
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.cache import Cache
from harness.core.signed import unsigned
from harness.core.text import is_printable
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness.runs.planned import pending, planned_records
from harness.runs.store import Store
from harness.studies.verify_records import verify_records

SPEC = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": ["mac", "spoc", {"gem": {"p": [2, 3, 4]}}]},
}
CORRUPTIONS = 50


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory, toy):
    """Records and cache of the spec, which nobody changes."""
    folder = tmp_path_factory.mktemp("whole")
    harness.run(SPEC, plugins=(toy,), runs=folder / "runs", cache=folder / "cache")
    return folder


@pytest.fixture
def measured(tmp_path, whole):
    """A copy of them."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def test_corruptions_of_the_cache_are_all_named(measured):
    rng = random.Random(0)
    arrays = [path for path in (measured / "cache" / "arrays").iterdir() if path.suffix in (".json", ".npz")]
    for turn in range(CORRUPTIONS):
        path = rng.choice(arrays)
        before = path.read_bytes()
        kind = damage(path, rng)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            key = read_key(path, before)
            remade = Cache(measured / "cache" / "arrays").get_or_compute(key, lambda: {"x": np.zeros(1)})
        assert not remade.cost.cached, kind
        assert any(str(path) in str(warning.message) for warning in caught), (turn, kind, path)
        restore(path, before)


def changed(field, value):
    """A forgery: a value somewhere in a record, which is then signed again."""

    def forge(content, rng):
        place = content
        *above, last = field.split(".")
        for name in above:
            place = place[name]
        place[last] = value(place[last], rng) if callable(value) else value

    return forge


def at_random(value):
    """One item of a list is another."""

    def change(items, rng):
        return [*items[: (at := rng.randrange(len(items)))], value, *items[at + 1 :]]

    return change


FORGERIES = {
    "metric 9.99": changed("metrics.map_medium", 9.99),
    "metric -5": changed("metrics.map_hard", -5.0),
    "metric NaN": changed("metrics.map_easy", math.nan),
    "metric infinite": changed("metrics.map_easy", math.inf),
    "metric 1e308": changed("metrics.map_easy", 1e308),
    "metric a little better": changed(
        "metrics.map_medium", lambda value, _: value + (0.001 if value < 0.5 else -0.001)
    ),
    "metric a text": changed("metrics.map_easy", "0.99"),
    "metric a list": changed("metrics.map_easy", [0.99]),
    "metric a flag": changed("metrics.map_easy", True),
    "metric undefined": changed("metrics.map_medium", None),
    "metric unknown": changed("metrics", lambda metrics, _: {**metrics, "map_of_the_world": 0.9}),
    "precision 2": changed("metrics.mp@1_easy", 2.0),
    "no metrics": changed("metrics", {}),
    "texts in a list": changed("details.ap_medium", at_random("0.5")),
    "9.99 in a list": changed("details.ap_medium", at_random(9.99)),
    "NaN in a list": changed("details.ap_hard", at_random(math.nan)),
    "1e308 in a list": changed("details.ap_hard", at_random(1e308)),
    "a list in a list": changed("details.ap_easy", at_random([0.5])),
    "a list too short": changed("details.ap_easy", lambda values, _: values[1:]),
    "no list": changed("details.ap_easy", 0.5),
    "no details": changed("details", {}),
    "texts in a ranking": changed("details.ranks", at_random(["0", "1"])),
    "ranks that are numbers": changed("details.ranks", at_random([0.5, 1.5])),
    "another id": changed("id", "f" * 24),
    "another seed": changed("seed", 7),
    "a negative seed": changed("seed", -1),
    "another parameter": changed("methods.backbone.parameters", {"p": 4}),
    "another method": changed("methods.pooling.name", "crow"),
    "another kind": changed("methods.pooling.kind", "whitening"),
    "another source": changed("methods.pooling.digest", "0" * 16),
    "other data": changed("dataset.fingerprint", "0" * 64),
    "a name of control characters": changed("dataset.name", "toy\x1b[31m"),
    "a name on two lines": changed("dataset.name", "toy\nimages"),
    "half a character": changed("dataset.name", "\ud800"),
    "negative counts": changed("dataset.counts", {"images": -1, "queries": 4}),
    "other counts": changed("dataset.counts", {"images": 12, "queries": 5}),
    "negative cost": changed("figures.query_s_p50", -1.0),
    "infinite cost": changed("figures.query_s_p50", math.inf),
    "missing": changed("status", "missing"),
    "failed with metrics": changed("status", "failed"),
    "another task": changed("task", "active-learning"),
    "an unknown field": changed("dataset", lambda dataset, _: {**dataset, "surprise": 1}),
    "format 1": changed("schema", 1),
    "format 2": changed("schema", 2),
    "format 4": changed("schema", 4),
    "nested without end": changed("details.notes", lambda *_: nested(1_500)),
}


def nested(depth):
    inner = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def sign_again(content) -> bytes:
    """As ``core.signed`` does, also what it refuses."""
    sys.setrecursionlimit(100_000)
    try:
        text = json.dumps(content, indent=1, sort_keys=True)
    finally:
        sys.setrecursionlimit(1_000)
    body = text.removeprefix("{\n") + "\n"
    return b'{"checksum": "%s",\n' % hashlib.sha256(b"{" + body.encode()).hexdigest().encode() + body.encode()


def forge(path: Path, name: str, rng: random.Random) -> None:
    content = unsigned(path.read_bytes())
    FORGERIES[name](content, rng)
    path.write_bytes(sign_again(content))
    if name == "another id":
        path.rename(path.with_name(f"{content['id']}.json"))


def unsigned_record(path: Path, schema: int) -> None:
    path.write_text(json.dumps({**unsigned(path.read_bytes()), "schema": schema}))


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".kept"))
    path.symlink_to(path.with_suffix(".kept"))


def replaced(path: Path, make) -> None:
    path.unlink()
    make(path)


def a_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero has no end
    except PermissionError:
        os.mkfifo(path)


NO_FILES = {
    "unsigned": lambda path: unsigned_record(path, 3),
    "unsigned, format 1": lambda path: unsigned_record(path, 1),
    "a link": linked,
    "a link to nothing": lambda path: replaced(path, lambda place: place.symlink_to(place.with_name("nothing"))),
    "a link in a circle": lambda path: replaced(path, lambda place: place.symlink_to(place)),
    "a pipe": lambda path: replaced(path, os.mkfifo),
    "a folder": lambda path: replaced(path, Path.mkdir),
    "a device": lambda path: replaced(path, a_device),
}


def test_250_corruptions_and_forgeries_are_all_named_and_none_reaches_a_leaderboard(tmp_path, whole, toy):
    plan = make_plan(SPEC, data_folders(None, whole / "cache"), plugins=(toy,))
    rng = random.Random(0)
    files = sorted((whole / "runs").glob("*.json"))
    kinds = [*FORGERIES, *NO_FILES] * 3
    kinds += ["damage"] * (250 - len(kinds))
    for turn, kind in enumerate(kinds):
        runs = tmp_path / str(turn)
        shutil.copytree(whole / "runs", runs)
        victim = runs / rng.choice(files).name
        if kind in FORGERIES:
            forge(victim, kind, rng)
        elif kind in NO_FILES:
            NO_FILES[kind](victim)
        else:
            kind = damage(victim, rng)
        forged = victim if os.path.lexists(victim) else victim.with_name("f" * 24 + ".json")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for ranks in (True, False):
                assert len(Store(runs, ranks=ranks).read_all()) == len(files) - 1, kind
            assert [run.id for run in pending(plan, Store(runs))] == [victim.stem], kind
            planned = planned_records(plan, Store(runs))
        assert [record.id for record in planned if record.status == "missing"] == [victim.stem], kind
        if turn % 25 == 0:
            assert "not run" in harness.leaderboard(planned, cost=False), kind
        named = [str(warning.message) for warning in caught]
        assert sum(str(forged) in text for text in named) >= 2, (kind, named)
        assert all(is_printable(text) for text in named), (kind, named)
        if turn < len(kinds) / 3 and kind != "a folder":  # which is a target of its own
            (wrong,) = verify_records(forged)
            assert wrong.problem, kind
        shutil.rmtree(runs)


def test_records_verify_names_what_is_wrong(tmp_path, measured, toy, command):
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps({**SPEC, "plugins": [toy]}))
    verify = f"harness records verify {{}} --plugin {toy}"
    files = sorted((measured / "runs").glob("*.json"))
    for target in (measured / "runs", measured, files[0], f"{spec} --runs {measured / 'runs'}"):
        done = command(verify.format(target))
        assert done.code == 0, done
        assert f"{1 if target == files[0] else 5} OK, 0 wrong" in done.out
    assert "Rankings compared with the ground truth: 5." in done.out
    content = unsigned(files[0].read_bytes())
    content["details"]["ranks"] = [row[::-1] for row in content["details"]["ranks"]]
    files[0].write_bytes(sign_again(content))
    content = unsigned(files[1].read_bytes())
    content["details"]["ranks"][0][0] = 10**6  # boards do not read them
    files[1].write_bytes(sign_again(content))
    os.mkfifo(measured / "runs" / "pipe.json")
    done = command(verify.format(measured / "runs"))
    assert done.code == 4
    assert f"wrong  {files[0].stem}: ap_" in done.out
    assert "pipe.json" in done.out
    assert f"{files[1]} is not what a run can have left: its ranks have" in done.out
    assert "6 records: 3 OK, 3 wrong" in done.out
    rows = json.loads(command(verify.format(measured / "runs") + " --json").out)
    assert [row["checked"] for row in rows] == [["rankings"], [], *[["rankings"]] * 3, []]
    assert command(verify.format(tmp_path / "nothing")).code == 2


def test_records_verify_runs_a_sample_again(measured, toy):
    checks = verify_records(measured / "runs", plugins=(toy,), recompute=1)
    assert [check.problem for check in checks] == [""] * 5
    assert sum("run" in check.checked for check in checks) == 1
    for path in (measured / "runs").iterdir():  # consistent in itself, and signed again
        content = unsigned(path.read_bytes())
        content["details"]["ap_hard"] = [0.123 for _ in content["details"]["ap_hard"]]
        content["metrics"]["map_hard"] = 0.123
        content["details"]["ranks"] = []
        path.write_bytes(sign_again(content))
    plain = verify_records(measured / "runs", plugins=(toy,))
    assert [check.problem for check in plain] == [""] * 5  # no reading can see it
    problems = [check.problem for check in verify_records(measured / "runs", plugins=(toy,), recompute=2)]
    assert sum("gives another result: map_hard 0.123, now" in problem for problem in problems) == 2


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


def test_a_damaged_record_is_named_and_the_run_done_again(tmp_path, toy, harness_command):
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps({**SPEC, "plugins": [toy]}))
    first = harness.run(spec, cache=tmp_path / "cache")
    victim = tmp_path / "runs" / f"{first[0].id}.json"
    damage(victim, random.Random(1))
    board = harness_command("leaderboard", str(spec))
    assert board.code == 0
    assert f"warning: {victim}" in board.err
    assert "Traceback" not in board.err
    assert "not run" in board.out
    folder = harness_command("leaderboard", str(tmp_path / "runs"))
    assert folder.code == 0
    assert str(victim) in folder.err
    again = harness_command("run", str(spec), "--cache", str(tmp_path / "cache"))
    assert "1 run executed, 4 skipped (already done)" in again.out
    metrics = [record.metrics for record in harness.run(spec, cache=tmp_path / "cache")]
    assert metrics == [record.metrics for record in first]


def test_a_record_under_another_name_is_refused(measured):
    runs = measured / "runs"
    shutil.copy(sorted(runs.glob("*.json"))[0], runs / "another.json")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(Store(runs).read_all()) == 5
    assert "another run" in str(caught[0].message)


def test_cache_commands(measured, command):
    cache = measured / "cache"

    def cached(*arguments: str):
        return command(f"harness cache {' '.join(arguments)} --cache {cache}")

    entries = json.loads(cached("list", "--json").out)
    count = len(entries)
    assert count >= 10  # database and queries of five poolings
    assert f"{count} entries" in cached("list").out
    assert f"0 damaged, {count} whole" in cached("verify").out
    explained = cached("explain", entries[0]["name"][:10]).out
    assert "pooling" in explained
    assert "nearest: " in explained
    assert cached("explain", "zzz").code == 2
    damage(cache / "arrays" / f"{entries[1]['name']}.npz", random.Random(2))
    (cache / "arrays" / f".{entries[2]['name']}.npz.ab12.tmp").write_text("left behind")
    found = cached("verify")
    assert found.code == 4
    assert entries[1]["name"] in found.out
    assert f"1 damaged, {count - 1} whole" in found.out
    assert cached("clear", "--keep", "lots").code == 2
    assert f"{count - 1} entries removed" in cached("clear").out
    assert list((cache / "arrays").iterdir()) == []
