"""Who measured the rows of a merged board and who did them again: in its table, and on its page."""

from __future__ import annotations

import json
import re

import pytest
from people import bundle, record

from harness.bundles.merging import merge
from harness.bundles.people import standings_of
from harness.bundles.recomputed import FILE, append
from harness.core.errors import DataDamaged
from harness.site import write_page
from harness.studies.verify_records import RecordCheck


@pytest.fixture
def board(tmp_path):
    """Three rows of two people, who disagree about one; a run of each but one was done again."""
    bundles = [
        bundle(tmp_path / "a", record(), record(seed=1), record("mac"), record("spoc"), name="Ann"),
        bundle(tmp_path / "b", record(aps=[0.6] * 8), record("mac", aps=[0.2] * 8), name="<b>Bo</b>"),
    ]
    folder = tmp_path / "board"
    merge(bundles, folder)
    (runs,) = (folder / "boards").glob("*/runs")
    checks = [RecordCheck(runs / f"{record(name).id}.json", "", ("run",), 0.03) for name in ("gem", "mac")]
    append(folder / FILE, checks, "CI of the board")
    merge([], folder)
    return folder


def runs_of(board):
    (runs,) = (board / "boards").glob("*/runs")
    return runs


def cells(page):
    """The last two cells of each row, by the text of the row's first cells."""
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr id=.*?</tr>", page, re.S)]
    return {re.search(r"gem|mac|spoc", " ".join(row)).group(): row[-2:] for row in rows}


def test_rows_of_the_page_say_who_measured_and_who_did_them_again(board, tmp_path):
    write_page(runs_of(board), tmp_path / "site", pictures=False)
    page = (tmp_path / "site" / "index.html").read_text()
    assert '<th scope="col" class="people" data-first="ascending">recomputed</th>' in page
    found = cells(page)
    assert found["gem"][0] == "&lt;b&gt;Bo&lt;/b&gt;, Ann"
    assert re.fullmatch(r"1 of 2 by CI of the board, \d{4}-\d\d-\d\d, to 0.03 points", found["gem"][1])
    assert found["spoc"] == ["Ann", "–"]
    (method,) = (tmp_path / "site" / "methods").glob("*gem*")
    text = method.read_text()
    assert "Seed 0, measured by: &lt;b&gt;Bo&lt;/b&gt;, Ann (2 records)" in text
    assert re.search(r"Seed 0, recomputed: by CI of the board, [0-9-]+, to 0.03 points", text)
    assert "Seed 0, disagreement: map_medium from 50.00 to 60.00" in text
    assert "Seed 1, measured by: Ann<" in text


def test_the_page_of_other_records_has_no_such_columns(board, tmp_path):
    files = [file.read_bytes() for file in runs_of(board).glob("*.json")]
    (tmp_path / "mine").mkdir()
    for number, content in enumerate(files):
        (tmp_path / "mine" / f"{number}.json").write_bytes(content)
    write_page(sorted((tmp_path / "mine").glob("*.json")), tmp_path / "site", pictures=False)
    assert "measured by" not in (tmp_path / "site" / "index.html").read_text()


def test_that_another_record_was_done_again_says_nothing_of_the_one_that_is_shown(board, tmp_path):
    """The middle of three is another record than the one that was done again."""
    merge([bundle(tmp_path / "c", record("mac", aps=[0.4] * 8), name="Cy")], board)
    (table,) = (board / "boards").glob("*/README.md")
    who = table.read_text().partition("Who measured")[2].partition("Disagreements")[0]
    (row,) = (line for line in who.splitlines() if "mac" in line and "Cy" in line and "CI" not in line)
    assert row.split("|")[4].strip() == "3"
    lines = [json.loads(line) for line in next((board / "boards").glob("*/repetitions.jsonl")).read_text().splitlines()]
    kept = [again for line in lines for one in line["records"].values() for again in one["recomputed"]]
    assert len(kept) == 2  # nothing is lost


def test_a_record_that_changed_has_nobody(board):
    files = sorted(runs_of(board).glob("*.json"))
    assert len(standings_of(files)) == 4
    files[0].write_bytes(files[0].read_bytes() + b" ")
    assert len(standings_of(files)) == 3


@pytest.mark.parametrize("line", ["{", "[]", "null", '{"run": 1}', "[" * 10**5])
def test_damaged_lines_are_refused(board, line):
    file = next((board / "boards").glob("*/repetitions.jsonl"))
    file.write_text(line + "\n")
    with pytest.raises(DataDamaged, match="line 1, says nothing of a run"):
        standings_of(runs_of(board).glob("*.json"))
