"""The documentation keeps the part of its house style that can be counted."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture
def style(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "site"))
    return importlib.import_module("house_style")


LONG = "One sentence of more than twenty-five words " + "goes on " * 12 + "to its end."


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (f"Read it.\n\n{LONG}", "34 words"),
        (f"Read it.\n\n- {LONG}", "34 words"),
        ("Read it. The default was another at first.", "history: at first"),
        ("Read it. `tests/unit/test_a.py` has more.", "path of the repository: tests/unit/"),
        ("Read it. Labels have colors.", "American spelling: colors"),
        ("Read it. A query takes 3.5 ms.", "absolute time: 3.5 ms"),
        ("Read it. Two rows cannot be told apart.", "word that is replaced: cannot be told apart"),
        ("Read it.\n\n| a | b | c | d | e | f | g | h |", "8 columns"),
        ("The page is about something.", "first sentence: The page"),
        ("```\ncode\n```\n\nRead it.", "first sentence: ```"),
    ],
)
def test_each_rule_finds_what_breaks_it(style, text, finding):
    (found,) = style.findings("page.md", f"---\nsearch:\n  boost: 2\n---\n\n# Title\n\n{text}\n")
    assert found.startswith(finding)


def test_code_and_tables_are_no_sentences(style):
    code = f"```python\n{LONG} at first\n```\n\n    {LONG} at first\n\n| {LONG} |\n\n`colors` are a parameter."
    assert list(style.findings("page.md", f"# Title\n\nRead it.\n\n{code}\n")) == []


def test_no_page_leaves_the_house_style(style):
    assert list(style.all_findings()) == []
