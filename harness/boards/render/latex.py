"""Tables for LaTeX with the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from harness.boards.render.siunitx import number_cell, number_column
from harness.boards.render.table import MARKS, Table, TableCell, TableColumn
from harness.core.text import blanked

_SHORT: Final = 28
"""Letters of a name that has one line; longer ones are broken."""
_METHOD: Final = r">{\raggedright\arraybackslash}p{%s\linewidth}"
"""A column of names, of a share of the line; they are broken between words."""

_SETUP: Final = r"\sisetup{separate-uncertainty,mode=match,reset-text-series=false,text-series-to-math=true}"

_ESCAPES: Final[Mapping[str, str]] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    '"': r"\textquotedbl{}",
    "-": "-{}",  # else two or three of them become a dash, and a cell may begin with what looks like a rule
    "[": "{[}",  # else an optional argument of the line break before it
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "–": "--",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "≠": r"$\neq$",
    "“": "``",
    "”": "''",
    MARKS["front"].strip(): r"$\star$",
    MARKS["cached"]: r"\textsuperscript{c}",
    MARKS["contended"]: r"$\ddagger$",
}


def latex_document(
    tables: Sequence[Table], title: str, command: str, *, wide: bool = False, siunitx: bool = False
) -> str:
    """One ``table`` environment for each, all text escaped. Needs ``array``, ``booktabs`` and ``graphicx``.

    A grid that is wider than its line is made smaller until it fits.

    Args:
        tables: in the order in which they are shown.
        title: of the document; part of the captions and labels.
        command: which command writes it, for a comment.
        wide: whether tables are as wide as both columns of a page (``table*``).
        siunitx: whether numbers are those of the package ``siunitx`` (version 3), aligned at the decimal point.
    """
    packages = f"array,booktabs,graphicx{',siunitx' if siunitx else ''}"
    head = [
        f"% Written by {command}; changes made by hand are lost.",
        rf"% Needs \usepackage{{{packages}}}, and textcomp before LaTeX 2020.",
    ]
    return "\n".join([*head, *(_table(table, title, wide, siunitx) for table in tables)]) + "\n"


def latex(text: str) -> str:
    """Text that LaTeX prints as it is; control characters are blanks."""
    return "".join(_ESCAPES.get(letter, letter) for letter in blanked(text))


def _table(table: Table, title: str, wide: bool, siunitx: bool) -> str:
    name, below = "table*" if wide else "table", " ".join([*(f"{note}." for note in table.notes), *table.footer])
    heading = ": ".join(dict.fromkeys(filter(None, [title, table.title])))
    return "\n".join(
        [
            rf"\begin{{{name}}}",
            r"\centering\footnotesize",
            rf"\caption{{{latex(' '.join(filter(None, [heading + '.', table.intro])))}}}",
            rf"\label{{tab:{_label(heading)}}}",
            r"\setlength{\tabcolsep}{4pt}",
            *([_SETUP] if siunitx else []),
            *_grid(table, _METHOD % ("0.55" if wide else "0.45"), siunitx),
            rf"\par\smallskip\parbox{{\linewidth}}{{\scriptsize\sloppy {latex(below)}}}",
            rf"\end{{{name}}}",
        ]
    )


def _grid(table: Table, names: str, siunitx: bool) -> list[str]:
    """The rows between rules, in a box that is scaled to the line where it is wider."""
    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    numbers = [number_column(cells, latex) if siunitx else "" for cells in columns]
    sides = [
        names if column.title == "method" and _is_long(cells) else declared or column.align[0]
        for column, cells, declared in zip(table.columns, columns, numbers, strict=True)
    ]
    head = [f"{{{_header(c)}}}" if declared else _header(c) for c, declared in zip(table.columns, numbers, strict=True)]
    body = [
        [number_cell(cell, latex) if declared else _cell(cell) for cell, declared in zip(row, numbers, strict=True)]
        for row in table.rows
    ]
    return [
        rf"\sbox0{{\begin{{tabular}}{{@{{}}{''.join(sides)}@{{}}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
        *(rf"{' & '.join(cells)} \\" for cells in body),
        r"\bottomrule",
        r"\end{tabular}}%",
        r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
    ]


def _is_long(cells: Sequence[TableCell]) -> bool:
    """Whether a cell of a column of names needs lines."""
    return max((len(cell.text) for cell in cells), default=0) > _SHORT


def _header(column: TableColumn) -> str:
    """A heading; one of several words stands in two lines, so that it is no wider than its numbers."""
    first, _, rest = column.title.partition(" ")
    if not rest or column.align == "left":
        return latex(column.title)
    return rf"\shortstack[r]{{{latex(first)}\\{latex(rest)}}}"


def _label(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "board"


def _cell(cell: TableCell) -> str:
    shown = rf"\textbf{{{latex(cell.text)}}}" if cell.best else latex(cell.text)
    return shown + latex(cell.suffix)
