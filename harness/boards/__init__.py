"""Leaderboards: views over records. Nothing here loads torch or looks at anything but records.

- ``building``: records become a ``Board``; ``columns``, ``evidence``, ``statistics`` and ``footer`` say
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

from typing import TYPE_CHECKING

from harness.core.lazy import lazy_names

if TYPE_CHECKING:
    from harness.boards.board import Board as Board
    from harness.boards.board import NotComparable as NotComparable
    from harness.boards.board import Row as Row
    from harness.boards.building import boards as boards
    from harness.boards.comparison.comparing import compare as compare
    from harness.boards.leaderboards import FORMATS as FORMATS
    from harness.boards.leaderboards import leaderboard as leaderboard
    from harness.boards.leaderboards import render_boards as render_boards
    from harness.boards.published import with_published as with_published
    from harness.boards.reference import Reference as Reference
    from harness.boards.reference import read_reference as read_reference
    from harness.boards.stored import boards_of as boards_of

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FORMATS": "harness.boards.leaderboards",
        "Board": "harness.boards.board",
        "NotComparable": "harness.boards.board",
        "Reference": "harness.boards.reference",
        "Row": "harness.boards.board",
        "boards": "harness.boards.building",
        "boards_of": "harness.boards.stored",
        "compare": "harness.boards.comparison.comparing",
        "leaderboard": "harness.boards.leaderboards",
        "read_reference": "harness.boards.reference",
        "render_boards": "harness.boards.leaderboards",
        "with_published": "harness.boards.published",
    },
)
