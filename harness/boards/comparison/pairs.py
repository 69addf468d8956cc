"""Two rows of one board against each other: the difference on each query or seed, as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from harness.boards.board import Board, Row, plural, row_name
from harness.boards.columns import accuracy_of
from harness.boards.evidence import Units
from harness.boards.leaderboards import FORMATS
from harness.boards.render import NOTHING, Table, check_format, csv_text, json_text, make_table, render_tables
from harness.boards.rows import find_row, listed_rows
from harness.boards.statistics import LEAST_UNITS
from harness.boards.verdicts import PAIRED, pair_p
from harness.core.errors import UnknownName
from harness.metrics.verdicts.paired import LEVEL

_TIE: Final = 1e-12
_SHOWN: Final = 3
"""Queries named on either side."""


@dataclass(frozen=True)
class RowDifference:
    """A minus B on one board, in the headline number.

    Attributes:
        dataset: label of the board.
        metric: what the headline number is.
        a: name of the first row.
        b: name of the second.
        unit: ``query`` or ``seed``.
        units: numbers of the queries or seeds that both have.
        first: value of A on each of them.
        second: value of B.
        mean: mean difference.
        interval: 95% interval of it, None from fewer than six.
        p: p-value of this pair alone: of the paired t-test over seeds, of joint flips of groups over queries.
        groups: group of each query; empty for seeds.
        doublings: whether values are minus the logarithm to base 2 of a number of labels, not shares.
    """

    dataset: str
    metric: str
    a: str
    b: str
    unit: str
    units: tuple[int, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    mean: float
    interval: tuple[float, float] | None
    p: float
    groups: tuple[int, ...] = ()
    doublings: bool = False

    @property
    def scale(self) -> float:
        """Factor for display."""
        return 1.0 if self.doublings else 100.0

    @property
    def measured_in(self) -> str:
        """The unit of the difference, for people."""
        return "doublings saved of" if self.doublings else "points of"

    @property
    def values(self) -> list[float]:
        """A minus B on each unit."""
        return [x - y for x, y in zip(self.first, self.second, strict=True)]


def differences(boards: Sequence[Board], a: str, b: str) -> list[RowDifference]:
    """The difference of two methods on every board that has both.

    Args:
        boards: of ``harness.boards``.
        a: name of a row as tables show it, ``gem · pca``, or some of its words, enough to mean one row. Words that
            are all that a row is, but for ``none``, mean that row.
        b: the same of another row.

    Raises:
        UnknownName: no board has both, both are one row, or a name could mean several.
    """
    found, same = [], ""
    for board in boards:
        first, second = find_row(board, a), find_row(board, b)
        if first is not None and first is second:
            same = row_name(first, board.kinds)
        elif first is not None and second is not None and (shared := sorted({*first.units} & {*second.units})):
            found.append(_difference(board, first, second, shared))
    if not found:
        names = [row_name(row, board.kinds) for board in boards for row in board.rows if row.values]
        reason = (
            f'"{a}" and "{b}" both mean the row {same}' if same else f'no board has results of both "{a}" and "{b}"'
        )
        raise UnknownName(reason, fix=f"rows: {listed_rows(names)}")
    return found


def render_differences(differences: Sequence[RowDifference], format: str = "markdown") -> str:
    """The differences in a format of leaderboards; CSV and JSON hold every query. Raises ``UnknownName``."""
    check_format(format, FORMATS)
    if format == "json":
        return json_text([asdict(difference) for difference in differences])
    if format == "csv":
        headers = ("dataset", "unit", "number", "a", "b", "value a", "value b")
        rows = [
            (d.dataset, d.unit, unit, d.a, d.b, x, y)
            for d in differences
            for unit, x, y in zip(d.units, d.first, d.second, strict=True)
        ]
        return csv_text(make_table(headers, rows))
    return render_tables([difference_table(differences)], format)


def difference_table(differences: Sequence[RowDifference]) -> Table:
    """A line a board."""
    a, b, metric = differences[0].a, differences[0].b, differences[0].metric
    numbers = ("difference", "95% interval", "p", "A better", "equal", "B better")
    return make_table(
        ("dataset", *numbers),
        map(_line, differences),
        right=numbers,
        title=f"{a} against {b}",
        intro=f"A: {a}. B: {b}. Differences are A minus B, in {differences[0].measured_in} {metric}.",
        notes=(note for difference in differences if (note := _extremes(difference))),
        footer=(
            f"p: {_test(differences)} of this pair alone, not corrected for other pairs that one might have chosen; "
            f"below {LEVEL:g} the methods differ significantly. Intervals: bootstrap, 95%; none from fewer than "
            f"{LEAST_UNITS} values or groups.",
        ),
    )


def _test(differences: Sequence[RowDifference]) -> str:
    """``paired t-test``; ``sign flips of groups of queries (24 groups among 70 queries)``."""
    if differences[0].unit == "seed":
        return PAIRED
    counts = (f"{len(set(d.groups))} groups among {len(d.units)} queries" for d in differences)
    return f"sign flips of groups of queries ({'; '.join(counts)})"


def _difference(board: Board, a: Row, b: Row, shared: Sequence[int]) -> RowDifference:
    of_a, of_b = (dict(zip(row.units, row.values, strict=True)) for row in (a, b))
    first, second = (tuple(values[unit] for unit in shared) for values in (of_a, of_b))
    by_unit = {name: dict(zip(shared, values, strict=True)) for name, values in (("a", first), ("b", second))}
    is_query = board.unit == "query"
    units = Units(by_unit, frozenset(shared), is_query, dict(enumerate(board.groups)))
    apart = np.subtract(first, second)
    (low, high), p = units.interval_of(apart), pair_p(units)
    return RowDifference(
        dataset=board.dataset,
        metric=board.metric,
        a=row_name(a, board.kinds),
        b=row_name(b, board.kinds),
        unit=board.unit,
        units=tuple(shared),
        first=first,
        second=second,
        mean=float(apart.mean()),
        interval=None if math.isnan(low) else (low, high),
        p=p,
        groups=tuple(units.group_numbers.tolist()) if is_query else (),
        doublings=accuracy_of(board.columns[0].key) is not None,
    )


def _line(difference: RowDifference) -> tuple[str, ...]:
    values, interval = difference.values, difference.interval
    bounds = " to ".join(f"{difference.scale * bound:+.1f}" for bound in interval) if interval else NOTHING
    counts = [_counts(values)]
    if difference.groups and len(set(difference.groups)) < len(values):
        counts.append(_counts([*_group_means(difference).values()]))
    shown = [f"{one} ({groups[0]})" if groups else f"{one}" for one, *groups in zip(*counts, strict=True)]
    p = "< 0.001" if difference.p < 0.001 else f"{difference.p:.3f}"
    return (difference.dataset, f"{difference.scale * difference.mean + 0.0:+.2f}", bounds, p, *shown)


def _counts(values: Sequence[float]) -> tuple[int, int, int]:
    """How often A is better, equal, worse."""
    return sum(v > _TIE for v in values), sum(abs(v) <= _TIE for v in values), sum(v < -_TIE for v in values)


def _group_means(difference: RowDifference) -> dict[int, float]:
    sums: dict[int, list[float]] = {}
    for group, value in zip(difference.groups, difference.values, strict=True):
        sums.setdefault(group, []).append(value)
    return {group: sum(values) / len(values) for group, values in sums.items()}


def _extremes(difference: RowDifference) -> str:
    """Where either is most ahead."""
    order = sorted(zip(difference.values, difference.units, strict=True))
    units = plural(difference.unit)
    behind = [f"{unit} ({difference.scale * value:+.1f})" for value, unit in order[:_SHOWN] if value < 0]
    ahead = [f"{unit} ({difference.scale * value:+.1f})" for value, unit in order[: -_SHOWN - 1 : -1] if value > 0]
    parts = [f"A is most ahead on {units} {', '.join(ahead)}"] if ahead else []
    parts += [f"B is most ahead on {units} {', '.join(behind)}"] if behind else []
    return f"{difference.dataset}: {'; '.join(parts)}" if parts else ""
