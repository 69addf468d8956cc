"""Boards as markdown, CSV or JSON. Stable: the same records give the same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from tabulate import tabulate

from harness.errors import UnknownName, nearest
from harness.protocols import KINDS
from harness.report.board import Board, Cell, Column, Row

GENERATED: Final = "<!-- Written by `harness leaderboard`; changes made by hand are lost. -->"


def render(boards: Sequence[Board], format: str, *, title: str = "", description: str = "") -> str:
    """The boards in one of ``FORMATS``, ending in a newline. Raises ``UnknownName``."""
    if format not in FORMATS:
        raise UnknownName(f'unknown format "{format}"', fix=f"{nearest(format, FORMATS)} formats: {', '.join(FORMATS)}")
    return FORMATS[format](boards, title, description)


def _markdown(boards: Sequence[Board], title: str, description: str) -> str:
    parts = [GENERATED, f"# {_escape(title)}"] if title else []
    parts += [description.strip()] if description else []
    for board in boards:
        parts += [f"## {_escape(board.dataset)}", *_board_markdown(board)]
    for task in sorted({board.task for board in boards}):
        parts += _across([board for board in boards if board.task == task])
    return "\n\n".join(parts or ["No records."]) + "\n"


def _board_markdown(board: Board) -> list[str]:
    common = " · ".join(f"{kind} {_escape(name)}" for kind, name in board.common.items())
    numbers = _number_columns(board)
    headers = ["#", *board.kinds, *numbers, "runs"]
    lines = [
        [
            "" if row.rank is None else str(row.rank),
            *(_escape(row.labels[kind]) for kind in board.kinds),
            *(texts[position] for texts in numbers.values()),
            f"{row.runs}" if row.runs == row.expected else f"{row.runs} of {row.expected}",
        ]
        for position, row in enumerate(board.rows)
    ]
    align = ["right", *("left" for _ in board.kinds), *("right" for _ in numbers), "right"]
    # Else 64.30 would print as 64.3.
    table = tabulate(lines, headers, tablefmt="pipe", disable_numparse=True, colalign=align)
    notes = [f"- {_row_name(board, row)}: {_escape(note)}" for row in board.rows for note in row.notes]
    footer = " ".join(board.provenance)
    parts = [f"All rows: {common}."] if common else []
    return [*parts, table, *(["\n".join(notes)] if notes else []), f"<sub>{footer}</sub>"]


def _across(boards: Sequence[Board]) -> list[str]:
    """The rank of each method on every board of a task, and the mean of its ranks."""
    ranks: dict[str, dict[int, int]] = {}
    for number, board in enumerate(boards):
        for row in board.rows:
            name = " · ".join(
                {**board.common, **row.labels}[kind] for kind in KINDS if kind in {*board.common, *row.labels}
            )
            if row.rank is not None:
                ranks.setdefault(name, {})[number] = row.rank
    if len(boards) < 2 or not any(len(found) > 1 for found in ranks.values()):
        return []
    mean = {name: sum(found.values()) / len(found) for name, found in ranks.items()}
    lines = [
        [_escape(name), *(str(ranks[name].get(number, "–")) for number in range(len(boards))), f"{mean[name]:.2f}"]
        for name in sorted(ranks, key=lambda name: (-len(ranks[name]), mean[name], name))
    ]
    headers = ["method", *(_escape(board.dataset) for board in boards), "mean rank"]
    align = ["left", *("right" for _ in headers[1:])]
    table = tabulate(lines, headers, tablefmt="pipe", disable_numparse=True, colalign=align)
    return ["## Ranks across settings", table, "<sub>Methods that cannot be told apart share a rank.</sub>"]


def _number_columns(board: Board) -> dict[str, list[str]]:
    """Texts by heading; the interval of the first column stands beside it."""
    texts: dict[str, list[str]] = {}
    for column in board.columns:
        best = _best(board.rows, column)
        texts[column.title] = [_cell_markdown(row, column, best) for row in board.rows]
        if column is board.columns[0] and any(row.interval for row in board.rows):
            texts["95% interval"] = [_interval(row, column) for row in board.rows]
    return texts


def _interval(row: Row, column: Column) -> str:
    if row.interval is None:
        return "–"
    return " to ".join(f"{bound * column.scale:.1f}" for bound in row.interval)


def _row_name(board: Board, row: Row) -> str:
    return _escape(" · ".join(row.labels[kind] for kind in board.kinds))


def _cell_markdown(row: Row, column: Column, best: str) -> str:
    cell = row.cells[column.key]
    if cell is None and column.published:
        return ""
    if cell is None:
        return "failed" if any(note.startswith("failed") for note in row.notes) else "not run" if row.notes else "–"
    mean = _mean_text(cell, column)
    text = f"**{mean}**" if mean == best else mean
    return text if cell.std is None or column.is_cost else f"{text} ± {cell.std * column.scale:.{column.digits}f}"


def _best(rows: Sequence[Row], column: Column) -> str:
    cells = [cell for row in rows if (cell := row.cells[column.key]) is not None]
    if not cells or column.higher_is_better is None or len(rows) == 1:
        return ""
    choose = max if column.higher_is_better else min
    return _mean_text(choose(cells, key=lambda cell: cell.mean), column)


def _mean_text(cell: Cell, column: Column) -> str:
    return f"{cell.mean * column.scale:{'+' if column.signed else ''}.{column.digits}f}"


def _escape(text: str) -> str:
    """Text of a plugin or a spec must not become markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
    return re.sub(r"([\\`*_{}\[\]|#!~])", r"\\\1", text)


def _csv(boards: Sequence[Board], title: str, description: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for board in boards:
        columns = [(c.key, part) for c in board.columns for part in ("mean", "std")]
        writer.writerow(["dataset", "rank", *board.kinds, *(f"{key} {part}" for key, part in columns), "runs", "notes"])
        for row in board.rows:
            numbers = [_part(row.cells[key], part) for key, part in columns]
            labels = [_no_formula(row.labels[kind]) for kind in board.kinds]
            notes = _no_formula("; ".join(row.notes))
            writer.writerow([board.dataset, row.rank or "", *labels, *numbers, row.runs, notes])
    return out.getvalue()


def _no_formula(text: str) -> str:
    """Spreadsheets run cells that begin like a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _part(cell: Cell | None, part: str) -> float | str:
    value = getattr(cell, part) if cell else None
    return "" if value is None else value


def _json(boards: Sequence[Board], title: str, description: str) -> str:
    def plain(board: Board) -> Mapping[str, Any]:
        return {
            **{name: getattr(board, name) for name in _PLAIN},
            "rows": [asdict(row) for row in board.rows],
        }

    content = {"title": title, "boards": [plain(board) for board in boards]}
    return _on_one_line(json.dumps(content, indent=1, ensure_ascii=False)) + "\n"


_PLAIN: Final = ("task", "dataset", "kinds", "common", "provenance", "fingerprint", "protocol_id", "protocol")
_NUMBERS: Final = re.compile(r"\[\n\s*(-?\d[-+.\de]*(?:,\n\s*-?\d[-+.\de]*)*)\n\s*\]")


def _on_one_line(text: str) -> str:
    """Lists of numbers are lines, not columns: a changed row is a changed line in a diff."""
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)


FORMATS: Final[Mapping[str, Callable[[Sequence[Board], str, str], str]]] = {
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
}
