"""Tables as one HTML document without scripts, or as fragments for another page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from harness.boards.table import Entry, Table

_STYLE: Final = """\
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid #8884; }
thead th { border-bottom: 2px solid #888; }
.right { text-align: right; }
footer { font-size: .85rem; max-width: 75rem; }"""


def html_document(tables: Sequence[Table], title: str, description: str) -> str:
    """A document with all tables; the description stands as plain text."""
    head = [f"<h1>{text(title)}</h1>"] if title else []
    head += [f"<p>{text(part)}</p>" for part in description.split("\n\n") if part.strip()]
    body = [fragment(table) for table in tables] or ["<p>No records.</p>"]
    return "\n".join(
        [
            "<!doctype html>",
            "<!-- Written by harness leaderboard; changes made by hand are lost. -->",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{text(title or 'Leaderboard')}</title>",
            f"<style>\n{_STYLE}\n</style>",
            "</head>",
            "<body>",
            *head,
            *body,
            "</body>",
            "</html>",
            "",
        ]
    )


def fragment(table: Table) -> str:
    """One table with its heading and what stands above and below."""
    headers = "".join(
        f'<th scope="col"{_align(align)}>{text(header)}</th>'
        for header, align in zip(table.headers, table.align, strict=True)
    )
    return "\n".join(
        [
            "<section>",
            f"<h2>{text(table.title)}</h2>",
            *([f"<p>{text(table.above)}</p>"] if table.above else []),
            "<div><table>",
            f"<thead><tr>{headers}</tr></thead>",
            "<tbody>",
            *(f"<tr>{_cells(row, table)}</tr>" for row in table.rows),
            "</tbody>",
            "</table></div>",
            *(["<ul>", *(f"<li>{text(note)}</li>" for note in table.notes), "</ul>"] if table.notes else []),
            f"<footer>{text(' '.join(table.below))}</footer>",
            "</section>",
        ]
    )


def text(given: str) -> str:
    """Escaped for HTML, in an attribute too; control characters are blanks."""
    return escape("".join(letter if letter.isprintable() else " " for letter in given), quote=True)


def _cells(row: Sequence[Entry], table: Table) -> str:
    return "".join(f"<td{_align(a)}>{_entry(entry)}</td>" for entry, a in zip(row, table.align, strict=True))


def _entry(entry: Entry) -> str:
    shown = f"<strong>{text(entry.text)}</strong>" if entry.strong else text(entry.text)
    return shown + text(entry.after)


def _align(align: str) -> str:
    return ' class="right"' if align == "right" else ""
