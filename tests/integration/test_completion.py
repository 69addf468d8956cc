"""What the shell completes, the version, and names of commands that stay as aliases."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import harness
from harness.cli.app import app


def complete(line):
    words = line.split(" ")
    environment = {
        "_HARNESS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return CliRunner().invoke(app, [], prog_name="harness", env=environment).output.split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("harness methods po", {"pooling"}),
        ("harness methods pooling ge", {"gem"}),
        ("harness methods nothing ge", set()),
        ("harness datasets show roxf", {"roxford5k", "roxford5k-r1m"}),
        ("harness datasets verify synthetic-i", {"synthetic-instances"}),
        ("harness new expansio", {"expansion"}),
        ("harness gat", {"gate"}),
    ],
)
def test_names_are_completed(line, names):
    assert set(complete(line)) == names


def test_methods_of_a_plugin_file_are_completed(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from harness import hookimpl\n\n\nclass Zed:\n    pass\n\n\n@hookimpl\n"
        "def harness_register(registry):\n    registry.pooling('zed', Zed)\n"
    )
    assert complete(f"harness methods --plugin {tmp_path}/mine.py pooling z") == ["zed"]
    assert complete(f"harness methods --plugin {tmp_path}/none.py pooling z") == []


def test_the_version_is_that_of_the_package():
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"harness {harness.__version__}\n")


def test_datasets_alone_lists_them(tmp_path):
    alone, listed = (CliRunner().invoke(app, ["datasets", *words, "--data", str(tmp_path)]) for words in ([], ["list"]))
    assert alone.exit_code == listed.exit_code == 0
    assert alone.output == listed.output
    assert "roxford5k" in listed.output
    names = [
        entry["name"]
        for entry in json.loads(CliRunner().invoke(app, ["datasets", "list", "--json"]).output)["catalogue"]
    ]
    assert "roxford5k" in names


def test_cache_why_is_cache_explain(tmp_path):
    outputs = [
        CliRunner().invoke(app, ["cache", name, "abc", "--cache", str(tmp_path)]).exception
        for name in ("why", "explain")
    ]
    assert str(outputs[0]) == str(outputs[1])
    assert "abc" in str(outputs[0])
    assert " why " not in CliRunner().invoke(app, ["cache", "--help"]).output
