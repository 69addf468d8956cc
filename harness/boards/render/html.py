"""Tables as one HTML document without scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final, Self

from harness.boards.render.table import Table, TableCell, TableColumn
from harness.core.text import blanked

_STYLE: Final = """\
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid #8884; }
thead th { border-bottom: 2px solid #888; }
.right { text-align: right; }
summary, footer { font-size: .85rem; max-width: 75rem; }"""

_FRAGMENT_STYLE: Final = """\
.harness-board > section > div, .harness-board details > div { overflow-x: auto; }
.harness-board table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.harness-board th, .harness-board td { padding: .25rem .6rem; text-align: left; white-space: nowrap; }
.harness-board .right { text-align: right; }
.harness-board summary, .harness-board footer { font-size: .85rem; max-width: 75rem; }"""

_DOCUMENT: Final = """\
<!doctype html>
<!-- Written by {command}; changes made by hand are lost. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def html_document(tables: Sequence[Table], title: str, description: str, command: str) -> str:
    """A document with all tables; the description stands as plain text."""
    body = _body(tables, title, description)
    return _DOCUMENT.format(command=command, title=text(title or "Leaderboard"), style=_STYLE, body=body)


def html_fragment(tables: Sequence[Table], title: str = "", description: str = "") -> str:
    """The same for a place in another document, whose style is kept out of the way of."""
    body = _body(tables, title, description)
    return f'<div class="harness-board">\n<style>\n{_FRAGMENT_STYLE}\n</style>\n{body}\n</div>'


def _body(tables: Sequence[Table], title: str, description: str) -> str:
    head = [f"<h1>{text(title)}</h1>"] if title else []
    head += [f"<p>{text(part)}</p>" for part in description.split("\n\n") if part.strip()]
    return "\n".join([*head, *([_section(table) for table in tables] or ["<p>No records.</p>"])])


class Shown(str):
    """Text that notebooks show as HTML.

    Args:
        text: the text itself.
        html: makes the HTML, when it is asked for.
    """

    _html: Callable[[], str]

    def __new__(cls, text: str, html: Callable[[], str]) -> Self:
        """The text, and what makes its HTML."""
        shown = super().__new__(cls, text)
        shown._html = html
        return shown

    def _repr_html_(self) -> str:
        return self._html()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # what makes the HTML holds records


def _section(table: Table) -> str:
    """One table with its heading and what stands above and below."""
    heading = [f"<h2>{text(table.title)}</h2>"] if table.title else []
    intro = [f"<p>{text(table.intro)}</p>"] if table.intro else []
    notes = ["<ul>", *(f"<li>{text(note)}</li>" for note in table.notes), "</ul>"] if table.notes else []
    below = [*_below(table.footer), *_details(table)]
    return "\n".join(
        ["<section>", *heading, *intro, *_grid(table, table.title or "table"), *notes, *below, "</section>"]
    )


def _below(sentences: Sequence[str]) -> list[str]:
    return [f"<footer>{text(' '.join(sentences))}</footer>"] if sentences else []


def _details(table: Table) -> list[str]:
    more = (
        [*_grid(table.more, f"other columns of {table.title or 'the table'}"), *_below(table.more.footer)]
        if table.more
        else []
    )
    opened = [f"<details><summary>{table.details_title}</summary>"]
    return [*opened, *more, *_below(table.details), "</details>"] if table.details_title else []


def _grid(table: Table, name: str) -> list[str]:
    """The rows, in a region that scrolls where they are wider, with the keys too."""
    if not table.columns:
        return []
    headers = "".join(f'<th scope="col"{_side(column)}>{text(column.title)}</th>' for column in table.columns)
    rows = [
        "".join(f"<td{_side(column)}>{_cell(cell)}</td>" for cell, column in zip(row, table.columns, strict=True))
        for row in table.rows
    ]
    return [
        f'<div tabindex="0" role="region" aria-label="{text(name)}"><table>',
        f"<thead><tr>{headers}</tr></thead>",
        "<tbody>",
        *(f"<tr>{row}</tr>" for row in rows),
        "</tbody>",
        "</table></div>",
    ]


def text(plain: str) -> str:
    """Escaped for HTML, in an attribute too; control characters are blanks."""
    return escape(blanked(plain), quote=True)


def _cell(cell: TableCell) -> str:
    shown = f"<strong>{text(cell.text)}</strong>" if cell.best else text(cell.text)
    return shown + text(cell.suffix)


def _side(column: TableColumn) -> str:
    return ' class="right"' if column.align == "right" else ""
