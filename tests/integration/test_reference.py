"""The reference is whole: every key, option, field, error code, hook and variable has an entry that says something."""

from __future__ import annotations

import importlib
import re

import pytest

from harness.plugin_api import OPTIONAL_HOOKS
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
