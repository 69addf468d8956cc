"""Columns of numbers for the package siunitx, which aligns them at the decimal point."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from harness.boards.render.table import MARKS, TableCell

_NUMBER: Final = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?")
_SPREAD: Final = re.compile(r" ± (\d+)(?:\.(\d+))?")


def number_column(cells: Sequence[TableCell], escaped: Callable[[str], str]) -> str:
    """The declaration of a column with room for its numbers and marks; empty where it has no number.

    Args:
        cells: of the column.
        escaped: text as LaTeX prints it.
    """
    numbers = [(cell, found) for cell in cells if (found := _NUMBER.fullmatch(cell.text))]
    if not numbers:
        return ""
    sign = "-" if any(found[1] for _, found in numbers) else ""
    whole = max(len(found[2].replace(",", "")) for _, found in numbers)
    places = max(len(found[3] or "") for _, found in numbers)
    spreads = [found for cell, _ in numbers if (found := _SPREAD.fullmatch(cell.spread))]
    digits = max((len(found[1] + (found[2] or "")) for found in spreads), default=0)
    room = f"{sign}{whole}.{places}{'(' + str(digits) + ')' if digits else ''}"
    marks = max((_marks(cell) for cell, _ in numbers), key=len)
    after = f",table-space-text-post={{{escaped(marks)}}}" if marks else ""
    return f"S[table-format={room}{after}]"


def number_cell(cell: TableCell, escaped: Callable[[str], str]) -> str:
    """A cell of such a column; what is no number is text in braces."""
    found, spread = _NUMBER.fullmatch(cell.text), _SPREAD.fullmatch(cell.spread)
    if found is None or (cell.spread and spread is None):
        text = escaped(cell.text + cell.suffix)
        return f"{{{text}}}" if text else ""
    deviation = rf" \pm {cell.spread.removeprefix(' ± ')}" if spread else ""
    marks = f" {{{escaped(_marks(cell))}}}" if cell.marks else ""
    bold = r"\bfseries " if cell.best else ""
    return f"{bold}{cell.text.replace(',', '')}{deviation}{marks}"


def _marks(cell: TableCell) -> str:
    return "".join(MARKS[mark] for mark in cell.marks)
