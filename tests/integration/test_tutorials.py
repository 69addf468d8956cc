"""The tutorials are run as they stand: files written, commands run, the tables shown compared with what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.plugin_api import KINDS

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
PAGES = sorted(path.stem for path in TUTORIALS.glob("*.md") if path.stem != "index")
MEASURED = ("mAP", "mP@10", "labels")
"""Columns whose values are the same everywhere but for rounding; times are not."""
POINTS = 5.0
"""A rank that rounding changes moves the mean of eight queries by less."""


def blocks(text: str) -> list[tuple[str, str]]:
    """What stands behind the three marks, and the lines between them."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def table(text: str) -> list[dict[str, str]]:
    """The rows of the only table that ranks, by the names of its columns."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    start = next(i for i, line in enumerate(lines) if re.match(r"\| +#", line))
    cells = [[cell.strip().replace("**", "") for cell in line.strip("|").split("|")] for line in lines[start:]]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def labels(row: dict[str, str]) -> tuple[str, ...]:
    """The methods of a row."""
    kinds = ("backbone", "pooling", "whitening", "reranking", "expansion", "acquisition", "learning", "network")
    return tuple(row[kind] for kind in kinds if kind in row)


def test_there_is_one_for_each_kind():
    assert sorted(KINDS) == PAGES


QUICK = ("pooling",)
"""`make test-all` runs the others."""


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[] if page in QUICK else [pytest.mark.slow]) for page in PAGES]
)
def test_a_tutorial_ends_in_the_row_that_it_shows(page, tmp_path, monkeypatch, command):
    text = (TUTORIALS / f"{page}.md").read_text()
    monkeypatch.chdir(tmp_path)
    board = ""
    for kind, content in blocks(text):
        title = re.search(r'title="(\w[\w.-]*)"', kind)
        if title:
            Path(title[1]).write_text(content)
            continue
        assert kind == "bash", f"{page}: what is a block of {kind!r}?"
        for line in content.splitlines():
            done = command(line)
            assert done.code == 0, (line, done.out, done.err)
            board = done.out if line.startswith("harness leaderboard") else board
    shown, found = table(text), {labels(row): row for row in table(board.partition("<details")[0])}
    assert {labels(row) for row in shown} == set(found)
    assert "failed" not in board
    compared = 0
    for row in shown:
        same = found[labels(row)]
        assert set(row) <= set(same)
        for column, value in row.items():
            if any(word in column for word in MEASURED):
                assert float(same[column].split()[0]) == pytest.approx(float(value.split()[0]), abs=POINTS), column
                compared += 1
    assert compared >= 2 * len(shown)


@pytest.mark.parametrize("page", PAGES)
def test_the_method_of_a_tutorial_is_in_its_table(page):
    text = (TUTORIALS / f"{page}.md").read_text()
    name = re.findall(r'registry\.\w+\("([\w-]+)"', text)[0]  # later ones stand beside the lesson
    spec = next(content for kind, content in blocks(text) if kind.startswith("yaml"))
    assert re.search(rf"\b{name}\b", spec)
    if page != "dataset":
        assert any(name in " ".join(labels(row)) for row in table(text))


def test_the_plugins_of_the_tutorials_are_clean_code(tmp_path):
    import subprocess
    import sys

    for page in PAGES:
        for number, (kind, content) in enumerate(blocks((TUTORIALS / f"{page}.md").read_text())):
            if kind.startswith("python"):
                (tmp_path / f"{page}_{number}.py").write_text(content)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--line-length", "120", "--select"]
    done = subprocess.run([*command, "F,E,W,B,UP", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
