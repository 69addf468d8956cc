"""What the system refuses is an error with a name and exit code 4, for every path that a user can name."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import harness

HARNESS = [sys.executable, "-m", "harness"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory, toy):
    """A folder with a spec and its records, which nobody changes."""
    folder = tmp_path_factory.mktemp("measured")
    methods = {"backbone": "colour", "pooling": "mac"}
    content = {"name": "toy", "task": "retrieval", "datasets": "toy-images", "methods": methods, "plugins": [toy]}
    (folder / "spec.yaml").write_text(json.dumps(content))
    harness.run(folder / "spec.yaml", cache=folder / "cache")
    return folder


@pytest.fixture
def refused(tmp_path):
    """Places that cannot be used, whoever asks: permissions would not hold root back."""
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return [tmp_path / "file" / "below", tmp_path / "loop" / "below", tmp_path / ("n" * 300) / "below"]


@pytest.mark.parametrize(
    "words",
    [
        "run {spec} --executor inline --runs {place} --cache {cache}",
        "run {spec} --executor processes --runs {place} --cache {cache}",
        "leaderboard {spec} --cache {cache} --out {place}",
        "leaderboard {spec} --cache {cache} --plots {place}",
        "compare {runs} {runs} --out {place}",
        "page {folder} --out {place}",
        "new pooling mine --folder {place}",
    ],
)
def test_places_that_cannot_be_written_to(command, measured, refused, words):
    for place in refused:
        names = {"spec": measured / "spec.yaml", "folder": measured, "runs": measured / "runs"}
        done = command("harness " + words.format(place=place, cache=measured / "cache", **names))
        assert done.code == 4, (place, done)
        assert "error[D4" in done.err
        assert "Traceback" not in done.err


def test_a_cache_that_cannot_be_written_to(command, measured, refused, tmp_path):
    """It costs time, or is an error; never a traceback."""
    for place in refused:
        done = command(
            f"harness run {measured / 'spec.yaml'} --executor inline --runs {tmp_path / 'r'} --cache {place}"
        )
        assert done.code in (0, 1, 4), done
        assert "Traceback" not in done.err
        for action in ("list", "verify", "clear"):
            assert command(f"harness cache {action} --cache {place}").code in (0, 4)


def test_a_folder_of_a_spec_that_cannot_be_written_to(command, measured, tmp_path):
    """Its records would lie beside it."""
    spec = tmp_path / "spec.yaml"
    spec.write_text((measured / "spec.yaml").read_text())
    (tmp_path / "runs").write_text("a file")
    done = command(f"harness run {spec} --cache {measured / 'cache'}")
    assert (done.code, "Traceback" in done.err) == (4, False), done
    assert str(tmp_path / "runs") in done.err


OUTPUTS = ("> /dev/full", ">&-", "| true", "> /dev/full 2>&1", "> /dev/full 2>&-")
OTHERS = {"--version": OUTPUTS[:1], "--help": OUTPUTS[1:2], "leaderboard {}": OUTPUTS[2:5:2]}
"""Commands besides ``methods``, and where they write in the short form."""


@pytest.mark.parametrize(
    ("words", "redirected"),
    [
        *(("methods", output) for output in OUTPUTS),
        *(
            pytest.param(words, output, marks=[] if output in short else [pytest.mark.slow])
            for words, short in OTHERS.items()
            for output in OUTPUTS
        ),
    ],
)
def test_a_standard_output_that_is_closed_or_full(measured, words, redirected):
    line = f"{sys.executable} -m harness {words.format(measured / 'runs')} {redirected}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    if redirected == "| true" and done.returncode == 0:  # it was all written before the reader went
        assert done.stderr == ""
        return
    assert done.returncode == 4, done
    assert "Traceback" not in done.stderr
    if "2>" not in redirected:
        assert done.stderr.startswith("error[D440] "), done
        assert "standard output" in done.stderr


def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9\x1b[31m"
    done = subprocess.run([*HARNESS, b"leaderboard", folder], capture_output=True)
    assert done.returncode == 2
    assert b"\x1b" not in done.stderr
    assert b"Traceback" not in done.stderr
