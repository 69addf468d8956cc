"""Boards as markdown, HTML, LaTeX, CSV or JSON. Stable: the same records give the same bytes."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final

from harness.boards.across import across
from harness.boards.board import Board
from harness.boards.data import boards_csv, boards_json
from harness.boards.html import html_document
from harness.boards.latex import latex_document
from harness.boards.table import Align, Entry, Table, across_table, board_table
from harness.core.errors import UnknownName, nearest

FORMATS: Final = ("markdown", "html", "latex", "csv", "json")
GENERATED: Final = "Written by `harness leaderboard`; changes made by hand are lost."


_SPECIAL: Final = re.compile(r"[\\`*_{}\[\]|~&<>:#+-]|www")
"""Of texts without these nothing changes: most cells of a long table."""


def render(boards: Sequence[Board], format: str, *, title: str = "", description: str = "") -> str:
    """The boards in one of ``FORMATS``, ending in a newline. Raises ``UnknownName``."""
    if format == "csv":
        return boards_csv(boards)
    if format == "json":
        return boards_json(boards, title, description)
    return render_tables(all_tables(boards) if format in FORMATS else [], format, title=title, description=description)


def render_tables(tables: Sequence[Table], format: str, *, title: str = "", description: str = "") -> str:
    """Tables as ``markdown``, ``html`` or ``latex``. Raises ``UnknownName``."""
    if format not in FORMATS:
        raise UnknownName(f'unknown format "{format}"', fix=f"{nearest(format, FORMATS)} formats: {', '.join(FORMATS)}")
    if format == "html":
        return html_document(tables, title, description)
    return latex_document(tables, title) if format == "latex" else _markdown(tables, title, description)


def all_tables(boards: Sequence[Board]) -> list[Table]:
    """The table of each board, then those of ranks over several boards."""
    return [*map(board_table, boards), *map(across_table, across(boards))]


def _markdown(tables: Sequence[Table], title: str, description: str) -> str:
    parts = [f"<!-- {GENERATED} -->", f"# {escaped(title)}"] if title else []
    parts += [description.strip()] if description else []
    for table in tables:
        parts += _markdown_table(table)
    return "\n\n".join(parts or ["No records."]) + "\n"


def _markdown_table(table: Table) -> list[str]:
    headers = [escaped(header) for header in table.headers]
    rows = [[_markdown_entry(entry) for entry in row] for row in table.rows]
    text = _pipes(headers, rows, table.align)
    above = [escaped(table.above)] if table.above else []
    notes = ["\n".join(f"- {escaped(note)}" for note in table.notes)] if table.notes else []
    return [f"## {escaped(table.title)}", *above, text, *notes, f"<sub>{escaped(' '.join(table.below))}</sub>"]


def _pipes(headers: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[Align]) -> str:
    """A table of markdown as ``tabulate`` writes it, which takes ten times as long for thousands of rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(headers)
    widths = [max(len(header) + 2, *map(len, column), 0) for header, column in zip(headers, columns, strict=True)]
    rules = [
        f"{'-' * (width + 1)}:" if side == "right" else f":{'-' * (width + 1)}"
        for width, side in zip(widths, align, strict=True)
    ]
    cell = " | ".join(f"{{:{'>' if side == 'right' else '<'}{w}}}" for w, side in zip(widths, align, strict=True))
    lines = [f"| {cell} |".format(*row) for row in (headers, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(rules)}|", *lines[1:]])


def _markdown_entry(entry: Entry) -> str:
    text = f"**{escaped(entry.text)}**" if entry.strong else escaped(entry.text)
    return text + escaped(entry.after)


@functools.lru_cache(maxsize=65536)
def escaped(text: str) -> str:
    """Text of a plugin or a spec must not become markup."""
    if text.isprintable() and not _SPECIAL.search(text):
        return text
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", text)
    # A hash is a heading only at the beginning, an exclamation mark a picture only before a bracket, which is escaped.
    text = re.sub(r"^(\s*)([#+-])(?=\s|#)", r"\1\\\2", text)
    return re.sub(
        r"(?i)\b(https?:|www\.|mailto:)", lambda found: found[0].replace(":", "&#58;").replace(".", "&#46;"), text
    )
