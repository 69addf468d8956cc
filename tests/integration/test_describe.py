"""``harness describe``: what programs read is what the help and the registry say."""

from __future__ import annotations

import json
import re

from harness.plugin_api import KINDS
from harness.registry import load_registry


def test_commands_methods_and_options_are_described(command):
    described = json.loads(command("harness describe").out)
    assert {f"harness {name}" for name in ("run", "leaderboard", "datasets fetch")} <= {
        entry["command"] for entry in described["commands"]
    }
    registry = load_registry()
    assert {kind: [*methods] for kind, methods in described["methods"].items()} == {
        kind: registry.names(kind) for kind in KINDS
    }
    assert "image_size" in described["protocol"]["retrieval"]["properties"]
    assert described["exit_codes"]["0"] == "done"


def test_the_schema_is_printed(command):
    assert json.loads(command("harness describe --schema").out)["title"].startswith("Spec")


def test_the_file_for_agents_names_pages_and_commands_that_exist(root, command):
    text = (root / "docs" / "llms.txt").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    generated = ("reference/", "methods/", "leaderboards/")
    pages = [link for link in links if not link.startswith(generated)]
    assert [link for link in pages if not (root / "docs" / link.replace(".html", ".md")).is_file()] == []
    names = {entry["command"] for entry in json.loads(command("harness describe").out)["commands"]}
    named = re.findall(r"`(harness [a-z]+(?: [a-z]+)?)", text)
    assert [name for name in named if name not in names and name.rpartition(" ")[0] not in names] == []
