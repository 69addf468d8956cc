"""Boards as the JSON of a ``results.json``, and back: a committed leaderboard is a board like one made of records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from harness.boards.across import Across, across
from harness.boards.board import Board, Row
from harness.boards.building import boards
from harness.boards.columns import Cell, Column, column_of
from harness.boards.verdicts import PairwiseTests
from harness.core.errors import DataDamaged
from harness.runs.results import Results

_BOARD: Final = (
    "task",
    "dataset",
    "kinds",
    "common",
    "provenance",
    "fingerprint",
    "protocol_id",
    "protocol",
    "protocol_non_default",
    "warnings",
    "baseline",
    "groups",
)
_ROW: Final = tuple(field.name for field in fields(Row) if field.name not in ("records", "methods", "against"))
_MEASURED_HERE: Final = tuple(name for name in _ROW if name != "measured_by")
_METHOD: Final = ("name", "parameters", "non_default")
_COLUMN: Final = ("key", "title", "scale", "higher_is_better", "is_cost")
_ACROSS: Final = ("task", "boards", "methods", "left_out", "p", "critical", "why_not")
_TESTS: Final = ("pairs", "methods", "tests", "test", "can_decide")
_LATER_TESTS: Final = ("level", "groups", "unlike", "looks")
"""Those that older versions did not write."""


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
        made = boards(results.records, cost=cost, design=results.design)
        return [replace(board, shown=results.columns) for board in made] if results.columns else made
    stored = read_boards(results)
    return stored if cost else list(map(_without_costs, stored))


def read_boards(results: Results) -> list[Board]:
    """The boards that a ``results.json`` holds, also one that an older version wrote. Raises ``DataDamaged``."""
    try:
        return list(map(_read_board, results.boards))
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # pydantic's are ValueErrors
        first = str(error).partition("\n")[0]
        reason = f"{results.name} is not the JSON of a leaderboard: {type(error).__name__}: {first}"
        raise DataDamaged(reason, fix="harness leaderboard --format json writes it") from error


def boards_content(boards: Sequence[Board], title: str, description: str) -> dict[str, Any]:
    """Everything that the boards hold but the records, keys in a fixed order."""
    return {
        "title": title,
        "description": description,
        "boards": [_board(board) for board in boards],
        "across": [_across(ranks) for ranks in across(boards)],
    }


def _board(board: Board) -> dict[str, Any]:
    return {
        **_named(board, _BOARD),
        **({"shown": board.shown} if board.shown else {}),
        "data": board.data and _named(board.data, _METHOD),
        "comparison": _tests(board.tests) if board.tests else None,
        "columns": [_column(column) for column in board.columns],
        "rows": [
            {
                **_named(row, _ROW if row.measured_by else _MEASURED_HERE),
                "methods": row.methods and {kind: _named(method, _METHOD) for kind, method in row.methods.items()},
                **({"against": vars(row.against)} if row.against else {}),
                "cells": {key: cell and _cell(cell) for key, cell in row.cells.items()},
            }
            for row in board.rows
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {name: value for name, value in vars(cell).items() if name != "reached" or value is not None}


def _named(value: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _column(column: Column) -> dict[str, Any]:
    # All else is known by the key, except of published columns.
    return _named(column, (*_COLUMN, *(("digits", "published", "signed") if column.published else ())))


def _tests(tests: PairwiseTests) -> dict[str, Any]:
    detectable = round(tests.detectable, 6) if math.isfinite(tests.detectable) else None
    correlation = None if math.isnan(tests.correlation) else round(tests.correlation, 6)
    return {**_named(tests, (*_TESTS, *_LATER_TESTS)), "detectable": detectable, "correlation": correlation}


def _across(ranks: Across) -> dict[str, Any]:
    joint = vars(ranks.joint) if ranks.joint else None
    return {**_named(ranks, _ACROSS), "ranks": ranks.ranks.tolist(), "mean": ranks.mean.tolist(), "joint": joint}


def _read_board(content: Mapping[str, Any]) -> Board:
    texts = {name: content[name] for name in (*_BOARD, "data", "shown") if name in content}
    board = _adapter().validate_python({**texts, "columns": (), "rows": content["rows"]})
    # The oldest files had no list of columns: the keys of the cells are in its order.
    first = board.rows[0].cells if board.rows else {}
    columns = content.get("columns") or [{"key": key, "title": key} for key in first]
    known = tuple(column_of(column["key"]) or Column(**column) for column in columns)
    for row in board.rows:
        for column in known:
            row.cells[column.key]  # a table needs each
    return replace(board, columns=known, tests=_read_tests(content.get("comparison")))


def _read_tests(content: Mapping[str, Any] | None) -> PairwiseTests | None:
    """What the ranks rest on; the ranks themselves stand in the rows."""
    if content is None:
        return None
    numbers = {name: content[name] for name in (*_TESTS, *_LATER_TESTS) if name not in _LATER_TESTS or name in content}
    detectable, correlation = content["detectable"], content.get("correlation")
    return PairwiseTests(
        ranks={},
        **numbers,
        detectable=math.nan if detectable is None else detectable,
        correlation=math.nan if correlation is None else correlation,
    )


def _without_costs(board: Board) -> Board:
    columns = tuple(column for column in board.columns if not column.is_cost)
    rows = [replace(row, cells={c.key: row.cells[c.key] for c in columns}, front=()) for row in board.rows]
    return replace(board, columns=columns, rows=tuple(rows))


@cache
def _adapter() -> TypeAdapter[Board]:
    return TypeAdapter(Board)
