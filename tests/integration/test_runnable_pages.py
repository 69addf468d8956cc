"""Pages are run as they stand, in an empty folder; what cannot be run there is marked as a fragment."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.runs.spec import read_spec

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| +\d[\d–]* +\| ([\w-]+) +\| +\**([\d.]+)", re.MULTILINE)
"""Method and first number of a row."""
PAGES = [("index.md", 4), ("start/quickstart.md", 7)]
RUN = ("index.md", "start/quickstart.md", "how-to/descriptors.md", "embedding-mode.md")
"""Pages whose files are written and whose commands are run by a test; so is each tutorial (test_tutorials.py)."""
FRAGMENTS = ("text", "yaml", "toml", "json", "bibtex")
"""Blocks that are not run: what needs your files, settings beside others, output."""
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


@pytest.mark.parametrize("page", [path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.md"))])
def test_each_block_is_run_or_is_a_fragment(page):
    for kind, content in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if kind == "bash" or "title=" in kind:
            assert page in RUN or page.startswith("tutorials/"), f"{kind}: {content}"
        else:
            assert kind in ("python", *FRAGMENTS), f"{kind}: {content}"  # test_docs.py runs all Python
        if kind == "yaml":
            settings = yaml.safe_load(content)
            if {"task", "datasets", "methods"} <= settings.keys():
                assert read_spec(settings)[1] == []


@pytest.mark.slow
def test_the_script_that_writes_features_runs_on_stand_in_data(tmp_path, monkeypatch, command):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    assert command(f"harness datasets stand-in mnist --out {tmp_path} --images 400").code == 0
    ((_, script),) = [
        block for block in BLOCK.findall((DOCS / "embedding-mode.md").read_text()) if "title=" in block[0]
    ]
    exec(compile(script, "make_features.py", "exec"), {})  # noqa: S102  # our own page
    with np.load(tmp_path / "mnist-pca.npz") as features:
        assert features["train"].shape[1] == features["test"].shape[1] == 128
