"""Leaderboards: views over records. Nothing here loads torch or looks at anything but records."""

from __future__ import annotations

from collections.abc import Iterable

from harness.boards.board import Board, boards
from harness.boards.formats import FORMATS, render
from harness.boards.published import with_published
from harness.boards.reference import Reference, read_reference
from harness.boards.stored import boards_of
from harness.runs.record import Record
from harness.runs.results import Results

__all__ = [
    "FORMATS",
    "Board",
    "Reference",
    "boards",
    "boards_of",
    "leaderboard",
    "read_reference",
    "render",
    "with_published",
]


def leaderboard(
    records: Results | Iterable[Record],
    *,
    format: str = "markdown",
    title: str = "",
    description: str = "",
    cost: bool = True,
    reference: Reference | None = None,
) -> str:
    """Records as a leaderboard: one table per dataset, best method first.

    Args:
        records: of one or more runs, those of several seeds are averaged; or what ``harness.find_results`` found.
        format: ``markdown``, ``html``, ``latex``, ``csv`` or ``json``.
        title: heading of the document; none if empty.
        description: text under the heading; markdown in markdown, plain in HTML.
        cost: whether to show time and memory, which differ from run to run.
        reference: published numbers, to stand beside what was measured with the difference.

    Raises:
        NotComparable: records of one dataset were measured by different protocols or on different data.
        UnknownName: no such format.
    """
    results = records if isinstance(records, Results) else Results("records", tuple(records))
    found = boards_of(results, cost=cost)
    if reference is not None and not results.boards:  # a results.json holds them already
        found = [with_published(board, reference, results.records) for board in found]
    return render(found, format, title=title, description=description)
