"""The first pages that a stranger reads are run as they stand, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| +\d[\d–]* +\| ([\w-]+) +\| +\**([\d.]+)", re.MULTILINE)
"""Method and first number of a row."""
PAGES = [("index.md", 4), ("start/quickstart.md", 7)]
POINTS = 5.0
"""A pick or a rank that rounding changes moves a mean by less."""


def shown(text: str) -> list[tuple[str, float]]:
    return [(method, float(number)) for method, number in ROW.findall(text)]


def walk(page: str, command, seeds: str = "") -> list[str]:
    """Write the files of a page, run its commands; what the leaderboards print."""
    boards = []
    for kind, content in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if title := re.search(r'title="(\w[\w.-]*)"', kind):
            Path(title[1]).write_text(re.sub(r"^seeds:.*", seeds or r"\g<0>", content, flags=re.MULTILINE), "utf-8")
        elif kind == "bash":
            for line in content.splitlines():
                done = command(f"{line} --executor inline" if line.startswith("harness run") else line)
                assert done.code == 0, (line, done.out, done.err)
                if line.startswith("harness leaderboard"):
                    boards.append(done.out)
    return boards


def test_the_commands_of_the_home_page_run_in_an_empty_folder(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (board,) = walk("index.md", command, seeds="seeds: [0]")
    assert {method for method, _ in shown(board)} == {"random", "entropy", "coreset", "typiclust"}


@pytest.mark.slow
@pytest.mark.parametrize(("page", "rows"), PAGES)
def test_a_page_shows_the_boards_that_come_out_of_an_empty_folder(page, rows, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    boards = walk(page, command)
    assert not any("failed" in board for board in boards)
    measured = {method: number for board in boards[:2] for method, number in shown(board)}
    claimed = shown((DOCS / page).read_text(encoding="utf-8"))
    assert len(claimed) == rows
    for method, number in claimed:
        assert measured[method] == pytest.approx(number, abs=POINTS)
    if page == "start/quickstart.md":
        assert "my-pooling" in boards[2]
        assert Path("page/index.html").is_file()
