"""Two methods against each other, query by query."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from harness.boards import FORMATS, boards
from harness.boards.board import row_name
from harness.boards.comparison.pairs import differences, find_row, render_differences
from harness.boards.plots import difference_plots
from harness.boards.plots.styles import point_style
from harness.boards.statistics import bootstrap_interval
from harness.core.errors import UnknownName


@pytest.fixture
def found(record):
    rng = np.random.default_rng(0)
    aps = {name: [round(float(ap), 6) for ap in rng.random(30)] for name in ("gem", "mac")}
    made = [record(name, details={"ap_medium": ap}) for name, ap in aps.items()]
    return aps, boards([*made, record("rmac", parameters={"levels": 3}), record("rmac", parameters={"levels": 4})])


def test_mean_interval_and_p_are_those_of_the_difference(found):
    aps, tables = found
    (difference,) = differences(tables, "gem", "mac")
    apart = np.subtract(aps["gem"], aps["mac"])
    assert difference.values == pytest.approx(apart.tolist())
    assert difference.mean == pytest.approx(apart.mean())
    assert difference.interval == pytest.approx(bootstrap_interval(apart, np.random.default_rng(0)))
    # Without groups in the records every query is its own: the flips of the randomisation test, of another generator.
    from scipy import stats

    theirs = stats.permutation_test((apart,), np.mean, permutation_type="samples", n_resamples=2_000, rng=0)
    assert difference.p == pytest.approx(theirs.pvalue, abs=0.05)


def test_the_table_counts_who_is_better_and_names_where(found, rows):
    aps, tables = found
    text = render_differences(differences(tables, "gem", "mac"))
    apart = np.subtract(aps["gem"], aps["mac"])
    assert rows(text)[0][4:] == ["A better", "equal", "B better"]
    assert rows(text)[1][4:] == [str((apart > 0).sum()), "0", str((apart < 0).sum())]
    assert f"A is most ahead on queries {apart.argmax()} (" in text
    assert f"B is most ahead on queries {apart.argmin()} (" in text


def test_data_formats_hold_every_query(found):
    aps, tables = found
    text = render_differences(differences(tables, "gem", "mac"), "csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [float(line["value a"]) for line in lines] == aps["gem"]
    assert json.loads(render_differences(differences(tables, "gem", "mac"), "json"))[0]["second"] == aps["mac"]


@pytest.mark.parametrize(("wanted", "label"), [("mac", "mac"), ("levels=3", "rmac levels=3"), ("rmac levels=4", None)])
def test_rows_are_found_by_their_words(found, wanted, label):
    assert find_row(found[1][0], wanted).labels["pooling"] == label or label is None


def test_a_word_that_is_all_of_one_row_means_that_row(record):
    plain = record("gem")
    whitened = plain.model_copy(
        update={
            "methods": {
                **plain.methods,
                "whitening": plain.methods["pooling"].model_copy(update={"kind": "whitening", "name": "pca"}),
            }
        }
    )
    (board,) = boards([plain, whitened])
    assert find_row(board, "none").labels["whitening"] == "none"
    assert find_row(board, "pca").labels["whitening"] == "pca"


def test_names_that_mean_none_or_several_rows_are_errors(found):
    with pytest.raises(UnknownName, match=r'"mac" and "mac" both mean the row mac'):
        differences(found[1], "mac", "mac")
    with pytest.raises(UnknownName, match="2 rows of set"):
        differences(found[1], "gem", "rmac")
    with pytest.raises(UnknownName, match=r'both "gem" and "spoc"'):
        differences(found[1], "gem", "spoc")


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_names_do_no_harm(record, format):
    name = "<script>alert(1)</script>|**x**"
    found = differences(boards([record(name), record("ok")]), name, "ok")
    text = render_differences(found, format)
    if format in ("markdown", "html"):
        assert "<script" not in text
    if format == FORMATS[0]:
        assert all(b"<script" not in image for image in difference_plots(found).values())


def test_pictures_have_the_same_bytes_the_data_and_the_colours_of_the_board(found, monkeypatch):
    of_both = differences(found[1], "gem", "mac")
    pictures = difference_plots(of_both, ("svg", "pdf"), data=True)
    assert list(pictures) == ["set-difference.svg", "set-difference.pdf", "set-difference.csv"]
    assert pictures["set-difference.pdf"].startswith(b"%PDF")
    assert pictures == difference_plots(of_both, ("svg", "pdf"), data=True)
    assert len(pictures["set-difference.csv"].splitlines()) == 1 + len(of_both[0].units)
    (board,) = [board for board in found[1] if board.dataset == of_both[0].dataset]
    drawn = []
    monkeypatch.setattr("matplotlib.axes.Axes.bar", lambda *_, color, **__: drawn.append(color))
    difference_plots(of_both, boards=[board])
    styles = {row_name(row, board.kinds): point_style(board, row) for row in board.rows}
    assert {*drawn} <= {styles[of_both[0].a]["color"], styles[of_both[0].b]["color"]}
    assert drawn
