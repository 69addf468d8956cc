"""Leaderboards: views over records. Nothing here loads torch or looks at anything but records.

- ``building``: records become a ``Board``; ``columns``, ``labels``, ``evidence``, ``statistics`` and ``footer`` say
  which numbers it has, what rows are called and what differences are worth.
- ``failures``: what a board does with runs that failed or were not run.
- ``published``, ``reference``: published numbers beside a board. ``across``: ranks over several boards.
- ``stored``: a board as the JSON of ``results.json``, and back.
- ``tables``, ``render``: what tables show, and one renderer for each format.
- ``comparison``: two measurements, or two rows, against each other; the gate for continuous integration.
- ``agreement``: the tables of agreement studies. ``plots``: pictures of all of these.

Names load what they need when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.boards.board import Board, NotComparable, Row
    from harness.boards.building import boards
    from harness.boards.comparison.comparing import compare
    from harness.boards.leaderboards import FORMATS, leaderboard, render_boards
    from harness.boards.published import with_published
    from harness.boards.reference import Reference, read_reference
    from harness.boards.stored import boards_of

__all__ = [
    "FORMATS",
    "Board",
    "NotComparable",
    "Reference",
    "Row",
    "boards",
    "boards_of",
    "compare",
    "leaderboard",
    "read_reference",
    "render_boards",
    "with_published",
]

_MODULES = {
    "FORMATS": "leaderboards",
    "Board": "board",
    "NotComparable": "board",
    "Reference": "reference",
    "Row": "board",
    "boards": "building",
    "boards_of": "stored",
    "compare": "comparison.comparing",
    "leaderboard": "leaderboards",
    "read_reference": "reference",
    "render_boards": "leaderboards",
    "with_published": "published",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
