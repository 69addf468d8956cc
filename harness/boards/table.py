"""A board as text in rows and columns, before any format: what stands in a cell, what is best, what is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from harness.boards.across import Across
from harness.boards.board import Board, Cell, Column, Row, row_name

Align = Literal["left", "right"]
FRONT: Final = "★"
CACHED: Final = "ᶜ"
CONTENDED: Final = "‡"
NOTHING: Final = "–"
_LONGEST_REASON: Final = 40


@dataclass(frozen=True)
class Entry:
    """Plain text of one cell; a format escapes it.

    Attributes:
        text: what it says.
        strong: whether it is the best of its column.
        after: text behind, never strong: a deviation, marks.
    """

    text: str
    strong: bool = False
    after: str = ""


@dataclass(frozen=True)
class Table:
    """Title, rows and what stands below, all plain text.

    Attributes:
        title: heading.
        above: a sentence over the table, may be empty.
        headers: of the columns.
        align: of the columns.
        rows: entries, one a column.
        notes: what is to be said of single rows.
        below: sentences of the footer.
    """

    title: str
    above: str
    headers: tuple[str, ...]
    align: tuple[Align, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...]
    below: tuple[str, ...]


def board_table(board: Board) -> Table:
    """The table of a board."""
    columns: list[tuple[str, Align, list[Entry]]] = [("#", "right", [Entry(rank_text(row)) for row in board.rows])]
    columns += [(kind, "left", [Entry(row.labels.get(kind, "none")) for row in board.rows]) for kind in board.kinds]
    for column in board.columns:
        headline = column is board.columns[0]
        best = _best(board.rows, column)
        columns.append((column.title, "right", [_entry(row, column, best, headline) for row in board.rows]))
        if headline and any(row.interval for row in board.rows):
            columns.append(("95% interval", "right", [Entry(_interval(row, column)) for row in board.rows]))
    if not board.columns:
        columns.append(("result", "left", [Entry(_shortened(row.reason) or NOTHING) for row in board.rows]))
    columns.append(("runs", "right", [Entry(_runs(row)) for row in board.rows]))
    common = " · ".join(f"{kind} {name}" for kind, name in board.common.items())
    return Table(
        title=board.dataset,
        above=f"All rows: {common}." if common else "",
        headers=tuple(title for title, _, _ in columns),
        align=tuple(align for _, align, _ in columns),
        rows=tuple(zip(*(entries for _, _, entries in columns), strict=True)),
        notes=tuple(f"{row_name(row, board.kinds)}: {note}" for row in board.rows for note in row.notes),
        below=(*board.provenance, *_legend(board)),
    )


def across_table(found: Across) -> Table:
    """Ranks of methods over several boards, best mean first."""
    right: list[Align] = ["right"] * (len(found.boards) + 1)
    left_out = f" {found.left_out} methods that a setting lacks are left out." if found.left_out else ""
    return Table(
        title="Ranks across settings",
        above="",
        headers=("method", *found.boards, "mean rank"),
        align=("left", *right),
        rows=tuple(
            (Entry(name), *(Entry(f"{rank:g}") for rank in ranks), Entry(f"{mean:.2f}"))
            for name, ranks, mean in zip(found.methods, found.ranks.tolist(), found.mean.tolist(), strict=True)
        ),
        notes=(),
        below=(
            f"Ranks by the measured means among these methods, whether they differ or not.{left_out}",
            found.sentence,
        ),
    )


def rank_text(row: Row) -> str:
    """``3``, or ``2–5`` where the evidence leaves several ranks open."""
    if row.rank is None:
        return ""
    return f"{row.rank}" if row.rank_last in (None, row.rank) else f"{row.rank}–{row.rank_last}"


def _runs(row: Row) -> str:
    return f"{row.runs}" if row.runs == row.expected else f"{row.runs} of {row.expected}"


def _interval(row: Row, column: Column) -> str:
    if row.interval is None:
        return NOTHING
    return " to ".join(f"{bound * column.scale:.1f}" for bound in row.interval)


def _entry(row: Row, column: Column, best: str, headline: bool) -> Entry:
    """A number with what belongs to it; where the headline is missing, why."""
    cell = row.cells[column.key]
    if cell is None and column.published:
        return Entry("")
    if cell is None:
        return Entry(_shortened(row.reason) if headline and row.reason else NOTHING)
    text = column.shown(cell.mean)
    return Entry(text, text == best, _after(row, column, cell))


def _after(row: Row, column: Column, cell: Cell) -> str:
    if not column.is_cost:
        return "" if cell.std is None else f" ± {cell.std * column.scale:.{column.digits}f}"
    marks = (CACHED if cell.cached else "") + (CONTENDED if cell.contended else "")
    return marks + (f" {FRONT}" if column.key in row.front else "")


def _shortened(reason: str) -> str:
    reason = " ".join(reason.split())
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def _best(rows: Sequence[Row], column: Column) -> str:
    found = [cell.mean for row in rows if (cell := row.cells[column.key]) is not None]
    if not found or column.higher_is_better is None or len(rows) == 1:
        return ""
    return column.shown(max(found) if column.higher_is_better else min(found))


def _legend(board: Board) -> list[str]:
    """What the marks mean that stand in this table."""
    legend = []
    if any(row.front for row in board.rows):
        legend.append(f"{FRONT}: no other row is both better in {board.columns[0].title} and cheaper in this column.")
    cells = [cell for row in board.rows for cell in row.cells.values() if cell]
    if any(cell.contended for cell in cells):
        legend.append(f"{CONTENDED}: measured while other runs shared the machine.")
    if any(cell.cached for cell in cells):
        legend.append(
            f"{CACHED}: spent, at least in part, by an earlier run that shared the work; the cost of that time."
        )
    return legend
