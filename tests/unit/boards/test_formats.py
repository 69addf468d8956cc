"""Every format of tables: hostile names, missing runs, marks, the same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

import harness
from harness.boards import FORMATS, boards
from harness.boards.render import make_table
from harness.boards.render.data import no_formula
from harness.boards.render.latex import latex
from harness.boards.render.markdown import escaped, plain_text

HOSTILE = "<script>alert(1)</script>|**x**"
NAMES = [
    HOSTILE,
    "$\\input{/etc/passwd}$ & 50% #1_a^b~",
    "=cmd|' /C calc'!A0",
    "`x` [a](javascript:b) \n# h\n| c |",
    "\x1b[31m",
]
COST = {"query_s_p50": 0.002, "bytes_per_image": 512.0}


class Tags(HTMLParser):
    """Tags and text of a document."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_html_has_no_tags_but_its_own(name, everywhere):
    plain, hostile = Tags(), Tags()
    plain.feed(harness.leaderboard(everywhere("x"), format="html", title="x", description="x"))
    hostile.feed(harness.leaderboard(everywhere(name), format="html", title=name, description=name))
    assert hostile.tags == plain.tags
    assert "script" not in hostile.tags
    readable = "".join(letter if letter.isprintable() else " " for letter in name)
    assert any(readable in text for text in hostile.texts)


@pytest.mark.parametrize("name", NAMES)
def test_markdown_has_as_many_rows_and_no_markup_of_a_name(name, rows, everywhere):
    text = harness.leaderboard(everywhere(name), title=name)
    assert len(rows(text)) == 3
    assert "<script" not in text
    assert "\x1b" not in text
    assert not re.search(r"(?<!\\)\*\*x", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert len(re.findall(r"^#", text, re.MULTILINE)) == 2  # the title and the dataset


@pytest.mark.parametrize("name", NAMES)
def test_latex_has_no_command_of_a_name(name, everywhere):
    def commands(name):
        text = harness.leaderboard(everywhere(name), format="latex", title=name)
        assert "\n\n" not in text
        found = re.findall(r"\\([a-zA-Z]+)", text)
        return [word for word in found if not word.startswith(("text", "star", "ldots"))]

    assert commands(name) == commands("x" * len(name))
    body = harness.leaderboard(everywhere(name), format="latex").split("\\midrule")[1].split("\\bottomrule")[0]
    assert len(re.findall(r"\\\\\n", body)) == 2
    assert all(len(re.findall(r"(?<!\\)&", line)) == 5 for line in body.strip().splitlines())


def test_latex_letters():
    assert latex("a_b & 5% {x} \\y") == r"a\_b \& 5\% \{x\} \textbackslash{}y"
    assert latex("88.1 ± 2 ★ᶜ –") == r"88.1 $\pm$ 2 $\star$\textsuperscript{c} --"


@pytest.mark.parametrize("name", NAMES)
def test_csv_has_no_formula_and_whole_lines(name, everywhere):
    text = harness.leaderboard(everywhere(name), format="csv")
    assert len(text.splitlines()) == 3
    for line in csv.reader(io.StringIO(text)):
        assert not [cell for cell in line if cell.lstrip()[:1] in ("=", "+", "@")]
    assert no_formula("\t=1") == "' =1"
    assert no_formula("-1+cmd") == "'-1+cmd"


@pytest.mark.parametrize("name", NAMES)
def test_json_gives_the_name_back_and_can_stand_in_a_page(name, everywhere):
    text = harness.leaderboard(everywhere(name), format="json", title=name)
    assert "<" not in text
    content = json.loads(text)
    assert content["title"] == name
    assert {row["labels"]["pooling"] for row in content["boards"][0]["rows"]} == {name, "ok"}


def whitened(record, non_default):
    """Two poolings with one whitening, of which the records say which parameters are not at their default."""
    records = []
    for pooling in ("gem", "mac"):
        base = record(pooling, non_default=non_default, protocol={"image_size": 256, "depth": 0})
        whitening = {"kind": "whitening", "name": "pca", "parameters": {"shrink": 0.2, "dimensions": 64}}
        methods = {**base.methods, "whitening": {**base.methods["pooling"].model_dump(), **whitening}}
        dataset = {**base.dataset.model_dump(), "parameters": {"per_class": 10, "path": "a"}}
        records.append(type(base).model_validate({**base.model_dump(), "methods": methods, "dataset": dataset}))
    return records


NON_DEFAULT = {
    "backbone": [],
    "pooling": [],
    "whitening": ["shrink"],
    "dataset": ["per_class"],
    "protocol": ["image_size"],
}


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_what_is_not_at_its_default_stands_above_the_table(format, record):
    text = harness.leaderboard(whitened(record, NON_DEFAULT), format=format).replace("\\_", "_")
    told = "whitening pca: shrink 0.2; dataset: per_class 10; protocol: image_size 256."
    assert f"Parameters not at their defaults: {told}" in text
    assert "dimensions" not in text


def test_older_records_say_all_parameters_as_they_do_not_say_which_are_defaults(record):
    text = harness.leaderboard(whitened(record, None)).replace("\\_", "_")
    told = "whitening pca (defaults included, they were not recorded): dimensions 64, shrink 0.2; dataset (defaults"
    assert f"Parameters not at their defaults: {told}" in text


def test_what_varies_stands_in_the_rows_and_not_above_them(record):
    records = [record(parameters={"p": p, "eps": 1e-3}, non_default={"pooling": ["eps", "p"]}) for p in (2.0, 4.0)]
    text = harness.leaderboard(records)
    assert "gem p=2" in text
    assert "Parameters not at their defaults: pooling gem: eps 0.001." in text


def test_json_and_csv_hold_all_parameters(record):
    records = whitened(record, NON_DEFAULT)
    (board,) = json.loads(harness.leaderboard(records, format="json"))["boards"]
    parameters = {"dimensions": 64, "shrink": 0.2}
    for row in board["rows"]:
        assert row["methods"]["whitening"] == {"name": "pca", "parameters": parameters, "non_default": ["shrink"]}
    assert board["data"] == {"name": "set", "parameters": {"path": "a", "per_class": 10}, "non_default": ["per_class"]}
    assert board["protocol_non_default"] == ["image_size"]
    for line in csv.DictReader(io.StringIO(harness.leaderboard(records, format="csv"))):
        assert json.loads(line["whitening parameters"]) == parameters
        assert json.loads(line["dataset parameters"]) == {"path": "a", "per_class": 10}
        assert json.loads(line["protocol"]) == {"image_size": 256, "depth": 0}


@pytest.mark.parametrize("format", FORMATS)
def test_missing_runs_are_a_cell_with_its_reason(format, record):
    stopped = {"code": "Timeout", "message": "took more than 60 s", "traceback": ""}
    records = [
        record("a"),
        record("b", status="failed"),
        record("c", status="missing"),
        record("d", status="failed", failure=stopped),
    ]
    text = harness.leaderboard(records, format=format)
    assert "failed: no memory" in text
    assert "not run" in text
    assert "timed out: took more than 60 s" in text


def test_a_board_before_any_run_shows_what_is_missing(record, rows):
    text = harness.leaderboard([record("a", status="missing"), record("b", status="failed")])
    assert rows(text) == [
        ["#", "pooling", "result", "runs"],
        ["", "a", "not run", "0 of 1"],
        ["", "b", "failed: no memory", "0 of 1"],
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_records_in_any_order_give_the_same_bytes(format, record):
    records = [record(name, 0.5, seed, figures=COST) for name in "abc" for seed in (0, 1)]
    records += [record("a", status="failed", seed=2), record("a", parameters={"p": 2})]
    assert harness.leaderboard(records, format=format) == harness.leaderboard(records[::-1], format=format)


def test_the_pareto_front_is_marked_for_time_and_memory(record, rows):
    def of(name, value, seconds, size):
        return record(name, value, figures={"query_s_p50": seconds, "bytes_per_image": size})

    records = [of("best", 0.9, 0.02, 512), of("fast", 0.8, 0.01, 512), of("neither", 0.7, 0.015, 1024)]
    (board,) = boards(records)
    assert [row.front for row in board.rows] == [("query_s_p50", "bytes_per_image"), ("query_s_p50",), ()]
    table = {row[1]: row for row in rows(harness.leaderboard(records, columns=["all"]))}
    assert table["best"][4:6] == ["20.00 ★", "**512** ★"]
    assert table["fast"][4:6] == ["**10.00** ★", "**512**"]
    assert table["neither"][4:6] == ["15.00", "1024"]


def test_what_looks_equal_is_equal_on_the_front(record):
    records = [record(name, 0.5, figures={"query_s_p50": t}) for name, t in (("a", 0.002001), ("b", 0.002002))]
    assert [row.front for row in boards(records)[0].rows] == [("query_s_p50",)] * 2


def test_no_front_over_several_machines(record):
    records = [record(n, figures=COST, environment={"cpu": n}) for n in "ab"]
    assert [row.front for row in boards(records)[0].rows] == [(), ()]
    assert "different machines and cannot be compared" in harness.leaderboard(records)


def test_cached_costs_are_the_original_ones_and_are_marked(record, rows):
    def stage(cached):
        return {"describe database": {"wall_s": 3.0, "cpu_s": 3.0, "peak_bytes": 2_000_000, "cached": cached}}

    text = harness.leaderboard([record("a", cost=stage(False)), record("b", cost=stage(True))], columns=["all"])
    assert rows(text)[0][4:6] == ["extraction ms/image", "peak MB"]
    assert [row[4:6] for row in rows(text)[1:]] == [["**1000.00**", "**2.0**"], ["**1000.00**ᶜ", "**2.0**ᶜ"]]
    assert "ᶜ: spent, at least in part, by an earlier run" in text


def test_costs_beside_other_runs_are_marked(record, rows):
    cost = {"search": {"wall_s": 3.0, "cpu_s": 3.0, "peak_bytes": 2_000_000, "cached": False, "contended": True}}
    text = harness.leaderboard([record("a", cost=cost, figures={"query_s_p50": 0.002})])
    assert rows(text)[1][4] == "2.00‡"
    assert "‡: measured while other runs shared the machine." in text


def test_methods_that_only_their_source_tells_apart_have_different_labels(record):
    one, two = record("gem"), record("gem", value=0.4, id="other")
    two = two.model_copy(
        update={"methods": {kind: m.model_copy(update={"digest": "abcdef123"}) for kind, m in two.methods.items()}}
    )
    assert {row.labels["pooling"] for row in boards([one, two])[0].rows} == {"gem (p 1 d)", "gem (p 1 abcdef)"}


def test_parameters_that_are_equal_when_short_are_written_whole(record):
    records = [record(parameters={"weights": f"{folder}/x.npz"}) for folder in ("one", "two")]
    assert {row.labels["pooling"] for row in boards(records)[0].rows} == {
        "gem weights=one/x.npz",
        "gem weights=two/x.npz",
    }
    long = [record(parameters={"text": letter * 100}) for letter in "ab"]
    assert all(len(row.labels["pooling"]) < 50 for row in boards(long)[0].rows)


def test_a_method_that_lacks_seeds_is_named_and_does_not_spoil_the_others(record):
    records = [
        record(name, value + seed / 100, seed, task="active-learning", metrics={"accuracy@10": value + seed / 100})
        for name, value in (("a", 0.5), ("b", 0.2), ("c", 0.3))
        for seed in range(10)
        if name != "c" or seed == 0
    ]
    records = [r.model_copy(update={"details": {}}) for r in records]
    (board,) = boards(records)
    assert [(row.labels["pooling"], row.rank, row.rank_last) for row in board.rows] == [
        ("a", 1, 1),
        ("c", None, None),
        ("b", 2, 2),
    ]
    assert "c: not compared: it lacks some of the 10 seeds" in harness.leaderboard(records)


def test_plain_text_keeps_columns_below_each_other_and_blanks():
    table = make_table(("", "", ""), [["a", "b", "c"], ["long", 1.5, "  url"]])
    assert plain_text(table) == "a     b    c\nlong  1.5    url"
    assert plain_text(make_table(("x", "y"), [["a", "1"]], right=["y"])) == "x      y\na      1"
    assert plain_text(make_table((), [])) == ""


@pytest.mark.parametrize(
    ("text", "expected"), [("a_b", "a\\_b"), ("# x", "\\# x"), ("1 # 2", "1 # 2"), ("a&b", "a&amp;b")]
)
def test_markdown_letters(text, expected):
    assert escaped(text) == expected
