"""``harness reproduce`` as a user types it, with all its exit codes."""

from __future__ import annotations

import json

import pytest

SPEC = (
    "name: toy\ntask: retrieval\ndatasets: toy-images\nmethods: {{backbone: colour, pooling: gem}}\nplugins: [{toy}]\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request, harness_command):
    path = tmp_path_factory.mktemp("reproduce")
    (path / "spec.yaml").write_text(SPEC.format(toy=request.config.rootpath / "tests" / "fixtures" / "toy.py"))
    assert harness_command("run", "spec.yaml", "--cache", "cache", cwd=path).code == 0
    (record,) = (path / "runs").glob("*.json")
    record.rename(path / "record.json")
    return path


def test_the_same(folder, toy, harness_command):
    done = harness_command("reproduce", "record.json", "--plugin", toy, cwd=folder)
    assert (done.code, done.err) == (0, "")
    assert "is reproduced: 12 metrics agree" in done.out
    assert "sources, versions and machine are unchanged" in done.out
    as_json = harness_command("reproduce", "record.json", "--plugin", toy, "--json", "--out", "again", cwd=folder)
    assert json.loads(as_json.out)["same"] is True
    assert len(list((folder / "again").glob("*.json"))) == 1


@pytest.mark.slow
def test_something_else(folder, toy, tmp_path, harness_command):
    changed = tmp_path / "toy.py"
    with open(toy) as file:
        changed.write_text(file.read().replace("avg_pool2d(image[None], 8", "avg_pool2d(image[None] * 0, 8"))
    command = ["reproduce", "record.json", "--plugin", str(changed)]
    done = harness_command(*command, cwd=folder)
    assert done.code == 5
    assert "DIFFERS" in done.out
    assert 'backbone "colour": code ' in done.out
    assert (
        harness_command("reproduce", "record.json", "--plugin", str(changed), "--tolerance", "100", cwd=folder).code
        == 0
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
def test_mistakes(folder, arguments, code, words, harness_command):
    done = harness_command("reproduce", *arguments, cwd=folder)
    assert (done.code, words in done.err, "Traceback" in done.err) == (code, True, False), done.err
