"""What the templates show: boards, rows, methods and runs as texts. Knows no HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.page.names import method_page, slug, unique
from harness.report.board import Board, Cell, Column, Row
from harness.runs.record import Record


@dataclass(frozen=True)
class Heading:
    """A column: its title, its group (``method``, ``quality``, ``cost``), and what a first click sorts to the top."""

    title: str
    group: str
    first: str
    """``ascending``, ``descending``; texts and costs ascend."""


@dataclass(frozen=True)
class Number:
    """A cell: the number, its spread over seeds, whether it is the best of its column; or why there is none."""

    text: str
    spread: str = ""
    best: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Whisker:
    """An interval as a picture: positions in percent of the widest interval of the board."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True)
class RowView:
    """One combination of methods."""

    rank: str
    labels: tuple[str, ...]
    name: str
    """The labels in one text."""
    rest: str
    """All labels but the first in one text: where there is no room for their columns."""
    href: str
    numbers: tuple[Number, ...]
    interval: str
    whisker: Whisker | None
    runs: str
    notes: tuple[str, ...]
    records: tuple[Record, ...] = field(repr=False)


@dataclass(frozen=True)
class BoardView:
    """One tab."""

    id: str
    title: str
    task: str
    common: tuple[tuple[str, str], ...]
    headings: tuple[Heading, ...]
    kinds: int
    """The first headings after the rank are kinds of method."""
    has_interval: bool
    rows: tuple[RowView, ...]
    provenance: tuple[str, ...]
    plots: tuple[tuple[str, bytes], ...]
    """What a picture shows, and the SVG."""
    board: Board = field(repr=False)


_PICTURES: Mapping[str, str] = {"curves": "Learning curves", "cost": "Quality against cost"}


def board_views(
    boards: Sequence[Board], records: Mapping[str, Record], plots: Sequence[Mapping[str, bytes]]
) -> list[BoardView]:
    """The boards as the page shows them.

    Args:
        boards: of ``harness.report``.
        records: all that stand in them, by id.
        plots: of each board its pictures, by file name.
    """
    ids = unique([slug(f"{board.dataset}", 50) or "board" for board in boards])
    return [_view(*each, records) for each in zip(boards, ids, plots, strict=True)]


def _view(board: Board, anchor: str, plots: Mapping[str, bytes], records: Mapping[str, Record]) -> BoardView:
    best = {column.key: _best(board.rows, column) for column in board.columns}
    bounds = [bound for row in board.rows if row.interval for bound in row.interval]
    return BoardView(
        id=f"board-{anchor}",
        title=board.dataset,
        task=board.task,
        common=tuple(board.common.items()),
        headings=_headings(board),
        kinds=len(board.kinds),
        has_interval=bool(bounds),
        rows=tuple(_row(board, row, best, bounds, records) for row in board.rows),
        provenance=board.provenance,
        plots=tuple((_caption(name), picture) for name, picture in plots.items()),
        board=board,
    )


def _headings(board: Board) -> tuple[Heading, ...]:
    kinds = [Heading(kind, "method", "ascending") for kind in board.kinds]
    numbers = [
        Heading(
            column.title,
            "cost" if column.is_cost else "quality",
            "descending" if column.higher_is_better else "ascending",
        )
        for column in board.columns
    ]
    return (*kinds, *numbers)


def _row(
    board: Board, row: Row, best: Mapping[str, str], bounds: Sequence[float], records: Mapping[str, Record]
) -> RowView:
    shown = tuple(row.labels[kind] for kind in board.kinds)
    scale = board.columns[0].scale if board.columns else 1.0
    found = tuple(records[run_id] for run_id in row.run_ids)
    return RowView(
        rank="" if row.rank is None else str(row.rank),
        labels=shown,
        name=_joined(shown) or "none",
        rest=_joined(shown[1:]),
        href=f"methods/{method_page(found[0])}",
        numbers=tuple(number(row.cells[column.key], column, best[column.key], row.notes) for column in board.columns),
        interval=" – ".join(f"{bound * scale:.1f}" for bound in row.interval) if row.interval else "–",
        whisker=_whisker(row, board.columns[0], bounds) if board.columns else None,
        runs=f"{row.runs}" if row.runs == row.expected else f"{row.runs} of {row.expected}",
        notes=row.notes,
        records=found,
    )


def _joined(labels: Sequence[str]) -> str:
    return " · ".join(label for label in labels if label != "none")


def number(cell: Cell | None, column: Column, best: str = "", notes: Sequence[str] = ()) -> Number:
    """A cell as text; without a value the first note says why."""
    if cell is None:
        reason = notes[0] if notes else ""
        word = reason.partition(":")[0]
        return Number("–" if not reason else word if word in ("failed", "timed out") else "not run", reason=reason)
    text = f"{cell.mean * column.scale:.{column.digits}f}"
    spread = "" if cell.std is None or column.is_cost else f"{cell.std * column.scale:.{column.digits}f}"
    return Number(text, spread, bool(best) and text == best)


def _best(rows: Sequence[Row], column: Column) -> str:
    cells = [cell for row in rows if (cell := row.cells[column.key]) is not None]
    if len(cells) < 2 or column.higher_is_better is None:
        return ""
    choose = max if column.higher_is_better else min
    return number(choose(cells, key=lambda cell: cell.mean), column).text


def _whisker(row: Row, column: Column, bounds: Sequence[float]) -> Whisker | None:
    cell = row.cells[column.key]
    if row.interval is None or cell is None:
        return None
    least, width = min(bounds), (max(bounds) - min(bounds)) or 1.0
    low, mid, high = (
        round(100 * (value - least) / width, 1) for value in (row.interval[0], cell.mean, row.interval[1])
    )
    return Whisker(low, mid, high)


def _caption(name: str) -> str:
    what = name.removesuffix(".svg").rpartition("-")[2]
    return _PICTURES.get(what, what.capitalize())


def value_text(value: Any) -> str:
    """A parameter, an option or a part of the environment in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {value_text(item)}" for key, item in sorted(value.items())) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value)) or "none"
    if value is None or value == "":
        return "none"
    return str(value)
