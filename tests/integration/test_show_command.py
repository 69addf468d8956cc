"""``harness show``: a run as text; a failure names its remedy and the line of the plugin."""

from __future__ import annotations

import json
from pathlib import Path

BROKEN = """
from dataclasses import dataclass
from harness import hookimpl

@dataclass(frozen=True)
class Broken:
    '''Divides by nothing.'''
    count: int = 3

    def pool(self, maps):
        return maps.mean((-2, -1)) / (1 // 0)

@hookimpl
def harness_register(registry):
    registry.pooling("divides", Broken)
"""
SPEC = """
name: a
task: retrieval
datasets: [toy-images]
methods: {{backbone: colour, pooling: [{{gem: {{p: 4}}}}, {{divides: {{count: 5}}}}]}}
plugins: [{toy}, broken.py]
"""


def test_a_run_and_a_failure_are_shown(tmp_path, monkeypatch, toy, command):
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text(BROKEN)
    Path("spec.yaml").write_text(SPEC.format(toy=toy))
    done = command("harness run spec.yaml")
    assert done.code == 1
    assert "at   broken.py:11 in pool" in done.err
    files = {json.loads(path.read_text())["status"]: path for path in Path("runs").rglob("*.json")}
    good, bad = command(f"harness show {files['done']}"), command(f"harness show {files['failed']}")
    assert "pooling gem" in good.out
    assert "p 4" in good.out
    assert "map_medium" in good.out
    assert "describe database" in good.out
    assert "broken.py:11 in pool" in bad.out
    assert "ZeroDivisionError" in bad.out
    assert "count 5" in bad.out
    assert json.loads(command(f"harness show {files['done']} --json").out)["status"] == "done"
    missing = command("harness show nowhere.json")
    assert missing.code == 2
    assert "Traceback" not in missing.err
