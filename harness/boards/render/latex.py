"""Tables for LaTeX with the package booktabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from harness.boards.render.table import MARKS, Table, TableCell

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


def latex_document(tables: Sequence[Table], title: str, command: str) -> str:
    """One ``table`` environment for each, all text escaped. Needs ``booktabs``, and ``textcomp`` before LaTeX 2020."""
    head = [f"% Written by {command}; changes made by hand are lost.", r"% Needs \usepackage{booktabs}."]
    caption = f"{title}: " if title else ""
    return "\n".join([*head, *(_table(table, caption) for table in tables)]) + "\n"


def latex(text: str) -> str:
    """Text that LaTeX prints as it is; control characters are blanks."""
    return "".join(_ESCAPES.get(letter, letter if letter.isprintable() else " ") for letter in text)


def _table(table: Table, caption: str) -> str:
    below = " ".join([*(f"{note}." for note in table.notes), *table.footer])
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex(' '.join(filter(None, [caption + table.title + '.', table.intro])))}}}",
            rf"\begin{{tabular}}{{{''.join(column.align[0] for column in table.columns)}}}",
            r"\toprule",
            rf"{' & '.join(latex(column.title) for column in table.columns)} \\",
            r"\midrule",
            *(rf"{' & '.join(map(_cell, row))} \\" for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip{{\footnotesize {latex(below)}}}",
            r"\end{table}",
        ]
    )


def _cell(cell: TableCell) -> str:
    shown = rf"\textbf{{{latex(cell.text)}}}" if cell.best else latex(cell.text)
    return shown + latex(cell.suffix)
