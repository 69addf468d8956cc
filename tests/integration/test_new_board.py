"""``harness new board``: the repository that it writes works, step by step, as its workflow runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from harness.bundles.bundle import Manifest, open_bundle, packed
from harness.bundles.merging import merge
from harness.bundles.recomputed import append, read
from harness.core.errors import BadParameter, DataDamaged, SpecError
from harness.core.signed import signed, unsigned
from harness.scaffold import new_board
from harness.studies.draw import Share, drawn, rounds
from harness.studies.verify_records import RecordCheck


def ci(repository, **variables):
    """The script that the workflow calls, with the harness of this checkout."""
    folder = repository.parent / "bin"
    folder.mkdir(exist_ok=True)
    command = folder / "harness"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
    command.chmod(0o755)
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": paths, **variables}
    return subprocess.run(["./ci.sh"], cwd=repository, env=environment, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path):
    new_board("my-landmarks", tmp_path)
    return tmp_path / "my-landmarks"


def test_what_is_written(repository, tmp_path):
    workflow = yaml.safe_load((repository / ".github" / "workflows" / "board.yml").read_text())
    steps = workflow["jobs"]["board"]["steps"]
    assert any(step.get("run") == "./ci.sh" for step in steps)
    assert any("recomputed.jsonl" in step.get("run", "") and "pull_request" in step["if"] for step in steps[:-1])
    assert os.access(repository / "ci.sh", os.X_OK)
    for file in repository.rglob("*"):
        assert not file.is_file() or "my-board" not in file.read_text()
    assert "--recompute" in (repository / "ci.sh").read_text()
    with pytest.raises(SpecError, match="exists already"):
        new_board("my-landmarks", tmp_path)
    with pytest.raises(SpecError, match="cannot be the name of a board"):
        new_board("My board", tmp_path)


@pytest.mark.parametrize(
    ("text", "total", "size"),
    [
        ("5%", 100, 5),
        ("5%", 1, 1),
        ("5%", 0, 0),
        ("100%", 7, 7),
        ("0%", 9, 0),
        (3, 2, 2),
        ("2", 9, 2),
        ("33.4%", 10, 4),
    ],
)
def test_a_share_of_the_runs_is_rounded_up(text, total, size):
    assert Share.parse(text).of(total) == size


@pytest.mark.parametrize("text", ["-1", "101%", "five", "%", "nan%", "inf", "1.5", "-5%"])
def test_what_is_no_number_of_runs(text):
    with pytest.raises(BadParameter, match="bad number of runs"):
        Share.parse(text)


def test_the_same_seed_draws_the_same_and_others_draw_others():
    files = [Path(f"{n}.json") for n in range(100)]
    share = Share.parse("5%")
    assert drawn(files, share, "1") == drawn(files[::-1], share, "1")
    assert len({file for seed in range(20) for file in drawn(files, share, str(seed))}) > 50


@pytest.mark.parametrize("seeds", [["0"] * 20, [str(n) for n in range(20)]], ids=["the same seed", "others"])
def test_a_log_makes_draws_cover_all_runs(seeds):
    """Each run once in 20 draws of 5%, then each twice; a run that comes later is drawn in the next draw."""
    files, times = [Path(f"{n}.json") for n in range(100)], dict[Path, int]()
    for turn in (1, 2):
        for seed in seeds:
            for file in drawn(files, Share.parse("5%"), seed, lambda file: times.get(file, 0)):
                times[file] = times.get(file, 0) + 1
        assert set(times.values()) == {turn}
    assert Path("new.json") in drawn([*files, Path("new.json")], Share(1), "x", lambda file: times.get(file, 0))


def test_how_long_a_false_row_stays():
    assert rounds(100, 5) == (10.5, 20)
    assert rounds(3, 2) == (4 / 3, 2)
    assert rounds(0, 5) == rounds(5, 0) == (0.0, 0)


def test_the_log_speaks_of_the_very_record(tmp_path):
    file, log = tmp_path / f"{'a' * 24}.json", tmp_path / "recomputed.jsonl"
    file.write_text("{}")
    checks = [RecordCheck(file, "", ("run",), 0.03), RecordCheck(file, "wrong", ("run",), 9.0), RecordCheck(file, "")]
    assert append(log, checks, "CI") == 1
    append(log, checks, "CI")  # the same day
    ((digest, (line,)),) = read(log).items()
    assert (line.run, line.by, line.difference) == ("a" * 24, "CI", 0.03)
    assert len(digest) == 24
    for bad in ("[]", "{", '{"run": 1}', "null", "[" * 10**5, line.model_dump_json().replace("0.03", "-1")):
        log.write_text(bad + "\n")
        with pytest.raises(DataDamaged, match="line 1"):
            read(log)


def forged(bundle: Path, folder: Path) -> Path:
    """A bundle whose numbers are better than measured, consistent in itself and signed again."""
    opened = open_bundle(bundle)
    parts = {name: (opened.folder / name).read_bytes() for name in opened.manifest.files}
    for name in list(parts):
        if name.endswith(".ranks.npy"):
            del parts[name]
    for run_id in opened.run_ids:
        content = unsigned(parts[f"runs/{run_id}.json"])
        for key, value in content["metrics"].items():
            if key.startswith("map_"):
                content["metrics"][key] = 0.875 if value is not None else None
        for key in [key for key in content["details"] if key.startswith("ap_")]:
            content["details"][key] = [None if ap is None else 0.875 for ap in content["details"][key]]
        content["details"]["ranks"] = []
        content["details"].pop("kept_ranks", None)
        parts[f"runs/{run_id}.json"] = signed(content)
    import hashlib

    files = {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}
    manifest = Manifest(**{**opened.manifest.model_dump(), "files": files})
    file = folder / f"{manifest.id}.zip"
    file.write_bytes(packed(manifest, parts))
    return file


@pytest.mark.slow
def test_the_steps_of_the_workflow(repository, monkeypatch, command):
    """Empty; with a bundle: boards, runs again, page; with a damaged and with a forged one: refused."""
    empty = ci(repository)
    assert empty.returncode == 0, empty.stderr
    assert "No bundle yet" in empty.stdout
    monkeypatch.chdir(repository)
    assert command("harness run spec.yaml --executor inline").code == 0
    published = command("harness publish spec.yaml --out bundles --measured-by Ann --licence CC0")
    assert published.code == 0, published
    done = ci(repository, BY="CI of here")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 records: 2 OK, 0 wrong" in done.stdout
    assert "Run again: 1." in done.stdout  # 5% of two
    assert "Drawn with --seed " in done.stdout
    assert "Never run again: 1 of 2. As many at a time, a wrong one among them is met after 1.0 times" in done.stdout
    (board,) = (repository / "boards").glob("*/README.md")
    text = board.read_text()
    assert "CI of here" in text
    assert "recomputed by" in text
    assert (repository / "site" / "index.html").is_file()
    log = (repository / "recomputed.jsonl").read_text()
    assert json.loads(log)["difference"] <= 0.1
    page = (repository / "site" / "index.html").read_text()
    assert "1 of 1 by CI of here" in page
    assert '<td class="people">Ann</td>' in page
    assert "Never run again: 0 of 2." in ci(repository, SEED="3").stdout  # the other one, whatever the seed
    (bundle,) = (repository / "bundles").glob("*.zip")
    kept = repository.parent / bundle.name
    shutil.move(bundle, kept)
    with zipfile.ZipFile(kept) as archive:  # a number changed, checksums as they were
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"map_", b"mAp_", 1) if name.startswith("runs/") else content)
    damaged = ci(repository)
    assert damaged.returncode == 4
    assert "checksum differs" in damaged.stderr
    bundle.unlink()
    forged(kept, repository / "bundles")
    merge([], repository)  # nothing tells it from a true one
    tampered = ci(repository)
    assert tampered.returncode == 4, tampered.stdout + tampered.stderr
    assert "gives another result: map_" in tampered.stdout
