"""One renderer for each format: text, Markdown, HTML, LaTeX, CSV and JSON. The same tables give the same bytes.

A renderer, and the package that it uses, is loaded when its format is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.boards.render.data import csv_text, json_text
from harness.boards.render.html import Shown, html_document
from harness.boards.render.table import NOTHING, Table, TableCell, TableColumn, make_table
from harness.core.errors import UnknownName, nearest

__all__ = [
    "DOCUMENTS",
    "LATEX",
    "NOTHING",
    "Shown",
    "Table",
    "TableCell",
    "TableColumn",
    "check_format",
    "csv_text",
    "json_text",
    "make_table",
    "render_tables",
]

LATEX: Final = ("latex", "latex-wide", "latex-siunitx", "latex-wide-siunitx")
DOCUMENTS: Final = ("markdown", "terminal", "html", *LATEX)
"""Formats for reading; CSV and JSON hold more than a table shows and are made from data."""


def render_tables(
    tables: Sequence[Table],
    format: str,
    *,
    title: str = "",
    description: str = "",
    command: str = "harness leaderboard",
) -> str:
    """Tables as one of ``DOCUMENTS``, ending in a newline.

    Args:
        tables: in the order in which they are shown.
        format: ``markdown``, ``terminal``, ``html``, ``latex``, or ``latex-wide`` for tables as wide as two columns;
            with ``-siunitx`` that package aligns their numbers.
        title: heading of the document; none if empty.
        description: text under the heading: Markdown in Markdown, plain in HTML.
        command: which command writes the document, for a comment in it; none if empty.

    Raises:
        UnknownName: no such format.
    """
    check_format(format, DOCUMENTS)
    if format == "html":
        return html_document(tables, title, description, command)
    if format in LATEX:
        from harness.boards.render.latex import latex_document

        return latex_document(tables, title, command, wide="wide" in format, siunitx="siunitx" in format)
    if format == "terminal":
        from harness.boards.render.terminal import terminal_document

        return terminal_document(tables, title, description)
    from harness.boards.render.markdown import markdown_document

    return markdown_document(tables, title, description, command)


def check_format(format: str, formats: Sequence[str]) -> None:
    """Raises ``UnknownName`` for a format that is not among ``formats``."""
    if format not in formats:
        raise UnknownName(f'unknown format "{format}"', fix=f"{nearest(format, formats)} formats: {', '.join(formats)}")
