"""What harness run says of its progress where it has no terminal."""

from __future__ import annotations

from pathlib import Path

from harness.cli.display import Bars
from harness.cli.progress_lines import SECONDS, ProgressLines


def test_a_line_now_and_then_says_all_that_is_under_way():
    said, now = [], [0.0]
    lines = ProgressLines(said.append, lambda: now[0])
    lines.update("runs", 0, 3)
    lines.update("describe database", 0, 5_063)
    now[0] = SECONDS - 1
    lines.update("describe database", 100, 5_063)
    assert said == []
    now[0] = SECONDS + 40
    lines.update("describe database", 1_200, 5_063)
    assert said == ["   ...  1:10  runs 0 of 3; describe database 1,200 of 5,063"]
    lines.update("describe database", 5_063, 5_063)
    now[0] += SECONDS
    lines.update("runs", 1, 3)
    assert said[1:] == ["   ...  1:40  runs 1 of 3"]


def test_the_first_line_says_how_many_runs_and_where_their_records_go(capsys):
    with Bars(Path("my runs")) as bars:
        bars.update("runs", 0, 2)
        assert capsys.readouterr().err == "2 runs to do, records in my runs\n"
        bars.update("runs", 0, 2)
        bars.update("describe queries", 0, 2)
    assert capsys.readouterr().err == "", "once, and nothing more of a short work"
    with Bars() as bars:
        bars.update("runs", 0, 2)
    assert capsys.readouterr().err == "", "where no records are written"
