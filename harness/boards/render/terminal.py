"""Tables for a terminal, by rich: they fit its width, and the best numbers are bold."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from harness.boards.render.table import MARKS, Table, TableCell, TableColumn
from harness.core.text import blanked

_GAP: Final = 3
"""Blanks between columns."""
_NAME: Final = 24
"""Letters of a name that a terminal should have room for."""


def terminal_document(tables: Sequence[Table], title: str, description: str, *, console: Console | None = None) -> str:
    """The tables with escape sequences for bold and faint, as wide as the terminal.

    Args:
        tables: in the order in which they are shown.
        title: heading; none if empty.
        description: text under it.
        console: which says how wide and how colourful; by default standard output's.
    """
    target = console or Console()
    text = io.StringIO()
    out = Console(file=text, width=target.width, force_terminal=target.is_terminal, no_color=True)
    if title:
        out.print(Text(title, style="bold"))
    if description:
        out.print(Text(" ".join(description.split())))
    for table in tables:
        _print(table, out)
    if not tables:
        out.print("No records.")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _print(table: Table, out: Console) -> None:
    if table.title:
        out.print(Text(f"\n{blanked(table.title)}", style="bold"))
    if table.intro:
        out.print(Text(blanked(table.intro)))
    shown = _fitting(table, out.width)
    if table.columns:
        out.print(_grid(table, shown))
    for note in table.notes:
        out.print(Padding(Text(f"- {blanked(note)}"), (0, 0, 0, 1)))
    if footer := _footer(table, shown):
        out.print(Text(blanked(" ".join(footer)), style="dim"))
    hidden = [*table.columns[shown:], *(table.more.columns if table.more else ())]
    titles = ", ".join(column.title for column in hidden if column.align == "right")
    if titles:
        out.print(Text(f"Not shown: {blanked(titles)} (--columns all, a wider terminal, or --out FILE).", style="dim"))


def _footer(table: Table, columns: int) -> list[str]:
    """The sentences below, without the meaning of marks that stand in no column that is shown."""
    marks = {mark for row in table.rows for cell in row for mark in cell.marks}
    visible = {mark for row in table.rows for cell in row[:columns] for mark in cell.marks}
    hidden = {MARKS[mark].strip() for mark in marks - visible}
    return [sentence for sentence in table.footer if sentence.partition(":")[0] not in hidden]


def _fitting(table: Table, width: int) -> int:
    """How many columns fit, from the left; names may be broken, numbers may not."""
    needed, count = 0, 0
    for place, column in enumerate(table.columns):
        natural = max([*map(len, _heading(column).split("\n")), *(len(_cell(row[place])) for row in table.rows)])
        needed += _GAP + (natural if column.align == "right" else min(natural, _NAME))
        if needed - _GAP <= width:
            count = place + 1
    return max(count, 1)


def _grid(table: Table, columns: int) -> Grid:
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for column in table.columns[:columns]:
        is_number = column.align == "right"
        least = None if is_number else _NAME // 2
        grid.add_column(
            Text(_heading(column)), justify=column.align, no_wrap=is_number, min_width=least, overflow="fold"
        )
    for row in table.rows:
        grid.add_row(*map(_cell, row[:columns]))
    return grid


def _heading(column: TableColumn) -> str:
    """Above numbers in two lines, if it has several words."""
    title = blanked(column.title)
    return title.replace(" ", "\n", 1) if column.align == "right" else title


def _cell(cell: TableCell) -> Text:
    return Text.assemble((blanked(cell.text), "bold" if cell.best else ""), blanked(cell.suffix))
