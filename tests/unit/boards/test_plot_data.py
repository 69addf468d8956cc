"""Pictures and tables of a board say the same: fronts, colours, and the data of each picture."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from test_plots import record

from harness.boards import boards
from harness.boards.plots import plots, styles
from harness.boards.plots.boards import _cost
from harness.boards.plots.canvas import plain_names
from harness.boards.plots.curves import draw_board
from harness.boards.plots.data import csv_bytes, curves_data
from harness.boards.plots.intervals import _in_lines, draw_intervals
from harness.boards.tables import board_table


@pytest.fixture(scope="module")
def board():
    """Ten methods: the slower, the better, but two that are beaten."""
    made = []
    for place in range(10):
        for seed in range(3):
            one = record(f"m{place}", seed)
            better = {name: value + place / 100 for name, value in one.metrics.items()}
            seconds = 0.01 * (10 if place in (2, 5) else 1 + place / 10)
            made.append(one.model_copy(update={"metrics": better, "figures": {"acquire_s": seconds}}))
    return boards(made)[0]


def drawn(draw, board):
    from matplotlib.figure import Figure

    figure = Figure()
    draw(figure, board)
    return figure


def starred(board):
    """Rows of the table that carry the mark of a front."""
    table = board_table(board, ["all"])
    costs = {column.title for column in board.columns if column.pareto}
    places = [place for place, column in enumerate(table.columns) if column.title in costs]
    name = [column.title for column in table.columns].index("acquisition")
    return {row[name].text for row in table.rows if any(row[place].suffix for place in places)}


def test_the_front_of_the_picture_is_that_of_the_table(board):
    figure = drawn(_cost, board)
    (line,) = figure.axes[0].get_lines()
    column = next(column for column in board.columns if column.pareto)
    on_front = [row for row in board.rows if column.key in row.front]
    assert {round(x, 9) for x in line.get_xdata()} == {
        round(row.cells[column.key].mean * column.scale, 9) for row in on_front
    }
    assert starred(board) == {row.labels["acquisition"] for row in on_front}
    assert 0 < len(on_front) < len(board.rows)


def test_a_row_has_one_colour_and_mark_in_all_pictures(board):
    from matplotlib.colors import to_hex

    curves, intervals = drawn(draw_board, board), drawn(draw_intervals, board)
    for place, row in enumerate(board.rows):
        style = styles.point_style(board, row)
        panel = next(axes for axes in curves.axes if axes.get_title() == row.labels["acquisition"])
        line = panel.get_lines()[-1]
        assert (to_hex(line.get_color()).upper(), line.get_marker()) == (style["color"], style["marker"])
        marks = [one for one in intervals.axes[0].get_lines() if one.get_linestyle() == "None"]
        assert (to_hex(marks[place].get_color()).upper(), marks[place].get_marker()) == (
            style["color"],
            style["marker"],
        )


def test_the_interval_of_an_accuracy_stays_between_none_and_all():
    measured = record("m", 0), record("m", 1)
    far = [
        one.model_copy(update={"metrics": dict.fromkeys(one.metrics, value)})
        for one, value in zip(measured, (0.3, 0.9), strict=True)
    ]
    (far_apart,) = boards(far)
    (band,) = drawn(draw_board, far_apart).axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0, 100)
    rows = list(csv.reader(io.StringIO(curves_data([far_apart]).decode())))
    assert {tuple(map(float, row[-2:])) for row in rows[1:]} == {(0.0, 100.0)}


def test_every_picture_has_its_data(board):
    files = plots([board], data=True)
    names = {name.rpartition(".")[0] for name in files if name.endswith(".svg")}
    assert {name.rpartition(".")[0] for name in files if name.endswith(".csv")} == names
    tables = {
        name: list(csv.reader(io.StringIO(text.decode()))) for name, text in files.items() if name.endswith("csv")
    }
    cost = tables["di-gits-cost.csv"]
    assert cost[0][0] == "method"
    assert {row[0] for row in cost[1:] if row[-1] == "1"} == starred(board)
    curves = tables["di-gits-curves.csv"]
    assert len(curves) == 1 + 10 * 3
    assert all(float(low) <= float(mean) <= float(high) for *_, mean, low, high in curves[1:])
    ranks = tables["di-gits-intervals.csv"]
    assert [row[0] for row in ranks[1:]] == [row.labels["acquisition"] for row in board.rows]
    assert all(int(first) <= int(last) for *_, first, last in ranks[1:])
    assert not [name for name in plots([board]) if name.endswith(".csv")]


def named(backbone, *others):
    """A record with methods of several kinds, whose names are long."""
    one = record("x", 0)
    kinds = ("backbone", "pooling", "whitening", "expansion")
    made = {
        kind: one.methods["acquisition"].model_copy(update={"kind": kind, "name": name})
        for kind, name in zip(kinds, (backbone, *others), strict=False)
        if name
    }
    return one.model_copy(update={"methods": made, "id": " ".join(map(str, (backbone, *others)))})


def test_long_names_are_told_apart_by_what_differs():
    network, usual = "a-network-with-a-long-name", "whitening-with-a-long-name"
    made = [named(network, pooling, usual) for pooling in ("gem", "mac", "spoc", "rmac", "crow")]
    made += [named(network, "gem", usual, expansion) for expansion in ("aqe", "dba", "alpha", "diffusion")]
    made += [named("another", "gem", usual), named(network, "gem", "")]
    board = boards(made, cost=False)[0]
    names = styles.picture_names(board, board.rows)
    assert names.left_out == f"\nwhere no other is named: {network} · {usual}"
    assert {*names.shown.values()} == {
        *("gem", "mac", "spoc", "rmac", "crow", "gem · aqe", "gem · dba", "gem · alpha", "gem · diffusion"),
        *("another · gem", "gem · no whitening"),
    }


def test_a_long_name_of_an_interval_stands_in_two_lines():
    parts = "a-network-of-30-letters-or-more", "a-pooling-of-30-letters-or-more"
    assert _in_lines(" · ".join(parts)) == f"{parts[0]} ·\n{parts[1]}"
    assert _in_lines("gem · pca") == "gem · pca"
    assert _in_lines("x" * 60) == "x" * 60


def test_a_picture_without_intervals_does_not_say_that_it_has_some(board):
    """Three seeds give none; the axis said 95% interval all the same."""

    def label(interval):
        figure = Figure()
        draw_intervals(figure, replace(board, rows=tuple(replace(row, interval=interval) for row in board.rows)))
        return figure.axes[0].get_xlabel()

    assert [label(interval) for interval in (None, (0.4, 0.6))] == ["AUC (log)", "AUC (log), 95% interval"]


def test_short_names_are_whole_and_those_that_would_be_cut_alike_are_numbered(board):
    labels = [styles.row_label(board, row) for row in board.rows]
    assert styles.picture_names(board, board.rows) == styles.PictureNames(dict(zip(labels, labels, strict=True)), "")
    alike = [f"{'a' * 40}{middle}{'b' * 40}" for middle in "xyx"]
    first, second, again = plain_names(alike)
    assert first != second
    assert first == again


def test_a_name_is_no_formula_of_a_spreadsheet():
    assert csv_bytes(["a"], [["=1+1"], ["gem"], [-1.5]]) == b"a\n'=1+1\ngem\n-1.5\n"
