"""What the tables of boards show: for readers with marks and rounded numbers, for spreadsheets with all digits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from harness.boards.across import Across, across
from harness.boards.board import Board, Row, parameters_sentence, row_name
from harness.boards.choice import check_columns, chosen_columns, is_unmeasured
from harness.boards.columns import ALL_LABELS, FULL_SUPERVISION, Cell, Column
from harness.boards.footer import short_footer
from harness.boards.full_supervision import reference_rows
from harness.boards.names import short_names
from harness.boards.render.table import MARKS, NOTHING, Mark, Table, TableCell, TableColumn, make_table
from harness.runs.labels import SHOWN_KINDS, Method

_LONGEST_REASON: Final = 40


def all_tables(
    boards: Sequence[Board], columns: Sequence[str] = (), *, compact: bool = False, narrow: bool = False
) -> list[Table]:
    """The table of each board, then those of ranks over several boards.

    Args:
        boards: in the order in which they are shown.
        columns: that the tables show, by key or title, or ``all``; empty for what the boards say.
        compact: name the methods of a row in one column.
        narrow: show a column less where none are asked for.

    Raises:
        UnknownName: a column that no board has.
    """
    check_columns(boards, columns or [name for board in boards for name in board.shown])
    made = [board_table(board, columns, compact=compact, narrow=narrow) for board in boards]
    return [*made, *map(across_table, across(boards))]


def board_table(board: Board, columns: Sequence[str] = (), *, compact: bool = False, narrow: bool = False) -> Table:
    """The table of a board; what it does not show is in its details. The arguments are those of ``all_tables``."""
    references = reference_rows(board)
    there = [column for column in board.columns if not references or column.key != FULL_SUPERVISION]  # else twice
    shown = [column for column in chosen_columns(board, columns, narrow=narrow) if column in there]
    hidden = [column for column in there if column not in shown]
    common = " · ".join(f"{kind} {name}" for kind, name in board.common.items())
    intro = [*board.warnings, f"All rows: {common}." if common else "", parameters_sentence(board)]
    said = tuple(short_footer(board))
    rows = (*board.rows, *references)
    short = short_names(board.kinds, rows)
    names = short.names if compact else tuple(row_name(row, board.kinds) for row in rows)
    if compact and short.left_out:
        intro.append(f"Methods where a row names no other: {short.left_out}.")
    grid = [*_methods(board, rows, compact), *_numbers(board, rows, shown)]
    if not columns and is_unmeasured(board):
        hidden = []
    else:
        grid = [*_rank(rows), *grid, *_runs(board, rows, whole=not hidden)]
    return Table(
        *_grid(grid),
        title=board.dataset,
        intro=" ".join(filter(None, intro)),
        notes=tuple(_notes(board, names)),
        footer=(*said, *_legend(board, shown)),
        details=tuple(text for text in board.provenance if text not in said),
        more=_more(board, hidden, compact),
    )


def _more(board: Board, columns: Sequence[Column], compact: bool) -> Table | None:
    """The columns that a table does not show, in one of their own."""
    if not columns:
        return None
    grid = [*_methods(board, board.rows, compact), *_numbers(board, board.rows, columns)]
    return Table(*_grid(grid), footer=tuple(_legend(board, columns)))


def _notes(board: Board, names: Sequence[str]) -> Iterator[str]:
    """What is to be said of rows, whose ``names`` come first; once, where it is the same of all."""
    said = [(*row.notes, *row.doubts) for row in board.rows]
    if len(said) > 1 and len({*said}) == 1:
        yield from (f"All rows: {note}" for note in said[0])
        return
    yield from (f"{name}: {note}" for name, own in zip(names, said, strict=False) for note in own)


_Columns = Iterator[tuple[TableColumn, list[TableCell]]]


def _grid(
    columns: Sequence[tuple[TableColumn, list[TableCell]]],
) -> tuple[tuple[TableColumn, ...], tuple[tuple[TableCell, ...], ...]]:
    """Columns with their cells as columns and rows."""
    return tuple(column for column, _ in columns), tuple(zip(*(cells for _, cells in columns), strict=True))


def _rank(rows: Sequence[Row]) -> _Columns:
    yield TableColumn("#", "right"), [TableCell(_rank_text(row)) for row in rows]


def _methods(board: Board, rows: Sequence[Row], compact: bool) -> _Columns:
    if compact and board.kinds:
        yield TableColumn("method"), [TableCell(name) for name in short_names(board.kinds, rows).names]
        return
    for kind in board.kinds:
        yield TableColumn(kind), [TableCell(row.labels.get(kind, "none")) for row in rows]


def _numbers(board: Board, rows: Sequence[Row], columns: Sequence[Column]) -> _Columns:
    for column in columns:
        best, headline = _best(board.rows, column), column is board.columns[0]
        yield TableColumn(column.title, "right"), [_cell(row, column, best, headline) for row in rows]
        if headline and any(row.interval for row in rows):
            yield TableColumn("95% interval", "right"), [TableCell(_interval(row, column)) for row in rows]
        if headline and any(row.against for row in rows):
            yield TableColumn(f"against {board.baseline}", "right"), [_against(row, column) for row in rows]
    if not board.columns:
        yield TableColumn("result"), [TableCell(_shortened(row.reason) or NOTHING) for row in rows]


def _runs(board: Board, rows: Sequence[Row], *, whole: bool) -> _Columns:
    """How many runs a row has; left out of a short table where all rows have all of as many."""
    counts = {(row.runs, row.expected) for row in board.rows}
    if whole or len(counts) > 1 or any(done != expected for done, expected in counts):
        texts = (f"{row.runs}" if row.runs == row.expected else f"{row.runs} of {row.expected}" for row in rows)
        yield TableColumn("runs", "right"), [TableCell(text) for text in texts]


def across_table(ranks: Across) -> Table:
    """Ranks of methods over several boards, best mean first."""
    left_out = f" {ranks.left_out} methods that a setting lacks are left out." if ranks.left_out else ""
    lines = list(zip(ranks.methods, ranks.ranks.tolist(), ranks.mean.tolist(), strict=True))
    rows = [(name, *(f"{rank:g}" for rank in ranks_of), f"{mean:.2f}") for name, ranks_of, mean in lines]
    joint, headers = ranks.joint, ("method", *ranks.boards, "mean rank")
    if joint is not None:
        headers = (*headers, f"mean {joint.measure}", "#")
        tested = [
            (f"{mean:.2f}", f"{a}" if a == b else f"{a}–{b}")
            for mean, (a, b) in zip(joint.means, joint.ranks, strict=True)
        ]
        rows = [(*row, *cells) for row, cells in zip(rows, tested, strict=True)]
    return make_table(
        headers,
        rows,
        right=headers[1:],
        title="Ranks across settings",
        footer=(
            f"Ranks by the measured means among these methods, whether they differ or not.{left_out}",
            ranks.sentence,
            *([joint.sentence] if joint is not None else []),
        ),
    )


def data_table(boards: Sequence[Board]) -> Table:
    """One table of all boards for CSV: the columns of all of them, numbers unrounded."""
    names = {kind for board in boards for kind in (*board.kinds, *board.common)}
    kinds = [*(kind for kind in SHOWN_KINDS if kind in names), *sorted(names.difference(SHOWN_KINDS))]
    keys = list({column.key: None for board in boards for column in board.columns})
    headers = (
        *("task", "dataset", "rank", "rank last", *kinds),
        *(f"{kind} parameters" for kind in kinds),
        *("dataset parameters", "protocol"),
        *(f"{key} {part}" for key in keys for part in ("mean", "std")),
        *(
            "interval low",
            "interval high",
            "against baseline",
            "against p",
            "against",
            "front",
            "cached",
            "runs",
            "expected",
            "notes",
            "warnings",
        ),
    )
    return make_table(headers, [_data(board, row, kinds, keys) for board in boards for row in board.rows])


def _data(board: Board, row: Row, kinds: Sequence[str], keys: Sequence[str]) -> list[str | float | None]:
    labels = {**board.common, **row.labels}
    methods = row.methods or {}
    low, high = row.interval or (None, None)
    cached = [key for key, cell in row.cells.items() if cell and cell.cached]
    cells = [row.cells.get(key) for key in keys]
    return [
        *(board.task, board.dataset, row.rank, row.rank_last, *(labels.get(kind, "none") for kind in kinds)),
        *(_parameters(methods.get(kind)) for kind in kinds),
        *(_parameters(board.data), json.dumps(board.protocol, sort_keys=True, ensure_ascii=False)),
        *(number for cell in cells for number in ((cell.mean, cell.std) if cell else (None, None))),
        *(
            low,
            high,
            *((row.against.difference, row.against.p, row.against.standing) if row.against else (None, None, None)),
            " ".join(row.front),
            " ".join(cached),
            row.runs,
            row.expected,
            "; ".join((*row.notes, *row.doubts)),
            " ".join(board.warnings),
        ),
    ]


def _parameters(method: Method | None) -> str:
    """All of them as JSON; nothing where they are not known, or there is no method."""
    return json.dumps(method.parameters, sort_keys=True, ensure_ascii=False) if method else ""


def _rank_text(row: Row) -> str:
    """``3``, or the rank interval ``2–5``."""
    if row.rank is None:
        return ""
    return f"{row.rank}" if row.rank_last in (None, row.rank) else f"{row.rank}–{row.rank_last}"


def _interval(row: Row, column: Column) -> str:
    if row.interval is None:
        return NOTHING
    return " to ".join(f"{bound * column.scale:.1f}" for bound in row.interval)


def _against(row: Row, column: Column) -> TableCell:
    """``+3.21 better``; only the difference where it is not significant."""
    if row.against is None:
        return TableCell(NOTHING)
    standing = row.against.standing
    said = standing != "not significantly different"
    # Labels are tested by their logarithm, of which nobody reads a difference.
    number = f"{row.against.difference * column.scale + 0.0:+.2f}" if column.scale != 1 else ""
    words = standing if said or not number else ""
    return TableCell(" ".join(filter(None, [number, words])))


def _cell(row: Row, column: Column, best: str, headline: bool) -> TableCell:
    """A number with what belongs to it; where the headline is missing, why."""
    cell = row.cells.get(column.key)
    if cell is None and column.published:
        return TableCell("")
    if cell is None:
        return TableCell(_shortened(row.reason) if headline and row.reason else NOTHING)
    text = column.shown(cell.mean)
    if cell.reached is not None:
        return _labels_cell(cell, text, best)
    if column.is_cost:
        return TableCell(text, text == best, marks=_marks(row, column, cell))
    spread = "" if cell.std is None else f" ± {cell.std * column.scale:.{column.digits}f}"
    marks: list[Mark] = ["doubtful"] if headline and row.doubts else []
    marks += ["imported"] if headline and row.measured_by else []
    return TableCell(text, text == best, spread, tuple(marks))


def _labels_cell(cell: Cell, text: str, best: str) -> TableCell:
    """Labels to a target: the mean cut at the last number, and how many runs got there."""
    if cell.reached == 0:
        return TableCell(f"more than {text}")
    return TableCell(text, text == best, "" if cell.reached == cell.n else f" ({cell.reached} of {cell.n})")


def _marks(row: Row, column: Column, cell: Cell) -> tuple[Mark, ...]:
    marks: list[Mark] = ["cached"] if cell.cached else []
    marks += ["contended"] if cell.contended else []
    marks += ["front"] if column.key in row.front else []
    return tuple(marks)


def _shortened(reason: str) -> str:
    reason = " ".join(reason.split())
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def _best(rows: Sequence[Row], column: Column) -> str:
    means = [cell.mean for row in rows if (cell := row.cells.get(column.key)) is not None]
    if not means or column.higher_is_better is None or len(rows) == 1:
        return ""
    return column.shown(max(means) if column.higher_is_better else min(means))


def _legend(board: Board, columns: Sequence[Column]) -> list[str]:
    """What the marks mean that stand in these columns."""
    headline = board.columns[0].title if board.columns else ""
    has_headline = bool(columns) and columns[0] in board.columns[:1]
    others = sorted({name for row in board.rows for name in row.measured_by})
    meaning: dict[Mark, str] = {
        "imported": f"not measured here but imported; measured by {', '.join(others)}.",
        "doubtful": "what speaks against this number stands below the table.",
        "front": f"no other row is both better in {headline} and cheaper in this column.",
        "contended": "measured while other runs shared the machine.",
        "cached": "spent, at least in part, by an earlier run that shared the work; the cost of that time.",
    }
    cells = [cell for row in board.rows for column in columns if (cell := row.cells.get(column.key))]
    keys = {column.key for column in columns}
    shown = {
        "imported": has_headline and bool(others),
        "doubtful": has_headline and any(row.doubts for row in board.rows),
        "front": any(keys & {*row.front} for row in board.rows),
        "contended": any(cell.contended for cell in cells),
        "cached": any(cell.cached for cell in cells),
    }
    auc = any(column.key in ("area", "area-linear", "area_under_curve") for column in columns)
    meant = ["AUC: area under the budget curve, along the logarithm of the labels or their number."] if auc else []
    if has_headline and reference_rows(board):
        meant.append(f"{ALL_LABELS}: a model trained on all labels, for comparison; not ranked.")
    return [*meant, *(f"{MARKS[mark].strip()}: {text}" for mark, text in meaning.items() if shown[mark])]
