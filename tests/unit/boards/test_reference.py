from __future__ import annotations

import csv
import io
import json

import pytest

import harness
from harness.boards import boards, read_reference, with_published
from harness.boards.reference import fits_options
from harness.boards.tables import all_tables
from harness.core.errors import Errors
from harness.runs.record import Record

TEXT = """\
source: {work: A. Author 2020, table: Table 1}
columns:
  - {title: mAP, dataset: set, metric: map_medium}
  - {title: mAP Hard, dataset: set, metric: map_hard}
  - {title: mAP, dataset: other, metric: map_medium}
common: {backbone: tiny}
rows:
  - {name: GeM, methods: {pooling: gem}, values: [51.5, 20.0, 1.0]}
  - {name: GeM 3, methods: {pooling: {gem: {p: 3}}}, values: [[52.5, 0.4], null, 2.0]}
  - {name: D, methods: {pooling: gem, expansion: diffusion}, values: [60.0, 30.0, 3.0]}
  - {name: elsewhere, methods: {pooling: mac}, values: [null, null, 4.0]}
"""


@pytest.fixture
def reference(tmp_path):
    (tmp_path / "reference.yaml").write_text(TEXT)
    return read_reference(tmp_path / "reference.yaml")


def record(value=0.5, *, parameters=None, status="done", **changes):
    method = {"plugin": "p", "version": "1", "digest": "d", "origin": "o"}
    base = {
        "id": f"{parameters}{status}{changes}",
        "status": status,
        "task": "retrieval",
        "protocol": {"scales": [1.0, 0.7071067811865476]},
        "protocol_id": "retrieval-1",
        "dataset": {"name": "set", "loader": "l", "parameters": {}, "fingerprint": "f" * 64},
        "methods": {
            "backbone": {"kind": "backbone", "name": "tiny", "parameters": {}, **method},
            "pooling": {"kind": "pooling", "name": "gem", "parameters": parameters or {"p": 2.0}, **method},
        },
        "seed": 0,
        "metrics": {"map_medium": value} if status == "done" else {},
        "started": "",
        "finished": "",
    }
    return Record.model_validate({**base, **changes})


def board_of(reference, *records):
    (board,) = boards(records)
    return with_published(board, reference)


def by_name(board):
    return {row.labels["published as"]: row for row in board.rows}


def test_measured_published_and_difference_stand_side_by_side(reference):
    board = board_of(reference, record(0.5))
    assert [column.key for column in board.columns] == [
        "map_medium",
        "map_medium published",
        "map_medium difference",
        "map_hard",
        "map_hard published",
        "map_hard difference",
    ]
    cells = by_name(board)["GeM"].cells
    assert cells["map_medium"].mean == 0.5
    assert cells["map_medium published"].mean == pytest.approx(0.515)
    assert cells["map_medium difference"].mean == pytest.approx(-0.015)


def test_what_was_not_measured_stays_empty_and_what_is_published_is_shown(reference):
    rows = by_name(board_of(reference, record(0.5)))
    assert rows["GeM"].cells["map_hard"] is None
    assert rows["GeM"].cells["map_hard difference"] is None
    assert rows["GeM"].cells["map_hard published"].mean == pytest.approx(0.2)
    assert rows["D"].cells["map_medium"] is None
    assert rows["D"].rank is None
    assert rows["D"].runs == 0
    assert "elsewhere" not in rows


def test_nothing_measured_at_all_still_shows_the_published_table_in_its_order(reference):
    records = [record(status="missing"), record(status="missing", parameters={"p": 3.0})]
    text = harness.leaderboard(records, reference=reference)
    assert [row.labels["published as"] for row in board_of(reference, *records).rows] == ["GeM", "GeM 3", "D"]
    assert "| 51.5 |" in " ".join(text.split())
    assert text.count("not run") >= 2


def test_of_a_board_that_nobody_measured_only_the_published_numbers_are_shown(reference):
    made = [with_published(board, reference) for board in boards([record(status="missing")])]
    (table,) = all_tables(made)
    assert not {"#", "runs"} & {column.title for column in table.columns}
    assert not [column.title for column in table.columns if "difference" in column.title]
    assert table.more is None
    assert "Differences" not in " ".join(table.footer)
    (whole,) = all_tables(made, ["all"])
    assert {"#", "runs", "mAP Medium, difference"} <= {column.title for column in whole.columns}


def test_the_row_that_states_more_counts(reference):
    rows = by_name(board_of(reference, record(0.5), record(0.6, parameters={"p": 3.0})))
    assert rows["GeM 3"].cells["map_medium"].mean == 0.6
    assert rows["GeM 3"].cells["map_medium published"].std == pytest.approx(0.004)
    assert rows["GeM"].cells["map_medium"].mean == 0.5


def test_kinds_of_method_have_to_be_the_same(reference):
    method = record().methods["pooling"]
    other = record(methods={**record().methods, "whitening": method.model_copy(update={"kind": "whitening"})})
    assert reference.row_of(record()).name == "GeM"
    assert reference.row_of(other) is None


def test_a_row_may_state_protocol_options(reference):
    row = reference.rows[0].model_copy(update={"protocol": {"scales": [1.0]}})
    assert not reference.fits(row, record())
    assert reference.fits(row.model_copy(update={"protocol": {"scales": [1, 0.7071]}}), record())


@pytest.mark.parametrize(
    ("stated", "given", "fits"),
    [
        ({}, {"p": 3}, True),
        ({"p": 3}, {"p": 3.0}, True),
        ({"p": 3}, {}, False),
        ({"p": True}, {"p": 1}, False),
        ({"a": [1, 2]}, {"a": [1, 2.1]}, False),
        ({"a": "x"}, {"a": "x"}, True),
    ],
)
def test_options_fit(stated, given, fits):
    assert fits_options(stated, given) is fits


def test_other_formats_have_the_columns_too(reference):
    lines = list(csv.DictReader(io.StringIO(harness.leaderboard([record(0.5)], format="csv", reference=reference))))
    assert lines[0]["map_medium difference mean"].startswith("-0.015")
    assert lines[1]["map_medium mean"] == ""
    assert float(lines[-1]["map_medium published mean"]) == pytest.approx(0.6)
    data = json.loads(harness.leaderboard([record(0.5)], format="json", reference=reference))
    assert data["boards"][0]["rows"][-1]["cells"]["map_medium"] is None


def test_a_difference_has_its_sign_and_the_published_decimals(reference):
    text = harness.leaderboard([record(0.52)], reference=reference)
    assert "| +0.5 |" in " ".join(text.split())
    assert "Published: Table 1 of A. Author 2020." in text


def dataset(**changes):
    return {"name": "set", "loader": "l", "parameters": {}, "fingerprint": "f" * 64, **changes}


def test_a_cut_set_is_named_above_the_table_and_has_no_difference(reference):
    cut = record(dataset=dataset(counts={"images": 84, "queries": 70}, expected={"images": 4993, "queries": 70}))
    warning = "Not comparable with other results of set: 84 images (catalogue: 4,993)."
    for format in ("markdown", "html", "latex", "csv", "json"):
        assert warning in harness.leaderboard([cut], format=format)
        text = harness.leaderboard([cut], format=format, reference=reference)
        assert warning in text
        assert "difference" not in text.replace("No differences", "").replace("significant difference", "")
    assert "Published: Table 1 of A. Author 2020. No differences: not comparable with" in text
    whole = record(dataset=dataset(counts={"images": 4993}, expected={"images": 4993, "queries": 70}))
    assert "Not comparable" not in harness.leaderboard([whole], reference=reference)


def test_older_records_are_counted_by_the_catalogue_of_the_harness():
    counts = {"images": 84, "queries": 70}
    cut = record(dataset=dataset(name="roxford5k", loader="revisited", counts=counts))
    assert "84 images (catalogue: 4,993)" in harness.leaderboard([cut])
    own = record(dataset=dataset(name="roxford5k", loader="mine", counts=counts))
    assert "catalogue" not in harness.leaderboard([own])


def test_an_imbalanced_pool_is_no_cut_set():
    known = {"name": "digits", "counts": {"train": 500, "test": 9}, "expected": {"train": 1000, "test": 9}}
    pool = record(task="active-learning", protocol={"imbalance": 10.0}, dataset=dataset(**known))
    assert "Not comparable" not in harness.leaderboard([pool])
    assert "500 train" in harness.leaderboard([pool.model_copy(update={"protocol": {"imbalance": 1.0}})])


def test_another_setting_than_the_published_one_has_no_difference(reference):
    stated = reference.model_copy(update={"protocol": {"scales": [1.0, 0.7071]}})
    assert "difference" in str(board_of(stated, record(0.5)).columns)
    own = {"set": {"image_size": 1024}}
    board = board_of(
        stated.model_copy(update={"protocols": own}), record(0.5, protocol={"scales": [1.0], "image_size": 256})
    )
    assert not [column for column in board.columns if column.key.endswith("difference")]
    assert by_name(board)["GeM"].cells["map_medium published"] is not None
    assert board.warnings == (
        "Not comparable with the published numbers: scales 1 (published: 1/0.7071), image_size 256 (published: 1024).",
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("[51.5, 20.0, 1.0]", "[51.5, 20.0]", 8, "2 values for 3 columns"),
        ("[51.5, 20.0, 1.0]", "[515, 20.0, 1.0]", 8, "515"),
        ("[51.5, 20.0, 1.0]", "[-1, 20.0, 1.0]", 8, "-1"),
        ("[51.5, 20.0, 1.0]", "[x, 20.0, 1.0]", 8, "number"),
        ("name: D,", "name: GeM,", 10, "duplicate row"),
        ("{pooling: mac}", "{poolin: mac}", 11, "no kind"),
        ("metric: map_hard", "metric: map_medium", 4, "duplicate column"),
        ("table: Table 1", "tabel: Table 1", 1, "tabel"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, old, new, line, message):
    path = tmp_path / "reference.yaml"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(Errors) as caught:
        read_reference(path)
    assert message in str(caught.value)
    assert line in [error.where.line for error in caught.value.errors]
