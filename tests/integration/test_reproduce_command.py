"""``harness reproduce`` as a user types it, with all its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SPEC = (
    "name: toy\ntask: retrieval\ndatasets: toy-images\nmethods: {{backbone: colour, pooling: gem}}\nplugins: [{toy}]\n"
)


def harness(*arguments: str, cwd=None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request):
    path = tmp_path_factory.mktemp("reproduce")
    (path / "spec.yaml").write_text(SPEC.format(toy=request.config.rootpath / "tests" / "fixtures" / "toy.py"))
    assert harness("run", "spec.yaml", "--cache", "cache", cwd=path).returncode == 0
    (record,) = (path / "runs").glob("*.json")
    record.rename(path / "record.json")
    return path


def test_the_same(folder, toy):
    done = harness("reproduce", "record.json", "--plugin", toy, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is reproduced: 12 metrics agree" in done.stdout
    assert "sources, versions and machine are unchanged" in done.stdout
    as_json = harness("reproduce", "record.json", "--plugin", toy, "--json", "--out", "again", cwd=folder)
    assert json.loads(as_json.stdout)["same"] is True
    assert len(list((folder / "again").glob("*.json"))) == 1


@pytest.mark.slow
def test_something_else(folder, toy, tmp_path):
    changed = tmp_path / "toy.py"
    with open(toy) as file:
        changed.write_text(file.read().replace("avg_pool2d(image[None], 8", "avg_pool2d(image[None] * 0, 8"))
    command = ["reproduce", "record.json", "--plugin", str(changed)]
    done = harness(*command, cwd=folder)
    assert done.returncode == 5
    assert "DIFFERS" in done.stdout
    assert 'backbone "colour": code ' in done.stdout
    assert (
        harness("reproduce", "record.json", "--plugin", str(changed), "--tolerance", "100", cwd=folder).returncode == 0
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.json"], 2, "there is no record nowhere.json"),
        (["spec.yaml"], 2, "has no result to compare with"),
        (["record.json"], 3, 'unknown backbone "colour"'),
        (["record.json", "--tolerance", "-1"], 2, "bad tolerance"),
    ],
)
def test_mistakes(folder, arguments, code, words):
    done = harness("reproduce", *arguments, cwd=folder)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
