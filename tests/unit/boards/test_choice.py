"""Which columns stand in a table, and where the others and the long footer are."""

from __future__ import annotations

import io
import json
import shutil
import subprocess

import pytest
from rich.console import Console

import harness
from harness.boards import boards
from harness.boards.choice import chosen_columns
from harness.boards.render import TableCell, make_table
from harness.boards.render.latex import latex
from harness.boards.render.siunitx import number_cell, number_column
from harness.boards.render.terminal import terminal_document
from harness.boards.tables import all_tables
from harness.core.errors import UnknownName

METRICS = {"map_medium": 0.5, "map_hard": 0.25, "map_easy": 0.75, "mp@10_medium": 0.5, "mp@10_hard": 0.5}
FIGURES = {"query_s_p50": 0.002, "bytes_per_image": 512.0}


@pytest.fixture
def records(record):
    return [record(name, value, metrics={**METRICS, "map_medium": value}, figures=FIGURES) for name, value in VALUES]


VALUES = (("gem", 0.6), ("mac", 0.5), ("spoc", 0.4))


def keys(board, names=()):
    return [column.key for column in chosen_columns(board, names)]


def test_a_few_columns_that_fit_where_none_are_asked_for(records):
    (board,) = boards(records)
    assert keys(board) == ["map_medium", "map_hard", "map_easy", "query_s_p50"]
    assert keys(board, ["all"]) == [column.key for column in board.columns]


def test_columns_are_named_by_key_or_title_and_the_first_is_always_there(records):
    (board,) = boards(records)
    assert keys(board, ["Bytes/Image", "map_hard", "map_hard"]) == ["map_medium", "bytes_per_image", "map_hard"]


def test_an_unknown_column_names_those_that_there_are(records):
    with pytest.raises(UnknownName, match='did you mean "map_hard"') as found:
        harness.leaderboard(records, columns=["map_hrd"])
    assert "bytes_per_image" in str(found.value)


def test_what_a_table_does_not_show_is_in_its_details(records, rows):
    text = harness.leaderboard(records)
    shown, _, details = text.partition("<details")
    assert "mP@10 Hard" not in shown
    assert "bytes/image" not in shown
    assert "mP@10 Hard" in details
    assert "bytes/image" in details
    assert "Seeds: 0;" not in shown
    assert "Seeds: 0;" in details
    assert len(rows(text)) == 4


def test_the_choice_of_a_spec_is_kept_in_results(records, tmp_path):
    spec = tmp_path / "spec.yaml"
    methods = "{backbone: tiny, pooling: [gem, mac]}"
    spec.write_text(
        f"name: a\ntask: retrieval\ndatasets: [synthetic-instances]\nmethods: {methods}\ncolumns: [map_easy]\n"
    )
    results = harness.find_results(spec)
    assert results.columns == ("map_easy",)
    stored = json.loads(harness.leaderboard(results, format="json"))
    assert stored["boards"][0]["shown"] == ["map_easy"]
    (tmp_path / "results.json").write_text(json.dumps(stored))
    from harness.boards import boards_of

    assert boards_of(harness.find_results(tmp_path / "results.json"))[0].shown == ("map_easy",)


def test_one_sentence_for_what_is_the_same_of_all_rows(record):
    (table,) = all_tables(boards([record(name, status="missing") for name in "ab"]))
    assert table.notes == ("All rows: not run",)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_table_is_no_wider_than_the_terminal_and_breaks_no_number(records, width):
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    (table,) = all_tables(boards(records), compact=True)
    lines = terminal_document([table], "board", "", console=console).splitlines()
    assert max(map(len, lines)) <= width
    assert any("gem" in line and "60.00" in line for line in lines)
    hidden = next(line for line in lines if line.startswith("Not shown:"))
    assert ("ms/query" in " ".join(lines).partition("Not shown")[0]) == (width > 40), hidden


def test_a_terminal_gets_no_letters_that_command_it(record):
    console = Console(width=80, file=io.StringIO(), force_terminal=True)
    table = make_table(["a\x1b[2J"], [["b\x1b[2J"], ["[red]c"]], title="\x1b]0;t", intro="\x07")
    text = terminal_document([table], "", "", console=console)
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\x07" not in text
    assert "[red]c" in text


def test_latex_names_methods_in_one_column_and_fits_its_line(records):
    text = harness.leaderboard(records, format="latex", title="my board")
    assert r"\label{tab:my-board-set}" in text
    assert r"\resizebox{\linewidth}" in text
    assert "p{0.45" not in text  # no name is long
    assert "mAP" in text
    assert r"\begin{table*}" in harness.leaderboard(records, format="latex-wide")


def has_siunitx():
    """Debian: texlive-science."""
    finder = shutil.which("kpsewhich")
    return bool(finder) and subprocess.run([finder, "siunitx.sty"], capture_output=True).returncode == 0  # noqa: S603


def test_numbers_for_siunitx_have_room_and_texts_have_braces():
    best = TableCell("80.95", best=True, spread=" ± 3.45")
    cells = [best, TableCell("7.5", marks=("front",)), TableCell("1,024"), TableCell("not run"), TableCell("")]
    assert number_column(cells, latex) == r"S[table-format=4.2(3),table-space-text-post={ $\star$}]"
    assert [number_cell(cell, latex) for cell in cells] == [
        r"\bfseries 80.95 \pm 3.45",
        r"7.5 { $\star$}",
        "1024",
        "{not run}",
        "",
    ]
    assert number_column([TableCell("1–7"), TableCell("55.7 to 69.3")], latex) == ""
    assert number_column([TableCell("-0.5"), TableCell("12")], latex) == "S[table-format=-2.1]"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian: texlive-latex-recommended)")
def test_latex_compiles_in_two_columns_without_an_overfull_box(record, tmp_path):
    long = [
        record(f"a-pooling-with-a-long-name-that-is-broken_{n}", 0.1 * n, figures=FIGURES, metrics=METRICS)
        for n in range(1, 5)
    ]
    formats = ("latex", "latex-wide", *(("latex-siunitx", "latex-wide-siunitx") if has_siunitx() else ()))
    for format in formats:
        text = harness.leaderboard(long, format=format, columns=["all"], title=format)
        assert "p{0." in text
        (tmp_path / f"{format}.tex").write_text(text)
    packages = rf"\usepackage{{array,booktabs,graphicx{',siunitx' if has_siunitx() else ''}}}"
    inputs = "".join(rf"\input{{{format}}}" for format in formats) + r"\clearpage"
    document = rf"\documentclass[twocolumn]{{article}}{packages}\begin{{document}}A.{inputs}\end{{document}}"
    (tmp_path / "a.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)  # noqa: S603
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


@pytest.mark.parametrize(("width", "is_explained"), [(20, False), (80, True)])
def test_a_mark_is_explained_where_its_column_is_shown(width, is_explained):
    cells = ["random", TableCell("81.25"), TableCell("0.12", marks=("front",))]
    footer = ["#: ranks.", "★: cheap and good."]
    table = make_table(["method", "accuracy", "seconds"], [cells], right=["accuracy", "seconds"], footer=footer)
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    text = terminal_document([table], "", "", console=console)
    assert ("★: cheap" in text) is is_explained
    assert "#: ranks." in text


def test_long_names_of_a_terminal_leave_out_what_most_rows_share_and_it_is_said(record):
    usual = {"expansion": "an-expansion-with-a-name-that-is-far-longer-than-most"}
    made = [with_kinds(record(name), usual) for name in ("gem", "mac")]
    made.append(with_kinds(record("spoc", status="missing"), usual))
    made.append(with_kinds(record("gem"), {**usual, "expansion": "aqe"}))
    made.append(with_kinds(record("rmac"), {**usual, "reranking": "mac"}))  # not the pooling
    (table,) = all_tables(boards(made), compact=True)
    names = {row[1].text for row in table.rows}
    assert names == {"gem", "pooling mac", "spoc", "gem · aqe", "rmac · reranking mac"}
    assert "Methods where a row names no other: an-expansion-with-a-name-that-is-far-longer-than-most." in table.intro
    assert "spoc: not run" in table.notes
    (whole,) = all_tables(boards(made))
    assert "names no other" not in whole.intro


def with_kinds(made, others):
    pooling = made.methods["pooling"]
    added = {kind: pooling.model_copy(update={"kind": kind, "name": name}) for kind, name in others.items()}
    return made.model_copy(update={"methods": {**made.methods, **added}, "id": made.id + "".join(others.values())})
