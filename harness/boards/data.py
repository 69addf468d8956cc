"""Boards for programs: CSV for spreadsheets, JSON for the rest; numbers unrounded."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from harness.boards.across import Across, across
from harness.boards.board import Board, Cell, Row
from harness.boards.columns import Column
from harness.boards.statistics import Comparison
from harness.plugin_api import KINDS

_PLAIN: Final = ("task", "dataset", "kinds", "common", "provenance", "fingerprint", "protocol_id", "protocol")
_NUMBERS: Final = re.compile(r"\[\n\s*(-?\d[-+.\de]*(?:,\n\s*-?\d[-+.\de]*)*)\n\s*\]")


def boards_csv(boards: Sequence[Board]) -> str:
    """One table of all boards: a line a row, the columns of all of them."""
    found = {kind: None for board in boards for kind in (*board.kinds, *board.common)}
    kinds = [*(kind for kind in KINDS if kind in found), *(kind for kind in found if kind not in KINDS)]
    columns = list({column.key: column for board in boards for column in board.columns})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            *("task", "dataset", "rank", "rank last", *kinds),
            *(f"{key} {part}" for key in columns for part in ("mean", "std")),
            *("interval low", "interval high", "front", "cached", "runs", "expected", "notes"),
        ]
    )
    for board in boards:
        writer.writerows([_line(board, row, kinds, columns) for row in board.rows])
    return out.getvalue()


def _line(board: Board, row: Row, kinds: Sequence[str], columns: Sequence[str]) -> list[Any]:
    labels = {**board.common, **row.labels}
    low, high = row.interval or ("", "")
    cached = [key for key, cell in row.cells.items() if cell and cell.cached]
    return [
        *(board.task, no_formula(board.dataset), _known(row.rank), _known(row.rank_last)),
        *(no_formula(labels.get(kind, "none")) for kind in kinds),
        *(_part(row.cells.get(key), part) for key in columns for part in ("mean", "std")),
        *(low, high, " ".join(row.front), " ".join(cached), row.runs, row.expected, no_formula("; ".join(row.notes))),
    ]


def no_formula(text: str) -> str:
    """Spreadsheets run cells that begin like a formula, some after blanks; lines stay whole."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") and text.strip() else text


def _known(value: Any) -> Any:
    return "" if value is None else value


def _part(cell: Cell | None, part: str) -> Any:
    return _known(getattr(cell, part)) if cell else ""


def boards_json(boards: Sequence[Board], title: str, description: str) -> str:
    """Everything that the boards hold, keys in a fixed order."""
    content = {
        "title": title,
        "description": description,
        "boards": [_board(board) for board in boards],
        "across": [_across(found) for found in across(boards)],
    }
    text = _on_one_line(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
    # These letters stand in strings only; a page that embeds the text then cannot be left by it.
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text + "\n"


def _on_one_line(text: str) -> str:
    """Lists of numbers are lines, not columns: a changed row is a changed line in a diff."""
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)


def _board(board: Board) -> Mapping[str, Any]:
    return {
        **{name: getattr(board, name) for name in _PLAIN},
        "comparison": _comparison(board.comparison),
        "columns": [_column(column) for column in board.columns],
        "rows": [asdict(row) for row in board.rows],
    }


def _column(column: Column) -> Mapping[str, Any]:
    names = ("key", "title", "scale", "higher_is_better", "is_cost")
    # All else is known by the key, except of published columns.
    return {name: getattr(column, name) for name in (*names, *(("digits", "published", "signed") * column.published))}


def _comparison(comparison: Comparison | None) -> Mapping[str, Any] | None:
    if comparison is None:
        return None
    detectable = round(comparison.detectable, 6) if math.isfinite(comparison.detectable) else None
    return {
        **{name: getattr(comparison, name) for name in ("pairs", "methods", "tests", "test", "can_decide")},
        "detectable": detectable,
    }


def _across(found: Across) -> Mapping[str, Any]:
    return {
        **{
            name: getattr(found, name) for name in ("task", "boards", "methods", "left_out", "p", "critical", "why_not")
        },
        "ranks": found.ranks.tolist(),
        "mean": found.mean.tolist(),
    }
