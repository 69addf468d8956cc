"""Boards of whatever a TARGET names: made of records, or read from a ``results.json`` where there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from harness.boards.board import Board, boards
from harness.boards.columns import Column, known_column
from harness.boards.statistics import Comparison
from harness.core.errors import DataDamaged
from harness.runs.results import Results

_TEXTS: Final = ("task", "dataset", "kinds", "common", "provenance", "fingerprint", "protocol_id", "protocol")


def boards_of(results: Results, *, cost: bool = True) -> list[Board]:
    """The boards of results: of their records, or those that a ``results.json`` holds.

    Args:
        results: what ``harness.find_results`` found.
        cost: whether to show time and memory.

    Raises:
        NotComparable: records of one board were measured by different protocols or on different data.
        DataDamaged: a ``results.json`` is not what ``harness leaderboard --format json`` writes.
    """
    if not results.boards:
        return boards(results.records, cost=cost)
    try:
        found = [_board(content) for content in results.boards]
        return found if cost else [_without_costs(board) for board in found]
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # pydantic's are ValueErrors
        first = str(error).partition("\n")[0]
        reason = f"{results.name} is not the JSON of a leaderboard: {type(error).__name__}: {first}"
        raise DataDamaged(reason, fix="harness leaderboard --format json writes it") from error


def _board(content: Mapping[str, Any]) -> Board:
    texts = {name: content[name] for name in _TEXTS if name in content}
    board = _adapter().validate_python({**texts, "columns": (), "rows": content["rows"]})
    columns = tuple(known_column(column["key"]) or Column(**column) for column in content["columns"])
    for row in board.rows:
        for column in columns:
            row.cells[column.key]  # a table needs each
    return replace(board, columns=columns, comparison=_comparison(content.get("comparison")))


def _without_costs(board: Board) -> Board:
    columns = tuple(column for column in board.columns if not column.is_cost)
    rows = [replace(row, cells={c.key: row.cells[c.key] for c in columns}, front=()) for row in board.rows]
    return replace(board, columns=columns, rows=tuple(rows))


def _comparison(content: Mapping[str, Any] | None) -> Comparison | None:
    """What the ranks rest on; the ranks themselves stand in the rows."""
    if content is None:
        return None
    return Comparison(
        ranks={},
        pairs=content["pairs"],
        methods=content["methods"],
        tests=content["tests"],
        test=content["test"],
        detectable=math.nan if content["detectable"] is None else content["detectable"],
        smallest_p=0.0 if content["can_decide"] else 1.0,
    )


@cache
def _adapter() -> TypeAdapter[Board]:
    return TypeAdapter(Board)
