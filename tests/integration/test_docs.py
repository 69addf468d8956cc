"""What the documentation says can be done: its Python runs, its commands exist, its picture of itself is whole."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from harness.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""Blocks with a title are files of tutorials, which test_tutorials.py writes and runs."""
COMMANDS = re.compile(r"^(?: {4}|\$ )?(harness [a-z].*)$|`(harness [a-z][^`]*)`", re.MULTILINE)


def python_blocks(page: str) -> list[str]:
    return PYTHON.findall((DOCS / page).read_text())


def commands(page: str) -> list[str]:
    found = [first or second for first, second in COMMANDS.findall((DOCS / page).read_text())]
    return [re.sub(r" #.*| &&.*|[\[\]]", "", line) for line in found]


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)])
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "documentation"}
    for block in python_blocks(page):
        exec(compile(block, page, "exec", dont_inherit=True), names)  # noqa: S102  # our own pages, not a user's


@pytest.fixture(scope="module")
def harness():
    """The command with all that are below it."""
    return typer.main.get_command(app)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of_a_page_exist_with_their_options(page, harness):
    for line in commands(page):
        command, words, name = harness, shlex.split(line)[1:], "harness"
        while words and getattr(command, "commands", None) and not words[0].startswith("-"):
            name = words.pop(0)
            assert name in command.commands, f"{page}: {line}"
            command = command.commands[name]
        if words and not getattr(command, "commands", None):
            try:
                command.make_context(name, list(words))
            except Exception as error:
                if type(error).__name__ != "Exit":  # --help ends in it
                    pytest.fail(f"{page}: {line}: {error}")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_of_another_place_is_loaded_and_pictures_are_there(page):
    text = (DOCS / page).read_text()
    assert not re.search(r"<script|<iframe|!\[[^]]*\]\(https?:", text)
    for target in re.findall(r"!\[[^]]*\]\(([^)#]+)\)", text):
        assert (DOCS / page).parent.joinpath(target).is_file(), target


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_of_the_repository(page):
    """Pages are read on a forge too. One that is made when the site is built: link to the file that it is made from."""
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", (DOCS / page).read_text())
    missing = [link for link in links if not (DOCS / page).parent.joinpath(link).exists()]
    assert missing == [], "tools/site/sources.py says which file a generated page is made from"


@pytest.mark.parametrize("page", PAGES)
def test_external_links_are_well_formed(page):
    from urllib.parse import urlsplit

    for link in re.findall(r"\]\((\w+:[^)\s]+)\)", (DOCS / page).read_text()):
        parts = urlsplit(link)
        assert parts.scheme == "https", link
        assert re.fullmatch(r"[\w.-]+\.\w+", parts.netloc), link
