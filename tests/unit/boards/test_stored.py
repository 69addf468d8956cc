"""A board as the JSON of a results.json, and back."""

from __future__ import annotations

import json

import pytest
from measurements import active, retrieval

import harness
from harness.boards import boards, boards_of, render_boards
from harness.core.errors import DataDamaged
from harness.runs.results import Results

APS = [i / 20 for i in range(20)]
FIGURES = {"query_s_p50": 0.002, "bytes_per_image": 512.0}


def stored(records):
    content = json.loads(harness.leaderboard(records, format="json"))
    return Results("results.json", boards=tuple(content["boards"]))


@pytest.fixture
def records():
    aps = [min(1.0, ap + 0.1) for ap in APS]
    return [retrieval("gem", APS, figures=FIGURES), retrieval("mac", aps), retrieval("bad", status="failed")]


@pytest.mark.parametrize("format", ["markdown", "html", "latex", "csv", "json"])
def test_a_committed_board_is_shown_as_one_of_records(records, format):
    assert harness.leaderboard(stored(records), format=format) == harness.leaderboard(records, format=format)


def test_costs_of_a_committed_board_can_be_left_out(records):
    bare = harness.leaderboard(stored(records), cost=False)
    assert "ms/query" in harness.leaderboard(stored(records))
    assert "ms/query" not in bare
    assert "★" not in bare


def test_the_oldest_boards_had_no_list_of_columns(records):
    results = stored(records)
    for board in results.boards:
        del board["columns"], board["data"]
        for row in board["rows"]:
            del row["methods"]
    assert "not known: an older version wrote these results" in harness.leaderboard(results)
    assert [c.title for c in boards_of(results)[0].columns][:1] == ["mAP Medium"]
    assert harness.compare(results, records).with_verdict("identical")


@pytest.mark.parametrize(
    "damage",
    [{"rows": 3}, {"rows": [{}]}, {"columns": [{"title": "x"}]}, {"kinds": None}, {"columns": [{"key": "new"}]}],
)
def test_damage_is_one_sentence(records, damage):
    results = stored(records)
    broken = Results("results.json", boards=({**results.boards[0], **damage},))
    for read in (boards_of, lambda results: harness.compare(results, records)):
        with pytest.raises(DataDamaged, match="results.json is not the JSON of a leaderboard"):
            read(broken)


def test_boards_of_records_are_those_of_boards():
    records = tuple(active([0.5] * 6))
    assert render_boards(boards_of(Results("records", records)), "json") == render_boards(boards(records), "json")
