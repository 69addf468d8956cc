"""A run that speaks against its own number keeps it, with a mark in its row and a sentence below."""

from __future__ import annotations

import json

from harness.boards.building import boards
from harness.boards.render import render_tables
from harness.boards.stored import boards_content, read_boards
from harness.boards.tables import all_tables
from harness.runs.results import Results


def test_doubtful_runs_are_marked_and_explained(record):
    reason = "all images have the same descriptor: the ranking is chance"
    records = [
        record("gem", 0.5),
        record("mac", 0.1, details={"doubts": [reason]}),
        record("spoc", 0.2, seed=0, details={"doubts": []}),
    ]
    (board,) = boards(records)
    (table,) = all_tables([board])
    text = render_tables([table], "markdown")
    marked = [row[1].text for row in table.rows if any("doubtful" in cell.marks for cell in row)]
    assert marked == ["mac"]
    assert "10.00 ?" in text
    assert f"mac: doubtful: {reason}" in text
    assert "?: what speaks against this number stands below the table." in text
    content = json.loads(json.dumps(boards_content([board], "t", "")))
    (again,) = read_boards(Results("stored", boards=tuple(content["boards"])))
    assert [row.doubts for row in again.rows] == [row.doubts for row in board.rows]


def test_of_several_runs_one_is_told(record):
    records = [record("gem", 0.5, seed=seed, details={"doubts": [f"seed {seed}"] * seed}) for seed in range(3)]
    ((row,),) = [board.rows for board in boards(records)]
    assert row.doubts == ("2 of 3 runs are doubtful, for instance: seed 1",)
