"""The reference is whole: every key, option, field, error code, hook and variable has an entry that says something."""

from __future__ import annotations

import importlib
import re

import pytest
import typer

from harness.active import ActiveProtocol
from harness.cli.app import app
from harness.cli.describe import commands
from harness.plugin_api import OPTIONAL_HOOKS
from harness.registry.parameters import describe
from harness.retrieval.protocol import RetrievalProtocol
from harness.runs.record import Record
from harness.runs.spec import _Shape


@pytest.fixture(scope="module")
def pages(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(request.config.rootpath / "tools" / "site"))
        return importlib.import_module("reference_pages").pages()


def rows(page: str) -> dict[str, list[str]]:
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    return {first.strip().strip("`"): [cell.strip() for cell in rest] for first, *rest in cells}


@pytest.mark.parametrize("name", ["spec", "options", "records", "errors", "hooks", "rules"])
def test_no_entry_is_without_a_meaning(pages, name):
    found = rows(pages[f"reference/{name}.md"])
    assert found
    assert [entry for entry, cells in found.items() if not cells[-1]] == []


def test_every_key_field_and_hook_has_an_entry(pages):
    assert set(_Shape.model_fields) <= rows(pages["reference/spec.md"]).keys()
    assert set(Record.model_fields) <= rows(pages["reference/records.md"]).keys()
    assert {hook.__name__ for hook in OPTIONAL_HOOKS} == rows(pages["reference/hooks.md"]).keys()


def test_every_error_code_has_an_entry(pages, root):
    sources = "\n".join(path.read_text() for path in (root / "harness").rglob("*.py"))
    codes = set(re.findall(r'^    code(?:: ClassVar\[str\])? = "([A-Z]\d+)"$', sources, re.MULTILINE))
    assert len(codes) > 12
    assert codes == rows(pages["reference/errors.md"]).keys()


def test_every_environment_variable_has_an_entry(root):
    sources = [path for folder in ("harness", "plugins") for path in (root / folder).rglob("*.py")]
    named = set(re.findall(r"\bHARNESS_[A-Z_]+\b", "\n".join(path.read_text() for path in sources)))
    page = (root / "docs" / "reference" / "environment.md").read_text()
    assert len(named) >= 5
    assert {name for name in named if f"`{name}`" not in page} == set()


def test_every_option_of_the_protocols_has_an_entry(pages):
    options = {option.name for protocol in (RetrievalProtocol, ActiveProtocol) for option in describe(protocol)}
    assert options == rows(pages["reference/options.md"]).keys()


def test_every_command_has_a_page_with_its_options(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "site"))
    pages = importlib.import_module("command_page").pages()
    overview = pages["reference/commands/index.md"]
    for command in commands(typer.main.get_command(app)):
        group = command["command"].split()[1]
        assert f"[`{command['command']}`]({group}.md)" in overview
        for option in command["options"]:
            assert all(f"`{name}`" in pages[f"reference/commands/{group}.md"] for name in option["names"])
