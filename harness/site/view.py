"""What the templates show of boards: headings, rows, pictures. Knows no HTML; the texts are those of every format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from harness.boards.across import Across
from harness.boards.board import Board, Row, parameters_sentence
from harness.boards.choice import ALL
from harness.boards.columns import Column
from harness.boards.full_supervision import reference_rows
from harness.boards.plots import plots, rank_plots
from harness.boards.render import csv_text
from harness.boards.render.table import Table, TableCell
from harness.boards.tables import across_table, board_table, data_table
from harness.bundles.people import Standing, recomputed_text
from harness.runs.record import Record
from harness.site.names import method_page, slug, unique

Group = Literal["rank", "method", "quality", "interval", "cost", "runs", "people"]

NUMBERS: Final = "numbers"
"""Folder of the page with the numbers of tables and pictures."""
_CAPTIONS: Final[Mapping[str, str]] = {
    "curves": "Learning curves",
    "cost": "Quality against cost",
    "intervals": "Intervals and rank intervals",
    "ranks": "Mean ranks",
}


@dataclass(frozen=True)
class Heading:
    """A column: its title, what it is, and the order in which a first click sorts it."""

    title: str
    group: Group
    first: Literal["ascending", "descending"]


@dataclass(frozen=True)
class Whisker:
    """An interval as a picture: positions in percent of the widest interval of the board."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True)
class RowView:
    """One combination of methods.

    Attributes:
        cells: texts, one a heading.
        name: the labels in one text.
        rest: all labels but the first, for screens without room for their columns.
        anchor: its id on the page of the boards.
        href: its page; empty for a row that was published elsewhere and has no runs.
        whisker: None without an interval.
        reason: why runs have no result; empty where all are done.
        notes: what is to be said of it.
        records: its runs by seed.
    """

    cells: tuple[TableCell, ...]
    name: str
    rest: str
    anchor: str
    href: str
    whisker: Whisker | None
    reason: str
    notes: tuple[str, ...]
    records: tuple[Record, ...] = field(repr=False)


@dataclass(frozen=True)
class Picture:
    """A picture of a tab: what it shows, its SVG, and the file of the page's folder that has its numbers as CSV."""

    caption: str
    image: bytes = field(repr=False)
    file: str
    numbers: bytes = field(repr=False)


@dataclass(frozen=True)
class BoardView:
    """One tab.

    Attributes:
        details: what stands folded below the footer.
        file: where all numbers of the table are, as CSV.
        people: run id -> who measured it and who did it again, where that is known.
    """

    id: str
    title: str
    task: str
    common: tuple[tuple[str, str], ...]
    parameters: str
    warnings: tuple[str, ...]
    headings: tuple[Heading, ...]
    rows: tuple[RowView, ...]
    footer: tuple[str, ...]
    details: tuple[str, ...]
    pictures: tuple[Picture, ...]
    columns: tuple[Column, ...]
    file: str
    numbers: bytes = field(repr=False)
    people: Mapping[str, Standing] = field(default_factory=dict)

    @property
    def costs(self) -> int:
        """Number of columns of cost."""
        return sum(heading.group == "cost" for heading in self.headings)


@dataclass(frozen=True)
class AcrossView:
    """Ranks over several boards of a task."""

    id: str
    title: str
    table: Table
    pictures: tuple[Picture, ...]


def board_views(
    boards: Sequence[Board], *, pictures: bool, people: Mapping[str, Standing] | None = None
) -> list[BoardView]:
    """The boards as the page shows them.

    Args:
        boards: of ``harness.boards``.
        pictures: whether to draw their pictures.
        people: run id -> who measured it and who did it again, where that is known.
    """
    ids = unique([slug(board.dataset, 50) or "board" for board in boards])
    views = [_view(board, anchor, pictures) for board, anchor in zip(boards, ids, strict=True)]
    return [_with_people(view, people or {}) for view in views]


def across_views(tables: Sequence[Across], *, pictures: bool) -> list[AcrossView]:
    """The tables of ranks over several boards."""
    views = []
    for one in tables:
        drawn = rank_plots([one], data=True) if pictures else {}
        name = f"ranks-{one.task}"
        views.append(AcrossView(name, f"Ranks, {one.task}", across_table(one), _pictures(drawn, name)))
    return views


def _view(board: Board, anchor: str, pictures: bool) -> BoardView:
    table = board_table(board, [ALL])
    headings = tuple(_headings(board, table))
    rows = (*board.rows, *reference_rows(board))
    bounds = [bound for row in board.rows if row.interval for bound in row.interval]
    drawn = plots([board], data=True) if pictures else {}
    return BoardView(
        id=f"board-{anchor}",
        title=board.dataset,
        task=board.task,
        common=tuple(board.common.items()),
        parameters=parameters_sentence(board),
        warnings=board.warnings,
        headings=headings,
        rows=tuple(
            _row(board, row, cells, bounds, f"board-{anchor}-{name}")
            for row, cells, name in zip(rows, table.rows, _anchors(board, rows), strict=True)
        ),
        footer=tuple(table.footer),
        details=tuple(table.details),
        pictures=_pictures(drawn, anchor),
        columns=board.columns,
        file=f"{NUMBERS}/{anchor}.csv",
        numbers=csv_text(data_table([board])).encode("utf-8", "replace"),
    )


def _with_people(view: BoardView, people: Mapping[str, Standing]) -> BoardView:
    """With who measured each row and who did its runs again, where that is known of any."""
    own = [[people[record.id] for record in row.records if record.id in people] for row in view.rows]
    if not any(own):
        return view
    added = [
        (TableCell(", ".join(sorted({name for one in runs for name in one.measured_by}))), TableCell(again))
        for runs in own
        for again in [recomputed_text(runs)]
    ]
    rows = tuple(replace(row, cells=(*row.cells, *cells)) for row, cells in zip(view.rows, added, strict=True))
    titles = ("measured by", "recomputed")
    headings = (*view.headings, *(Heading(title, "people", "ascending") for title in titles))
    runs = {one.run: one for runs in own for one in runs}
    return replace(view, headings=headings, rows=rows, people=runs)


def _headings(board: Board, table: Table) -> Iterator[Heading]:
    """The columns of the table of a board."""
    columns = {column.title: column for column in board.columns}
    for place, title in enumerate(column.title for column in table.columns):
        if place == 0:
            yield Heading(title, "rank", "ascending")
        elif place <= len(board.kinds):
            yield Heading(title, "method", "ascending")
        elif place == len(table.columns) - 1:
            yield Heading(title, "runs", "ascending")
        elif column := columns.get(title):
            group: Group = "cost" if column.is_cost else "quality"
            yield Heading(title, group, "descending" if column.higher_is_better else "ascending")
        else:
            yield Heading(title, "interval", "descending")


def _anchors(board: Board, rows: Sequence[Row]) -> list[str]:
    """Ids that stay when ranks change: of what the rows are called."""
    return unique([slug(_joined([row.labels.get(kind, "none") for kind in board.kinds]), 60) or "row" for row in rows])


def _row(board: Board, row: Row, cells: tuple[TableCell, ...], bounds: Sequence[float], anchor: str) -> RowView:
    labels = [row.labels.get(kind, "none") for kind in board.kinds]
    return RowView(
        cells=cells,
        name=_joined(labels) or "none",
        rest=_joined(labels[1:]),
        anchor=anchor,
        href=f"methods/{method_page(row.records[0])}" if row.records else "",
        whisker=_whisker(row, board.columns[0], bounds) if board.columns else None,
        reason=row.reason,
        notes=row.notes,
        records=row.records,
    )


def _joined(labels: Sequence[str]) -> str:
    return " · ".join(label for label in labels if label != "none")


def _whisker(row: Row, column: Column, bounds: Sequence[float]) -> Whisker | None:
    cell = row.cells[column.key]
    if row.interval is None or cell is None:
        return None
    least, width = min(bounds), (max(bounds) - min(bounds)) or 1.0
    low, mid, high = (
        round(100 * (value - least) / width, 1) for value in (row.interval[0], cell.mean, row.interval[1])
    )
    return Whisker(low, mid, high)


def _pictures(drawn: Mapping[str, bytes], anchor: str) -> tuple[Picture, ...]:
    """Pictures with their numbers of what was drawn, by the names of files."""
    names = [name.removesuffix(".svg") for name in drawn if name.endswith(".svg")]
    kinds = [name.rpartition("-")[2] for name in names]
    return tuple(
        Picture(
            _CAPTIONS.get(kind, kind.capitalize()),
            drawn[f"{name}.svg"],
            f"{NUMBERS}/{anchor}-{kind}.csv",
            drawn[f"{name}.csv"],
        )
        for name, kind in zip(names, kinds, strict=True)
    )


def value_text(value: Any, depth: int = 4) -> str:
    """A parameter, an option or a part of the environment in one line; deeper than ``depth`` is left out."""
    if isinstance(value, Mapping | list | tuple) and not depth:
        return "…"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {value_text(item, depth - 1)}" for key, item in sorted(value.items())) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item, depth - 1) for item in value) or "none"
    if value is None or value == "":
        return "none"
    return str(value)
