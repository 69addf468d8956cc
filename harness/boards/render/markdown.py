"""Tables as Markdown, and as plain text through tabulate."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final

from harness.boards.render.table import Align, Table, TableCell
from harness.core.text import blanked

_SPECIAL: Final = re.compile(r"[\\`*_{}\[\]|~&<>:#+-]|www")
"""Of texts without these nothing changes: most cells of a long table."""
_ROOM: Final = 2
"""Blanks beside a heading, which keep a column as wide when a number gets a mark."""


def plain_text(table: Table) -> str:
    """The rows in columns below each other, headings above if there are any; no title, no footer."""
    from tabulate import tabulate  # with wcwidth, where that is installed: a twentieth of the time of a small board

    headers = [column.title for column in table.columns]
    rows = [[cell.text + cell.suffix for cell in row] for row in table.rows]
    text: str = tabulate(
        rows,
        headers if any(headers) else (),
        tablefmt="plain",
        disable_numparse=True,
        colalign=[column.align for column in table.columns] if rows else None,
        preserve_whitespace=True,
    )
    return text


def markdown_document(tables: Sequence[Table], title: str, description: str, command: str) -> str:
    """A document with all tables, names of plugins and specs escaped."""
    parts = [f"<!-- Written by `{command}`; changes made by hand are lost. -->"] if title and command else []
    parts += [f"# {escaped(title)}"] if title else []
    parts += [description.strip()] if description else []
    for table in tables:
        parts += _section(table)
    return "\n\n".join(parts or ["No records."]) + "\n"


def _section(table: Table) -> list[str]:
    parts = [f"## {escaped(table.title)}"] if table.title else []
    parts += [escaped(table.intro)] if table.intro else []
    parts += [_grid(table)] if table.columns else []
    parts += ["\n".join(f"- {escaped(note)}" for note in table.notes)] if table.notes else []
    return [*parts, *_below(table.footer), *_details(table)]


def _below(sentences: Sequence[str]) -> list[str]:
    return [f"<sub>{escaped(' '.join(sentences))}</sub>"] if sentences else []


def _details(table: Table) -> list[str]:
    """A section that opens at a click; ``markdown`` tells Python-Markdown that there is some inside."""
    more = [_grid(table.more), *_below(table.more.footer)] if table.more else []
    opened = [f'<details markdown="1"><summary>{table.details_title}</summary>']
    return [*opened, *more, *_below(table.details), "</details>"] if table.details_title else []


def _grid(table: Table) -> str:
    columns = [
        _column([escaped(column.title), *(_cell(row[i]) for row in table.rows)], column.align if table.rows else "left")
        for i, column in enumerate(table.columns)
    ]
    return "\n".join(f"|{'|'.join(line)}|" for line in zip(*columns, strict=True))


def _column(texts: Sequence[str], align: Align) -> list[str]:
    """Heading, rule and cells, each as wide as the longest counted in letters: how wide those look, fonts decide."""
    stripped = [text.strip() for text in texts]
    width = max(len(stripped[0]) + _ROOM, *map(len, stripped))
    if align == "right":
        rule, padded = "-" * (width + 1) + ":", [text.rjust(width) for text in stripped]
    else:
        rule, padded = ":" + "-" * (width + 1), [text.ljust(width) for text in stripped]
    heading, *cells = [f" {text} " for text in padded]
    return [heading, rule, *cells]


def _cell(cell: TableCell) -> str:
    text = f"**{escaped(cell.text)}**" if cell.best else escaped(cell.text)
    return text + escaped(cell.suffix)


@functools.lru_cache(maxsize=65536)
def escaped(text: str) -> str:
    """Text of a plugin or a spec must not become markup."""
    if text.isprintable() and not _SPECIAL.search(text):
        return text
    text = blanked(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", text)
    # A hash is a heading only at the beginning, an exclamation mark a picture only before a bracket, which is escaped.
    text = re.sub(r"^(\s*)([#+-])(?=\s|#)", r"\1\\\2", text)
    return re.sub(
        r"(?i)\b(https?:|www\.|mailto:)", lambda found: found[0].replace(":", "&#58;").replace(".", "&#46;"), text
    )
