from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest

from harness.boards.agreement import agreement_data, agreement_tables, summary
from harness.boards.plots import agreement_plots
from harness.boards.plots.canvas import COLOURS
from harness.boards.render import render_tables
from harness.metrics.selections import Comparison

NAMES = ("agree", "agree_weighted", "unreached", "accuracy", "accuracy_reference", "accuracy_equal")
NAMES += ("accuracy_unequal", "accuracy_unequal_reference", "weight_equal", "weight_unequal")
NAMES += ("overlap", "jaccard", "spearman", "kendall")


def comparison(seed=0, cycle=0, how="order of its picks", **values):
    ranks = np.random.default_rng(seed).permutation(20).reshape(2, 10)
    given = {**dict.fromkeys(NAMES, 0.5), **values}
    return Comparison(seed, cycle, 10 * (cycle + 1), 20, given, ranks, ("order of its picks", how))


COMPARED = {
    "coreset": [comparison(s, c, agree=0.8 + 0.05 * s, spearman=-0.001) for s in range(3) for c in range(2)],
    "$\\x$<b>|": [comparison(s, c, how="a score", accuracy_unequal=math.nan) for s in range(3) for c in range(2)],
}


def markdown(*arguments, **options):
    return render_tables(agreement_tables(*arguments, **options), "markdown")


def cells(text, label):
    """The rows of an acquisition in both tables: column -> text."""
    rows = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
        rows += [dict(zip(lines[0], line, strict=True)) for line in lines[2:] if line[2] == label]
    return rows


def test_a_row_holds_mean_and_deviation_over_the_seeds():
    text = markdown("digits", "entropy", COMPARED)
    first, second, *picks = cells(text, "coreset")
    assert (first["cycle"], first["labels"], second["cycle"], second["labels"]) == ("0", "10", "1", "20")
    assert first["agree %"] == "85.00 ± 5.00"
    assert first["weight ="] == "0.50 ± 0.00"
    assert picks[0]["overlap %"] == "50.00 ± 0.00"
    assert picks[0]["Spearman"] == "0.00 ± 0.00"  # not -0.00
    assert "3 seeds" in text
    assert text.count("<sub>") == 2
    assert "that neither acquired" in text
    assert "that neither acquired" not in markdown("digits", "entropy", COMPARED, unlabelled=True)


def test_what_is_not_defined_is_a_dash_and_names_are_no_markup():
    text = markdown("a|b", "entropy", COMPARED)
    rows = cells(text, "$\\\\x$&lt;b&gt;\\|")
    assert rows[0]["accuracy ≠"] == "–"
    assert "<b>" not in text
    assert "## a\\|b: pseudo-labels" in text
    assert "a score ($" in text


def test_one_seed_has_no_deviation():
    text = markdown("digits", "entropy", {"coreset": [comparison(agree=0.25)]})
    assert cells(text, "coreset")[0]["agree %"] == "25.00"
    assert "1 seed." in text


def test_json_holds_every_seed():
    data = agreement_data("digits", "entropy", COMPARED)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    row = data["rows"][0]
    assert (row["acquisition"], row["cycle"], row["labels"], row["seeds"]) == ("coreset", 0, 10, [0, 1, 2])
    assert row["measured"]["agree"]["values"] == pytest.approx([0.8, 0.85, 0.9])
    assert row["measured"]["agree"]["std"] == pytest.approx(0.05)
    assert data["rows"][1]["measured"]["accuracy_unequal"] == {"mean": None, "std": None, "values": [None] * 3}


def test_mean_and_deviation():
    assert summary([1.0, None, 2.0, 3.0]) == (2.0, 1.0)
    assert summary([1.0]) == (1.0, None)
    assert summary([None]) == (None, None)


def scatter(compared, images=("svg",), **options):
    return agreement_plots("digits", "entropy", compared, "digits", images, **options)


def test_the_scatter_has_the_same_bytes_and_reads_no_formula():
    pictures = scatter(COMPARED)
    assert list(pictures) == ["digits-ranks.svg"]
    assert pictures["digits-ranks.svg"].startswith(b"<?xml")
    assert pictures == scatter(COMPARED)
    assert b"<b>" not in pictures["digits-ranks.svg"]


def test_every_point_of_the_first_seed_is_drawn_and_is_in_its_data(monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    real = Axes.scatter
    monkeypatch.setattr(Axes, "scatter", lambda self, x, y, **k: drawn.append((x, y)) or real(self, x, y, **k))
    files = scatter(COMPARED, data=True)
    expected = [c.ranks for found in COMPARED.values() for c in found if c.seed == 0]
    assert len(drawn) == 4
    assert all(np.array_equal(points, ranks) for points, ranks in zip(drawn, expected, strict=True))
    header, *lines = csv.reader(io.StringIO(files["digits-ranks.csv"].decode()))
    assert header[-2:] == ["rank by entropy", "rank by the acquisition"]
    assert [[int(value) for value in line[-2:]] for line in lines] == [
        [int(rank) for rank in point] for ranks in expected for point in ranks.T
    ]


def test_of_many_cycles_some_are_drawn_and_it_is_said(monkeypatch):
    from matplotlib.figure import Figure

    seen = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: seen.append(self))
    some = next(iter(COMPARED.values()))[0]
    scatter({"coreset": [dataclasses.replace(some, cycle=cycle, n_labelled=10 * cycle) for cycle in range(9)]})
    assert [axes.get_title().partition(" ")[0] for axes in seen[0].axes] == ["0", "30", "50", "80"]
    assert "some of the cycles" in seen[0].get_suptitle()


def test_a_method_has_the_colour_of_its_boards(monkeypatch):
    from matplotlib.axes import Axes

    colours = []
    monkeypatch.setattr(Axes, "scatter", lambda self, x, y, **k: colours.append(k["color"]))
    scatter({"coreset": COMPARED["coreset"][:1]})
    scatter({"margin": COMPARED["coreset"][:1], "coreset": COMPARED["coreset"][:1]})
    assert colours == [COLOURS[0], COLOURS[2], COLOURS[0]]  # of the sorted names, entropy among them


def test_nothing_is_drawn_of_what_is_not_ranked():
    unranked = Comparison(0, 0, 10, 20, dict.fromkeys(NAMES, 0.5), np.empty((2, 0), np.int64), ("a", "not ranked"))
    assert scatter({"badge": [unranked]}) == {}
    assert scatter({}) == {}
    assert scatter({"badge": [unranked], "coreset": COMPARED["coreset"]})
