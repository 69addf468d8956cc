"""``harness.leaderboard``: records, or boards, as a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from harness.boards.board import Board
from harness.boards.published import with_published
from harness.boards.reference import Reference
from harness.boards.render import DOCUMENTS, LATEX, Shown, check_format, csv_text, json_text, render_tables
from harness.boards.render.html import html_fragment
from harness.boards.stored import boards_content, boards_of
from harness.boards.tables import all_tables, data_table
from harness.runs.record import Record
from harness.runs.results import Results, results_of

FORMATS: Final = (*DOCUMENTS, "csv", "json")


def leaderboard(
    records: Results | Iterable[Record],
    *,
    format: str = "markdown",
    title: str = "",
    description: str = "",
    cost: bool = True,
    reference: Reference | None = None,
    columns: Sequence[str] = (),
) -> str:
    """Records as a leaderboard: one table per dataset, best method first.

    A notebook shows the tables, whichever of the formats for reading the text has.

    Args:
        records: of one or more runs, those of several seeds are averaged; or what ``harness.find_results`` found.
        format: ``markdown``, ``terminal``, ``html``, ``latex``, ``latex-wide``, either with ``-siunitx``, ``csv``
            or ``json``.
        title: heading of the document; none if empty.
        description: text under the heading; markdown in markdown, plain in HTML.
        cost: whether to show time and memory, which differ from run to run.
        reference: published numbers, to stand beside what was measured with the difference.
        columns: that tables show beside the first, by key or title (``map_hard``, ``ms/query``), or ``all``; empty for
            those that the spec names, or a few that fit. CSV and JSON hold all.

    Raises:
        NotComparable: records of one dataset were measured by different protocols or on different data.
        UnknownName: no such format, or a column that no board has.
        SpecError: a path in place of records.
    """
    measured = boards_of(results_of(records), cost=cost)
    if reference is not None:
        measured = [with_published(board, reference) for board in measured]
    text = render_boards(measured, format, title=title, description=description, columns=columns)
    if format not in ("markdown", "terminal", "html"):
        return text
    return Shown(text, lambda: html_fragment(all_tables(measured, columns), title, description))


def render_boards(
    boards: Sequence[Board], format: str, *, title: str = "", description: str = "", columns: Sequence[str] = ()
) -> str:
    """The boards in one of ``FORMATS``, ending in a newline. Raises ``UnknownName``."""
    check_format(format, FORMATS)
    if format == "csv":
        return csv_text(data_table(boards))
    if format == "json":
        return json_text(boards_content(boards, title, description))
    tables = all_tables(
        boards, columns, compact=format in (*LATEX, "terminal"), narrow=format in ("latex", "latex-siunitx")
    )
    return render_tables(tables, format, title=title, description=description)
