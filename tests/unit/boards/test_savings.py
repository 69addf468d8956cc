from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from harness.boards import boards
from harness.boards.plots import penalty_plot, saving_plots
from harness.boards.plots.styles import point_style
from harness.boards.render import render_tables
from harness.boards.savings import penalty_matrix, penalty_table, savings, savings_table
from harness.core.errors import SpecError
from harness.runs.design import Design


@pytest.fixture
def study(record):
    rng = np.random.default_rng(0)
    found = []
    for name, gain in (("random", 0.0), ("margin", 0.1), ("far", 0.5), ("poor", -0.2)):
        for seed in range(6):
            curve = {n: 0.4 + 0.1 * np.log2(n / 100) + gain + rng.normal(0, 0.005) for n in (100, 200, 300, 500)}
            metrics = {f"accuracy@{n}": float(np.clip(a, 0, 1)) for n, a in curve.items()}
            found.append(
                record(name, seed=seed, kind="acquisition", task="active-learning", metrics=metrics, details={})
            )
    return found


def test_ten_points_are_twice_the_labels(study):
    (found,) = savings(boards(study))
    assert found.reference == "random"
    at_100 = found.methods["margin"][0]
    assert at_100.equivalent == pytest.approx(200, rel=0.05)
    assert at_100.low < 200 < at_100.high
    assert at_100.saved == pytest.approx(100, abs=10)
    text = render_tables([savings_table(found)], "markdown")
    assert "labels that random needs" in text
    assert "more than 500 (500 or more)" in text
    assert "at most 100 (up to 100)" in text


def test_the_baseline_of_the_design_is_the_reference(study):
    (found,) = savings(boards(study, design=Design(baseline="poor")))
    assert found.reference == "poor"
    assert set(found.methods) == {"random", "margin", "far"}


def test_the_matrix_is_marked_as_no_verdict(study):
    matrix = penalty_matrix(boards(study))
    assert list(matrix.methods) == ["far", "margin", "random", "poor"]
    assert matrix.penalties.matrix[0, 1] == pytest.approx(1.0)
    text = render_tables([penalty_table(matrix)], "markdown")
    assert "no verdict" in text
    assert "first 5 seeds" in text


def test_pictures_of_savings_and_penalties(study):
    made = boards(study)
    first = saving_plots(savings(made), data=True) | penalty_plot(penalty_matrix(made), data=True)
    assert sorted(first) == ["penalties.csv", "penalties.svg", "set-savings.csv", "set-savings.svg"]
    assert all(image.startswith(b"<?xml") for name, image in first.items() if name.endswith(".svg"))
    header, *lines = csv.reader(io.StringIO(first["set-savings.csv"].decode()))
    assert header[:3] == ["method", "labels", "labels that random needs"]
    assert {line[-1] for line in lines} == {"above", "", "below"}


def test_a_method_has_the_colour_and_mark_of_its_board(study, monkeypatch):
    drawn = {}
    monkeypatch.setattr("harness.boards.plots.savings.legend", lambda figure, entries: drawn.update(entries))
    for ordered in (study, study[::-1]):  # ranks and the order of records do not count
        made = boards(ordered)
        saving_plots(savings(made), boards=made)
        styles = {row.labels["acquisition"]: point_style(made[0], row) for row in made[0].rows}
        for name in ("margin", "far", "poor"):
            assert {"color": drawn[name].get_color(), "marker": drawn[name].get_marker()} == styles[name]


def test_without_a_reference_it_is_said(study):
    others = [r for r in study if r.methods["acquisition"].name != "random"]
    with pytest.raises(SpecError, match="nothing to compute label savings from"):
        savings(boards(others))
    with pytest.raises(SpecError, match="nothing to count penalties from"):
        penalty_matrix(boards(others))


def test_methods_without_seeds_in_common_have_no_matrix(study):
    apart = [r if r.methods["acquisition"].name != "far" else r.model_copy(update={"seed": 9 + r.seed}) for r in study]
    with pytest.raises(SpecError, match="no two seeds have all methods"):
        penalty_matrix(boards(apart))
