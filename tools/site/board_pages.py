"""The committed leaderboards as pages of the site, with their pictures."""

from __future__ import annotations

import re
from pathlib import Path

import board_page


def _boards(folder: Path) -> list[Path]:
    return sorted(spec.parent for spec in folder.glob("*/spec.yaml") if spec.with_name("README.md").is_file())


def navigation(folder: Path) -> list[object]:
    """Paths of the pages: an overview, then one a board."""
    boards = [{board.name: f"leaderboards/{board.name}/README.md"} for board in _boards(folder)]
    return ["leaderboards/index.md", *boards]


def pages(folder: Path) -> dict[str, str | bytes]:
    """Path in the site -> content of each page and picture."""
    found: dict[str, str | bytes] = {"leaderboards/index.md": _overview(folder)}
    for board in _boards(folder):
        found[f"leaderboards/{board.name}/README.md"] = board_page.text(board)
        for picture in board.glob("*.svg"):
            found[f"leaderboards/{board.name}/{picture.name}"] = picture.read_bytes()
    return found


def _overview(folder: Path) -> str:
    lines = [
        "# Leaderboards",
        "",
        "See which method is better, by how much, at which cost ([how to read a board](../leaderboards.md)).",
    ]
    measured = [board for board in _boards(folder) if (board / "results.json").is_file()]
    for title, boards in (
        ("Measured", measured),
        ("Published numbers, not measured yet", [board for board in _boards(folder) if board not in measured]),
    ):
        lines += ["", f"## {title}", "", "| board | what is compared |", "| --- | --- |"]
        lines += [f"| [{board.name}]({board.name}/README.md) | {_first_sentence(board)} |" for board in boards]
    return "\n".join(lines) + "\n"


def _first_sentence(board: Path) -> str:
    text = (board / "README.md").read_text(encoding="utf-8")
    paragraph = next((part for part in text.split("\n\n")[1:] if part and part[0] not in "#|!"), "")
    return re.split(r"(?<=[.?])\s", " ".join(paragraph.split()), maxsplit=1)[0].replace("|", "/")
