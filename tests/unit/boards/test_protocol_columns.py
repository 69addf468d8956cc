"""Columns of datasets that do not tell easy from hard, and of evaluation protocols by name."""

from __future__ import annotations

import numpy as np
from measurements import retrieval

from harness.boards.building import boards
from harness.boards.columns import column_of
from harness.runs.design import Design, read_design

APS = np.random.default_rng(0).random(20)
PLAIN = {"map": 0.5, "map@10": 0.55, "recall@1": 0.6, "recall@10": 0.9, "map_medium": 0.5, "map_easy": 0.5}


def titles(*records):
    (board,) = boards(records, cost=False)
    return [column.title for column in board.columns]


def plain(name="gem", aps=APS, **changes):
    record = retrieval(name, aps, metrics={**PLAIN, "map": float(np.mean(aps))}, **changes)
    return record.model_copy(update={"details": {"map": aps.tolist(), "recall@1": [1.0] * len(aps)}})


def test_one_kind_of_positive_has_one_column_of_map():
    assert titles(plain()) == ["mAP", "mAP@10", "R@1", "R@10"]
    (board,) = boards([plain("gem"), plain("mac", APS / 2)], cost=False)
    assert [row.rank for row in board.rows] == [1, 2]  # tested query by query
    assert board.rows[0].cells["map"].mean == float(np.mean(APS))


def test_graded_sets_and_older_records_keep_their_columns():
    assert titles(retrieval()) == ["mAP Medium", "mP@10 Medium"]
    assert titles(plain("gem"), retrieval("mac")) == ["mAP Medium", "mAP Easy", "mP@10 Medium"]


def test_a_protocol_that_the_spec_names_comes_first_and_ranks():
    def named(name, values):
        metrics = {"map_medium": 0.5, "ilias-map@1000_hard": 0.3, "ilias-map@1000_medium": float(np.mean(values))}
        record = retrieval(name, APS, metrics=metrics, protocol={"evaluation": "ilias-map@1k"})
        return record.model_copy(update={"details": {"ilias-map@1000_medium": values.tolist()}})

    records = [named("gem", APS), named("mac", APS / 2)]
    assert titles(*records) == ["mAP@1000(ilias, medium)", "mAP@1000(ilias, hard)", "mAP Medium"]
    (board,) = boards(records, cost=False)
    assert [row.rank for row in board.rows] == [1, 2]


def test_a_spec_may_test_any_metric_that_was_measured():
    def named(name, values):
        metrics = {"map_medium": 0.5, "ilias-map@1000_hard": float(np.mean(values)), "recall@1_medium": 0.5}
        record = retrieval(name, APS, metrics=metrics, protocol={"evaluation": "ilias-map@1k R@1"})
        return record.model_copy(update={"details": {"ilias-map@1000_hard": values.tolist(), **record.details}})

    records = [named("gem", APS), named("mac", APS / 2)]
    for stated, title in (
        ("mAP@1k(ilias, hard)", "mAP@1000(ilias, hard)"),
        ("ilias-map@1k", "mAP@1000(ilias, hard)"),
        ("R@1", "R@1(medium)"),
        ("map_medium", "mAP Medium"),
    ):
        design, errors = read_design({"measure": stated}, "retrieval")
        (board,) = boards(records, cost=False, design=design)
        assert (errors, board.columns[0].title) == ([], title)
    (board,) = boards(records, cost=False, design=read_design({"measure": "ilias-map@1k"}, "retrieval")[0])
    assert [row.rank for row in board.rows] == [1, 2]
    (board,) = boards(records, cost=False, design=Design("gldv2-map@100"))
    assert "No record has mAP@100(gldv2), the measure of the spec" in " ".join(board.provenance)


def test_metrics_of_protocols_have_columns_as_their_sources_print_them():
    fraction, percent = column_of("mteb-retrieval-map@5_hard"), column_of("gldv2-map@100")
    assert fraction is not None
    assert percent is not None
    assert (fraction.title, fraction.shown(0.123456)) == ("mAP@5(mteb retrieval, hard)", "0.12346")
    assert (percent.title, percent.shown(0.123456)) == ("mAP@100(gldv2)", "12.35")
    assert column_of("map_medum") is None
