"""Tables for LaTeX with the package booktabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from harness.boards.table import CACHED, CONTENDED, FRONT, Entry, Table

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
    FRONT: r"$\star$",
    CACHED: r"\textsuperscript{c}",
    CONTENDED: r"$\ddagger$",
}


def latex_document(given: Sequence[Table], title: str) -> str:
    """One ``table`` environment for each, all text escaped. Needs ``booktabs``, and ``textcomp`` before LaTeX 2020."""
    head = ["% Written by harness leaderboard; changes made by hand are lost.", r"% Needs \usepackage{booktabs}."]
    caption = f"{title}: " if title else ""
    return "\n".join([*head, *(_table(table, caption) for table in given)]) + "\n"


def latex(text: str) -> str:
    """Text that LaTeX prints as it is; control characters are blanks."""
    return "".join(_ESCAPES.get(letter, letter if letter.isprintable() else " ") for letter in text)


def _table(table: Table, caption: str) -> str:
    below = " ".join([*(f"{note}." for note in table.notes), *table.below])
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex(' '.join(filter(None, [caption + table.title + '.', table.above])))}}}",
            rf"\begin{{tabular}}{{{''.join(align[0] for align in table.align)}}}",
            r"\toprule",
            rf"{' & '.join(map(latex, table.headers))} \\",
            r"\midrule",
            *(rf"{' & '.join(map(_entry, row))} \\" for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip{{\footnotesize {latex(below)}}}",
            r"\end{table}",
        ]
    )


def _entry(entry: Entry) -> str:
    shown = rf"\textbf{{{latex(entry.text)}}}" if entry.strong else latex(entry.text)
    return shown + latex(entry.after)
