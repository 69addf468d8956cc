"""A run that speaks against its own number keeps it, with a mark in its row and a sentence below."""

from __future__ import annotations

import json

from harness.boards.building import boards
from harness.boards.footer import sources_of
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


def test_a_board_says_no_place_of_files_on_a_machine(record):
    audited = record("gem", 0.5, details={"audit": ["2 images are equal: /home/someone/photos/a.jpg and photos/b.jpg"]})
    text = "\n".join(sources_of([audited]))
    assert "2 images are equal: a.jpg and photos/b.jpg." in text


def test_queries_that_stand_in_the_database_are_said(record):
    def text(**note):
        notes = {"notes": {"queries_in_database": note}} if note else {}
        return "\n".join(sources_of([record("gem", 0.5, status="failed"), record("mac", 0.5, details=notes)]))

    assert "3 queries stand in the database; each takes no part in its own search" in text(queries=3, left_out=True)
    assert "2 queries stand in the database; each finds itself." in text(queries=2, left_out=False)
    assert "stand in the database" not in text()
