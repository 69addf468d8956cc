"""A table before any format: plain text in cells, what is best, what is marked. Each format escapes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Align = Literal["left", "right"]
Mark = Literal["front", "cached", "contended", "doubtful", "imported"]
MARKS: Final[Mapping[Mark, str]] = {"cached": "ᶜ", "contended": "‡", "front": " ★", "doubtful": " ?", "imported": " †"}
NOTHING: Final = "–"


@dataclass(frozen=True)
class TableCell:
    """One cell.

    Attributes:
        text: what it says.
        best: whether it is the best of its column.
        spread: text behind the number, `` ± 0.20``.
        marks: of a cost: on the Pareto front, cached, measured beside other runs; of the headline: doubtful.
        number: unrounded; CSV writes it instead of the text.
    """

    text: str
    best: bool = False
    spread: str = ""
    marks: tuple[Mark, ...] = ()
    number: float | None = None

    @property
    def suffix(self) -> str:
        """What stands behind the text, never bold."""
        return self.spread + "".join(MARKS[mark] for mark in self.marks)


@dataclass(frozen=True)
class TableColumn:
    """Heading and side of a column."""

    title: str
    align: Align = "left"


@dataclass(frozen=True)
class Table:
    """Columns, rows, and the text around them.

    Attributes:
        columns: none for a list of notes without a grid.
        rows: cells, one a column.
        title: heading; none if empty.
        intro: a sentence above the grid; may be empty.
        notes: what is to be said of single rows.
        footer: sentences below.
        details: sentences for those who ask where the numbers come from; short formats leave them out.
        more: columns that the table does not show; short formats leave them out.
    """

    columns: tuple[TableColumn, ...] = ()
    rows: tuple[tuple[TableCell, ...], ...] = ()
    title: str = ""
    intro: str = ""
    notes: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    more: Table | None = None

    @property
    def details_title(self) -> str:
        """What the section is called that opens at a click; empty where there is none."""
        if self.more:
            return "Other columns, and where the numbers come from"
        return "Where the numbers come from" if self.details else ""


def make_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str | float | TableCell | None]],
    *,
    right: Iterable[str] = (),
    title: str = "",
    intro: str = "",
    notes: Iterable[str] = (),
    footer: Iterable[str] = (),
) -> Table:
    """A table of texts and numbers.

    Args:
        headers: of the columns.
        rows: texts, numbers (shown unrounded), finished cells, or None for an empty cell.
        right: headers of the columns that are aligned on the right.
        title: heading.
        intro: a sentence above.
        notes: on single rows.
        footer: sentences below.
    """
    sides = frozenset(right)
    return Table(
        columns=tuple(TableColumn(header, "right" if header in sides else "left") for header in headers),
        rows=tuple(tuple(map(_cell, row)) for row in rows),
        title=title,
        intro=intro,
        notes=tuple(notes),
        footer=tuple(footer),
    )


def _cell(value: str | float | TableCell | None) -> TableCell:
    if isinstance(value, TableCell):
        return value
    if isinstance(value, str) or value is None:
        return TableCell(value or "")
    return TableCell(str(value), number=value)
