from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

import harness
from harness.boards import NotComparable, boards
from harness.core.errors import UnknownName


def test_best_first_in_bold_with_two_digits(record, rows):
    table = rows(harness.leaderboard([record("mac", 0.4321), record("gem", 0.643)]))
    assert table == [
        ["#", "pooling", "mAP Medium", "95% interval", "runs"],
        ["1", "gem", "**64.30**", "64.3 to 64.3", "1"],
        ["2", "mac", "43.21", "43.2 to 43.2", "1"],
    ]


def test_mean_and_sample_deviation_over_seeds(record):
    (board,) = boards([record(value=0.1, seed=0), record(value=0.3, seed=1)])
    cell = board.rows[0].cells["map_medium"]
    assert cell.mean == pytest.approx(0.2)
    assert cell.std == pytest.approx(0.02**0.5)
    assert "20.00 ± 14.14" in harness.leaderboard([record(value=0.1, seed=0), record(value=0.3, seed=1)])


def test_only_parameters_that_differ_are_shown(record):
    records = [record(parameters={"p": p, "eps": 1e-6}, value=p / 10) for p in (2.0, 3.0)]
    assert [row.labels["pooling"] for row in boards(records)[0].rows] == ["gem p=3", "gem p=2"]


def test_what_all_rows_share_stands_above(record):
    (board,) = boards([record("a"), record("b")])
    assert board.common == {"backbone": "tiny"}
    assert board.kinds == ("pooling",)


def test_equal_means_share_a_rank_and_the_order_of_records_does_not_count(record, rows):
    records = [record("a", 0.5), record("b", 0.7), record("c", 0.5)]
    (board,) = boards(records)
    found = [(row.rank, row.rank_last, row.labels["pooling"]) for row in board.rows]
    assert found == [(1, 1, "b"), (2, 3, "a"), (2, 3, "c")]
    assert [row[0] for row in rows(harness.leaderboard(records))] == ["#", "1", "2–3", "2–3"]
    assert harness.leaderboard(records) == harness.leaderboard(records[::-1])


def test_the_accuracy_with_all_labels_is_a_row_that_is_not_ranked(record, rows):
    def run(acquisition, learning, seed, full):
        metrics = {"accuracy@10": 0.5 + seed / 100, "accuracy@20": 0.6, "full_supervision": full + seed / 100}
        made = record(acquisition, seed=seed, kind="acquisition", task="active-learning", metrics=metrics, details={})
        method = made.methods["acquisition"].model_copy(update={"kind": "learning", "name": learning})
        methods = {"acquisition": made.methods["acquisition"], "learning": method}
        return made.model_copy(update={"methods": methods, "id": f"{acquisition}{learning}{seed}"})

    names = [(a, n, full) for a in ("random", "margin") for n, full in (("supervised", 0.9), ("semi", 0.95))]
    records = [run(a, n, seed, full) for a, n, full in names for seed in range(2)]
    table = rows(harness.leaderboard(records, cost=False))
    assert table[0][:4] == ["#", "acquisition", "learning", "AUC (log)"]
    assert "all labels" not in table[0]
    references = [row for row in table if row[1] == "all labels"]
    assert sorted((row[0], row[2], row[3], row[-1]) for row in references) == [
        ("", "semi", "95.50 ± 0.71", "2"),
        ("", "supervised", "90.50 ± 0.71", "2"),
    ]
    alone = rows(harness.leaderboard([r for r in records if r.methods["acquisition"].name == "random"], cost=False))
    assert {row[1] for row in alone[1:]} == {"semi", "supervised", "semi, all labels", "supervised, all labels"}


def test_the_evenness_of_what_an_acquisition_picks(record):
    cycles = [{"picked": [9, 0]}, {"picked": [5, 5]}, {"picked": [10, 0]}]  # the first labels are not picked
    metrics = {"accuracy@10": 0.5, "accuracy@20": 0.6}
    made = record("margin", kind="acquisition", task="active-learning", metrics=metrics, details={"cycles": cycles})
    (board,) = boards([made])
    assert board.rows[0].cells["picks_evenness"].mean == 0.5
    (board,) = boards([made.model_copy(update={"details": {"cycles": [{"picked": [1, 1]}]}})])
    assert "picks_evenness" not in {column.key for column in board.columns}


def test_failed_and_missing_runs_stay_visible_with_their_reason(record, rows):
    text = harness.leaderboard([record("a"), record("b", status="failed"), record("c", status="missing")])
    assert "failed: no memory" in text
    assert ["", "b", "failed: no memory", "–", "0 of 1"] in rows(text)
    assert ["", "c", "not run", "–", "0 of 1"] in rows(text)


def test_one_failed_seed_of_two_shows_in_the_runs(record, rows):
    text = harness.leaderboard([record(seed=0), record(seed=1, status="failed")])
    assert rows(text)[1][-1] == "1 of 2"


@pytest.mark.parametrize("change", [{"protocol_id": "retrieval-2"}, {"dataset": {"fingerprint": "0" * 64}}])
def test_records_that_cannot_be_compared_are_refused(change, record):
    if "dataset" in change:
        change = {"dataset": {**record().dataset.model_dump(), **change["dataset"]}}
    with pytest.raises(NotComparable, match="differ in their"):
        harness.leaderboard([record("a"), record("b", **change)])


def test_csv_and_json_hold_the_unrounded_numbers(record):
    records = [record("mac", 1 / 3), record("gem", 2 / 3)]
    read = list(csv.DictReader(io.StringIO(harness.leaderboard(records, format="csv"))))
    assert [float(row["map_medium mean"]) for row in read] == [2 / 3, 1 / 3]
    content = json.loads(harness.leaderboard(records, format="json"))
    assert content["boards"][0]["rows"][0]["cells"]["map_medium"]["mean"] == 2 / 3


def test_an_unknown_format_is_an_error(record):
    with pytest.raises(UnknownName, match="markdwn"):
        harness.leaderboard([record()], format="markdwn")


def test_hostile_names_stay_text(record, rows):
    name = "<script>alert(1)</script>|**x**\n# y"
    text = harness.leaderboard([record(name), record("ok")])
    assert "<script>" not in text
    assert "**x**" not in text
    assert len(rows(text)) == 3


def test_cost_can_be_left_out(record):
    costly = [record("a", figures={"query_s_p50": 0.002}), record("b", figures={"query_s_p50": 0.001})]
    assert "ms/query" in harness.leaderboard(costly)
    assert "**1.00**" in harness.leaderboard(costly)
    assert "ms/query" not in harness.leaderboard(costly, cost=False)


def test_no_records():
    assert harness.leaderboard([]) == "No records.\n"


def test_methods_that_do_not_differ_significantly_share_a_rank_and_the_footer_says_so(record):
    rng = np.random.default_rng(0)
    aps = rng.random(70)
    near = record("near", details={"ap_medium": list(np.clip(aps + rng.normal(0, 0.1, 70), 0, 1))})
    same = record("same", details={"ap_medium": list(aps)})
    (board,) = boards([near, same])
    assert [row.rank for row in board.rows] == [1, 1]
    assert "(70 paired queries, each a group of its own, joint sign flips of groups" in board.provenance[0]
    assert "2 of 2 methods not significantly different from the best" in board.provenance[0]


def test_too_few_seeds_to_say_anything_is_said(record):
    records = [
        record(name, value, seed, task="active-learning", metrics={"accuracy@10": value}, details={})
        for name, value in (("a", 0.9), ("b", 0.1))
        for seed in range(2)
    ]
    (board,) = boards(records)
    assert [row.rank for row in board.rows] == [1, 1]
    assert [row.interval for row in board.rows] == [None, None]
    assert "with 2 paired seeds no difference in accuracy with 10 labels" in board.provenance[0]
    assert "takes at least 3 seeds" in board.provenance[0]


def test_datasets_of_one_loader_with_other_parameters_are_two_tables(record):
    def of(truth):
        return {**record().dataset.model_dump(), "parameters": {"path": "x", "truth": truth}, "fingerprint": truth * 8}

    found = boards([record("a", dataset=of("one")), record("a", dataset=of("two"))])
    assert [board.dataset for board in found] == ["set truth=one", "set truth=two"]


def test_settings_have_a_table_each_and_ranks_across_them(record, rows):
    records = [
        record(
            pooling,
            value,
            protocol={"image_size": size, "scales": [1.0]},
            protocol_id=f"retrieval-{size}",
            id=f"{pooling}{size}",
        )
        for size, values in ((256, (0.9, 0.2)), (512, (0.8, 0.3)))
        for pooling, value in zip(("gem", "mac"), values, strict=True)
    ]
    assert [board.dataset for board in boards(records)] == ["set image_size=256", "set image_size=512"]
    text = harness.leaderboard(records)
    across = text[text.index("## Ranks across settings") :]
    assert [row[:4] for row in rows(across)] == [
        ["method", r"set image\_size=256", r"set image\_size=512", "mean rank"],
        ["tiny · gem", "1", "1", "1.00"],
        ["tiny · mac", "2", "2", "2.00"],
    ]
    assert "Ranks across" not in harness.leaderboard(records[:2])


def test_one_setting_measured_by_two_engines_is_still_refused(record):
    with pytest.raises(NotComparable, match="protocol"):
        boards([record("gem"), record("mac", protocol_id="retrieval-2")])


def test_long_parameters_are_shown_short(record):
    records = [
        record(parameters={"weights": weights, "checksum": checksum, "p": 3.0}, value=0.5)
        for weights, checksum in (("", ""), ("far/away/mine.npz", "0123456789abcdef" * 4))
    ]
    labels = {row.labels["pooling"] for row in boards(records)[0].rows}
    assert labels == {"gem", "gem checksum=01234567 weights=mine.npz"}


def test_a_row_names_the_records_behind_it(record):
    records = [record("gem", seed=1), record("mac", 0.9), record("gem", seed=0)]
    rows_found = boards(records)[0].rows
    assert [row.run_ids for row in rows_found] == [("macNone0",), ("gemNone0", "gemNone1")]
    content = json.loads(harness.leaderboard(records, format="json"))
    assert content["boards"][0]["rows"][1]["run_ids"] == ["gemNone0", "gemNone1"]


def test_json_holds_what_a_comparison_of_two_commits_needs(record):
    records = [record("gem", details={"ap_medium": [1 / 3, None, 0.5]}), record("mac", 0.9)]
    text = harness.leaderboard(records, format="json")
    board = json.loads(text)["boards"][0]
    assert (board["fingerprint"], board["protocol_id"]) == ("f" * 64, "retrieval-1")
    assert board["protocol"] == {"image_size": 256}
    row = next(row for row in board["rows"] if row["labels"]["pooling"] == "gem")
    assert dict(zip(row["units"], row["values"], strict=True)) == {0: 0.333333, 2: 0.5}
    assert '"values": [0.333333, 0.5]' in text
