"""Indexes of plugins: files of anybody."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from harness.cli import main
from harness.conformance import index
from harness.conformance.index import BUNDLED, IndexEntry, add, read_index, rows
from harness.conformance.rules import all_rules
from harness.conformance.suite import Report, Result
from harness.core.errors import BROKEN_PLUGIN, DataMissing, HarnessError, SpecError

ENTRY = {
    "name": "colour-moments",
    "methods": {"pooling": ["moments"], "backbone": ["grid"]},
    "source": "https://example.org/colour-moments",
    "version": "0.1.0",
    "check": {"harness": "0.1.0", "passed": 20, "failed": 0},
}


def test_the_bundled_index_is_one():
    assert read_index(BUNDLED).format == 1


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_yaml_and_json_are_read(tmp_path, write):
    file = tmp_path / "index"
    file.write_text(write({"format": 1, "plugins": [ENTRY]}))
    ((name, methods, source, version, check),) = rows([file, file])
    assert (name, source, version) == ("colour-moments", ENTRY["source"], "0.1.0")
    assert methods == "backbone: grid; pooling: moments"
    assert check == "20 passed, 0 failed with harness 0.1.0"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a\x1b[31m"},
        {"name": "-e evil"},
        {"methods": {}},
        {"methods": {"poolin": ["x"]}},
        {"methods": {"pooling": ["x; rm"]}},
        {"source": "http://example.org"},
        {"source": "https://example.org/a b"},
        {"source": "file:///etc/passwd"},
        {"version": "1 2"},
        {"check": {"harness": "1", "passed": -1, "failed": 0}},
        {"command": "pip install x"},
    ],
    ids=str,
)
def test_what_no_entry_may_say(tmp_path, changes):
    file = tmp_path / "index.yaml"
    file.write_text(json.dumps({"format": 1, "plugins": [ENTRY | changes]}))
    with pytest.raises(SpecError, match="no index of plugins"):
        read_index(file)


@pytest.mark.parametrize("text", ["[]", "a: &x [*x]", "format: 2", "!!python/object:os.system {}", "{", "\x00", ""])
def test_what_is_no_index(tmp_path, text):
    file = tmp_path / "index.yaml"
    file.write_text(text)
    with pytest.raises(HarnessError):
        read_index(file)


def test_other_places(tmp_path):
    with pytest.raises(DataMissing, match="no index"):
        read_index(tmp_path / "nothing.yaml")
    with pytest.raises(SpecError, match="only https"):
        read_index("http://example.org/index.yaml")
    large = tmp_path / "large.yaml"
    large.write_text("#" * (1 << 20) + "\nformat: 1\n")
    with pytest.raises(SpecError, match="too large"):
        read_index(large)


def test_an_entry_takes_the_place_of_the_one_before(tmp_path):
    file = tmp_path / "index.json"
    for version in ("0.1.0", "0.2.0"):
        add(file, IndexEntry.model_validate(ENTRY | {"version": version}))
    (entry,) = read_index(file).plugins
    assert entry.version == "0.2.0"


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, BROKEN_PLUGIN)])
def test_the_commands_add_what_the_check_gives_and_list_it(tmp_path, monkeypatch, capsys, broken, code):
    results = tuple(Result(rule, "passed") for rule in all_rules()[:3])
    results += (Result(all_rules()[3], "failed"),) if broken else ()
    report = Report("pooling", "gem", "vision-evaluation-harness", results)
    monkeypatch.setattr(index, "check", lambda *_, **__: (report,))
    file = tmp_path / "index.json"

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", "plugins", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr().out

    added = command("add", "pooling:gem", "--to", str(file), "--source", "vision-evaluation-harness")
    assert added[0] == code
    done = command("list", str(file))
    assert done[0] == 0
    assert f"3 passed, {int(broken)} failed" in done[1]
    assert "pooling: gem" in done[1]
    code, text = command("list")
    assert code == 0
    assert "nobody has asked yet" in text
    file.write_text("format: 1")
    assert command("list", str(file)) == (0, "No plugin is listed.\n")
    assert command("add", "pooling:gem", "--to", str(file), "--source", "http://example.org")[0] == 2
