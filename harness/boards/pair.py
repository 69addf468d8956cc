"""Two methods of a leaderboard side by side: the difference on each query or seed, as a table and as a picture."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.boards.board import Board, Row, row_name
from harness.boards.data import no_formula
from harness.boards.drawing import COLOURS, picture, plain
from harness.boards.formats import render_tables
from harness.boards.statistics import LEAST_UNITS, LEVEL, bootstrap_interval, paired_test
from harness.boards.table import NOTHING, Entry, Table
from harness.core.errors import UnknownName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN: Final = 3
"""Queries named on either side."""
_CANDIDATES: Final = 12


@dataclass(frozen=True)
class Difference:
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
        p: p-value of the paired randomisation test, of this pair alone.
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

    @property
    def values(self) -> list[float]:
        """A minus B on each unit."""
        return [x - y for x, y in zip(self.first, self.second, strict=True)]


def differences(boards: Sequence[Board], a: str, b: str) -> list[Difference]:
    """The difference of two methods on every board that has both.

    Args:
        boards: of ``harness.boards``.
        a: name of a row as tables show it, ``gem · pca``, or some of its words, enough to mean one row. Words that
            are all that a row is, but for ``none``, mean that row.
        b: the same of another row.

    Raises:
        UnknownName: no board has both, or a name could mean several rows.
    """
    found = []
    for board in boards:
        first, second = find_row(board, a), find_row(board, b)
        if first is not None and second is not None and (shared := sorted({*first.units} & {*second.units})):
            found.append(_difference(board, first, second, shared))
    if not found:
        names = [row_name(row, board.kinds) for board in boards for row in board.rows if row.values]
        raise UnknownName(f'no board has results of both "{a}" and "{b}"', fix=f"rows: {_listed(names)}")
    return found


def find_row(board: Board, wanted: str) -> Row | None:
    """The row that a name means, None if there is none. Raises ``UnknownName`` if it could mean several."""
    words = Counter(_words(wanted))
    names = {row_name(row, board.kinds): row for row in board.rows}
    if wanted in names:
        return names[wanted]
    fitting = {name: row for name, row in names.items() if words <= Counter(_words(name))}
    whole = {name: row for name, row in fitting.items() if not Counter(_words(name)) - words - Counter(none=99)}
    chosen = whole if len(whole) == 1 else fitting
    if len(chosen) > 1:
        raise UnknownName(
            f'"{wanted}" could mean {len(chosen)} rows of {board.dataset}', fix=f"one of: {_listed(list(chosen))}"
        )
    return next(iter(chosen.values()), None)


def render_differences(found: Sequence[Difference], format: str = "markdown") -> str:
    """The differences in a format of leaderboards; CSV and JSON hold every query. Raises ``UnknownName``."""
    if format == "json":
        return json.dumps([asdict(difference) for difference in found], indent=1, ensure_ascii=False) + "\n"
    if format == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["dataset", "unit", "number", "a", "b", "value a", "value b"])
        for d in found:
            names = [no_formula(d.dataset), d.unit]
            rows = zip(d.units, d.first, d.second, strict=True)
            writer.writerows([*names, unit, no_formula(d.a), no_formula(d.b), x, y] for unit, x, y in rows)
        return out.getvalue()
    return render_tables([difference_table(found)], format)


def difference_table(found: Sequence[Difference]) -> Table:
    """A line a board."""
    headers = ("dataset", "difference", "95% interval", "p", "A better", "equal", "B better")
    return Table(
        title=f"{found[0].a} against {found[0].b}",
        above=f"A: {found[0].a}. B: {found[0].b}. Differences are A minus B, in points of {found[0].metric}.",
        headers=headers,
        align=("left", "right", "right", "right", "right", "right", "right"),
        rows=tuple(_line(difference) for difference in found),
        notes=tuple(note for difference in found if (note := _extremes(difference))),
        below=(
            "p: paired randomisation test of this pair alone, not corrected for other pairs that one might have "
            f"chosen; below {LEVEL:g} the methods differ. Intervals: bootstrap, 95%; none from fewer than "
            f"{LEAST_UNITS} values.",
        ),
    )


def difference_plots(found: Sequence[Difference], images: Sequence[str] = ("svg",)) -> dict[str, bytes]:
    """File name -> picture of the differences on one board, sorted, with mean and interval."""
    pictures: dict[str, bytes] = {}
    for difference in found:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", difference.dataset)[:80].lstrip(".") or "board"
        name = f"{name}-difference" if f"{name}-difference.{images[0]}" not in pictures else f"{name}-{len(pictures)}"
        for image in images:
            pictures[f"{name}.{image}"] = picture(functools.partial(_draw, difference=difference), (6.4, 3.2), image)
    return pictures


def _difference(board: Board, a: Row, b: Row, shared: Sequence[int]) -> Difference:
    of_a, of_b = (dict(zip(row.units, row.values, strict=True)) for row in (a, b))
    first, second = (tuple(values[unit] for unit in shared) for values in (of_a, of_b))
    apart = np.subtract(first, second)
    low, high = bootstrap_interval(apart, np.random.default_rng(0))
    return Difference(
        dataset=board.dataset,
        metric=board.metric,
        a=row_name(a, board.kinds),
        b=row_name(b, board.kinds),
        unit="query" if board.task == "retrieval" else "seed",
        units=tuple(shared),
        first=first,
        second=second,
        mean=float(apart.mean()),
        interval=None if math.isnan(low) else (low, high),
        p=paired_test(first, second, np.random.default_rng(0)),
    )


def _line(difference: Difference) -> tuple[Entry, ...]:
    values = difference.values
    interval = difference.interval
    bounds = " to ".join(f"{100 * bound:+.1f}" for bound in interval) if interval else NOTHING
    counts = (sum(v > 0 for v in values), sum(v == 0 for v in values), sum(v < 0 for v in values))
    p = "< 0.001" if difference.p < 0.001 else f"{difference.p:.3f}"
    shown = (difference.dataset, f"{100 * difference.mean + 0.0:+.2f}", bounds, p, *map(str, counts))
    return tuple(Entry(text) for text in shown)


def _extremes(difference: Difference) -> str:
    """Where either is most ahead."""
    order = sorted(zip(difference.values, difference.units, strict=True))
    plural = "queries" if difference.unit == "query" else "seeds"
    behind = [f"{unit} ({100 * value:+.1f})" for value, unit in order[:_SHOWN] if value < 0]
    ahead = [f"{unit} ({100 * value:+.1f})" for value, unit in order[: -_SHOWN - 1 : -1] if value > 0]
    parts = [f"A is most ahead on {plural} {', '.join(ahead)}"] if ahead else []
    parts += [f"B is most ahead on {plural} {', '.join(behind)}"] if behind else []
    return f"{difference.dataset}: {'; '.join(parts)}" if parts else ""


def _draw(figure: Figure, difference: Difference) -> None:
    axes = figure.add_subplot()
    order = sorted(zip(difference.values, difference.units, strict=True))
    values = [100 * value for value, _ in order]
    places = range(1, len(values) + 1)
    colours = [COLOURS[0] if value > 0 else COLOURS[1] for value in values]
    # Hatched below zero: the side can be told in print without colours.
    for place, value, colour in zip(places, values, colours, strict=True):
        axes.bar(
            place, value, width=0.8, color=colour, hatch="" if value > 0 else "////", edgecolor="white", linewidth=0
        )
    mean = 100 * difference.mean
    axes.grid(axis="x", visible=False)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axhline(mean, color="black", linewidth=1, linestyle="--", label=f"mean {mean:+.1f}")
    if difference.interval is not None:
        low, high = (100 * bound for bound in difference.interval)
        axes.axhspan(
            low, high, color="#777777", alpha=0.25, linewidth=0, label=f"95% interval {low:+.1f} to {high:+.1f}"
        )
    plural = "queries" if difference.unit == "query" else "seeds"
    axes.set(xlabel=f"{len(values)} {plural}, sorted", ylabel=f"difference in points of\n{plain(difference.metric)}")
    if len(values) <= 20:
        axes.set_xticks(list(places), [str(unit) for _, unit in order])
    axes.set_title(
        f"{plain(difference.a)} (above 0)\nagainst {plain(difference.b)} (below 0), {plain(difference.dataset)}",
        fontsize=8,
    )
    axes.legend(loc="upper left", fontsize=7)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\s·,]+", name) if word]


def _listed(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _CANDIDATES} more" if len(unique) > _CANDIDATES else ""
    return "; ".join(f'"{name}"' for name in unique[:_CANDIDATES]) + more
