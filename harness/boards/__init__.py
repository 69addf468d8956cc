"""Leaderboards: views over records. Nothing here loads torch or looks at anything but records."""

from __future__ import annotations

from collections.abc import Iterable

from harness.boards.board import Board, boards
from harness.boards.formats import FORMATS, render
from harness.boards.published import with_published
from harness.boards.reference import Reference, read_reference
from harness.runs.record import Record

__all__ = ["FORMATS", "Board", "Reference", "boards", "leaderboard", "read_reference", "render", "with_published"]


def leaderboard(
    records: Iterable[Record],
    *,
    format: str = "markdown",
    title: str = "",
    description: str = "",
    cost: bool = True,
    reference: Reference | None = None,
) -> str:
    """Records as a leaderboard: one table per dataset, best method first.

    Args:
        records: of one or more runs; those of several seeds are averaged.
        format: ``markdown``, ``html``, ``latex``, ``csv`` or ``json``.
        title: heading of the document; none if empty.
        description: text under the heading; markdown in markdown, plain in HTML.
        cost: whether to show time and memory, which differ from run to run.
        reference: published numbers, to stand beside what was measured with the difference.

    Raises:
        NotComparable: records of one dataset were measured by different protocols or on different data.
        UnknownName: no such format.
    """
    records = list(records)
    found = boards(records, cost=cost)
    if reference is not None:
        found = [with_published(board, reference, records) for board in found]
    return render(found, format, title=title, description=description)
