from __future__ import annotations

import base64
import csv
import hashlib
import os
import re

import page_records as made
import pytest
from typer.testing import CliRunner

import harness
from harness.boards import NotComparable
from harness.cli.app import app
from harness.core.errors import DataDamaged, InvalidInput, SpecError
from harness.core.signed import signed
from harness.runs.store import Store
from harness.site.folder import MARK, replaced_folder
from harness.site.names import run_name, slug, unique
from harness.site.view import value_text


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "site"
    harness.write_page(made.some(), folder, title="A & B")
    return folder


@pytest.fixture(scope="module")
def index(site):
    return (site / "index.html").read_text()


def test_all_rows_link_to_a_page_that_links_to_records_that_are_there(site, index):
    pages = re.findall(r'href="(methods/[^"]+)"', index)
    assert len(set(pages)) == 13 == len(list((site / "methods").iterdir()))
    records = {link for page in pages for link in re.findall(r'href="\.\./(records/[^"]+)"', (site / page).read_text())}
    assert {path.name for path in (site / "records").iterdir()} == {link.removeprefix("records/") for link in records}
    assert len(records) == 27  # of 28 runs one was not done


def test_parameters_that_no_label_shows_and_warnings_stand_above_the_table(tmp_path):
    parts = {"backbone": [], "pooling": ["p"], "dataset": [], "protocol": ["image_size"]}
    run = made.retrieval("gem", parameters={"p": 2.5}, non_default=parts)
    cut = run.dataset.model_copy(update={"expected": {"images": 4993}})
    harness.write_page([run.model_copy(update={"dataset": cut})], tmp_path / "site", pictures=False)
    page = (tmp_path / "site" / "index.html").read_text()
    table = page.index("<table")
    for text in (
        "Parameters not at their defaults: pooling gem: p 2.5; protocol: image_size 256.",
        "Not comparable with other results of synthetic-instances: 600 images (catalogue: 4,993).",
    ):
        assert page.index(text) < table


def test_names_of_plugins_stay_text(site):
    for name, content in contents(site).items():
        if name.endswith(".html"):
            assert b"<script>alert" not in content
            assert content.count(b"<script>") == 1
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;|**x**" in (site / "index.html").read_bytes()


def test_the_policy_allows_the_own_script_and_style_only(index):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', index)[1].replace("&#39;", "'")
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        text = re.search(f"<{tag}>(.*?)</{tag}>", index, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', index)
    assert not re.search(r"\sstyle=|\son\w+=", index)


def test_the_same_records_give_the_same_bytes_in_any_order(site, tmp_path):
    harness.write_page(made.some()[::-1], tmp_path / "again", title="A & B")
    assert contents(tmp_path / "again") == contents(site)


def test_failed_and_missing_runs_are_seen_with_their_reason(site, index):
    assert index.count('class="gone">failed: no memory<') == 1
    assert index.count('class="gone">not run<') == 1
    assert "26 runs done, 1 failed, 1 not run" in index
    page = next(path.read_text() for path in (site / "methods").iterdir() if "os-egm" in path.name)
    assert "Seed 0 failed: MemoryError: no memory" in page
    assert "Traceback:\n  line\nMemoryError</pre>" in page


def test_a_card_shows_parameters_and_where_a_method_comes_from(index):
    card = re.search(r'<article class="card" id="method-pooling-gem">.*?</article>', index, re.DOTALL)[0]
    assert "2.0  |  3.0  |  4.0" in card
    assert "1e-06" in card
    assert f"vision-evaluation-harness {harness.__version__}" in card
    assert "0123456789abcdef" in card
    assert "Generalised mean" in card  # its documentation, as this gem is installed
    other = re.search(r'id="method-pooling-mac".*?</article>', index, re.DOTALL)[0]
    assert "some-plugin 1.2" in other
    assert "Maximum" not in other  # that of another plugin's mac
    hostile = re.search(r'id="method-pooling-script-alert.*?</article>', index, re.DOTALL)[0]
    assert "No parameters" in hostile


def test_a_page_of_a_method_shows_runs_costs_and_environment(site):
    page = next(path.read_text() for path in (site / "methods").iterdir() if "coreset" in path.name)
    assert len(re.findall(r'<tr id="run-digits-small-cnn-supervised-coreset-\d"><th scope="row">\d</th>', page)) == 6
    # Stages that were cached do not count: only seed 0 measured it.
    assert re.search(r"<td>1.200</td><td>0.400</td><td>2.0</td><td>1 of 6</td>", page)
    assert "2026-01-02 03:04:05 UTC" in page
    assert "<td>2.5</td>" in page
    assert "a processor" in page
    assert page.count("<h2>Environment</h2>") == 1


def test_tables_and_pictures_link_to_their_numbers(site, index):
    files = re.findall(r'href="(numbers/[^"]+)" download', index)
    assert set(files) == {str(path.relative_to(site)) for path in (site / "numbers").iterdir()}
    assert {*files} == {f"numbers/{name}.csv" for name in NUMBERS}
    table = list(csv.DictReader((site / "numbers" / "synthetic-instances.csv").open()))
    assert [row["pooling"] for row in table[:2]] == ["gem p=4", "gem p=3"]


NUMBERS = [
    *("digits", "digits-cost", "digits-curves", "digits-intervals"),
    *("synthetic-instances", "synthetic-instances-cost", "synthetic-instances-intervals"),
]


def test_best_first_with_spread_and_interval(index):
    board = re.search(r'id="board-digits".*?</section>', index, re.DOTALL)[0]
    assert re.findall(r'<th scope="row" class="method"><a [^>]+>([^<]+)', board) == ["coreset", "entropy", "random"]
    assert "<b>87.00</b><small> ± 1.79</small>" in board
    low, mid, high = re.search(r'x1="([\d.]+)" x2="([\d.]+)".*?cx="([\d.]+)"', board).groups()
    assert float(low) < float(high) < float(mid) <= 104


def test_ranks_over_several_boards_have_a_tab(tmp_path, index):
    records = [
        made.retrieval(name, value, dataset=dataset)
        for dataset in ("one", "two")
        for name, value in {"gem": 0.6, "mac": 0.5, made.HOSTILE: 0.4}.items()
    ]
    text = harness.write_page(records, tmp_path / "site", pictures=False).index.read_text()
    ranks = re.search(r'id="ranks-retrieval".*?</section>', text, re.DOTALL)[0]
    assert re.findall(r'<th scope="row">([^<]*)</th><td>1</td><td>1</td><td>1.00</td>', ranks) == ["tiny · gem"]
    assert "&lt;script&gt;" in ranks
    assert 'href="#ranks-retrieval"' in text
    assert "ranks-" not in index  # one board a task


def test_mean_ranks_are_drawn_where_there_are_boards_enough(tmp_path, monkeypatch):
    records = [
        made.retrieval(name, value, dataset=f"set-{number}")
        for number in range(6)
        for name, value in {"gem": 0.6, "mac": 0.5, "spoc": 0.4}.items()
    ]
    monkeypatch.setattr(
        "harness.site.view.plots", lambda boards, data: {}
    )  # those of each board are drawn by other tests
    text = harness.write_page(records, tmp_path / "site").index.read_text()
    assert 'alt="Mean ranks: Ranks, retrieval"' in text
    text = harness.write_page(records, tmp_path / "site", pictures=False).index.read_text()
    assert "<img" not in text


PUBLISHED = """\
source: {work: "A. Author. Title. 2020", table: Table 1}
columns: [{title: mAP, dataset: toy-images, metric: map_medium}]
rows:
  - {name: ours, methods: {pooling: gem}, values: [51.5]}
  - {name: theirs, methods: {pooling: another}, values: [77.7]}
"""


def test_published_numbers_beside_a_spec_stand_on_the_page(tmp_path, toy):
    methods = "methods: {backbone: colour, pooling: [mac, gem]}"
    spec = f"name: toy\ntask: retrieval\ndatasets: toy-images\n{methods}\nplugins: [{toy}]\n"
    (tmp_path / "spec.yaml").write_text(spec)
    (tmp_path / "reference.yaml").write_text(PUBLISHED)
    text = harness.write_page(tmp_path / "spec.yaml", tmp_path / "site", pictures=False).index.read_text()
    assert "51.5" in text
    assert "Table 1 of A. Author. Title. 2020" in text
    row = re.search(r"<tr[^>]*>(?:(?!</tr>).)*77\.7.*?</tr>", text, re.DOTALL)[0]
    assert 'href="methods/' not in row  # nobody ran it here
    other = tmp_path / "other"
    other.mkdir()
    (other / "spec.yaml").write_text(spec)
    (other / "reference.yaml").write_text(PUBLISHED.replace("Table 1", "Table 2"))
    both = harness.write_page([tmp_path / "spec.yaml", other / "spec.yaml"], tmp_path / "both", pictures=False)
    assert both.notes == ("toy-images: published numbers of Table 1 are shown; for those of Table 2, make other pages",)
    assert "<h1>toy</h1>" in both.index.read_text()
    assert len(list((tmp_path / "site" / "methods").iterdir())) == 2


def test_data_that_are_missing_are_named_and_the_rest_is_shown(tmp_path):
    methods = "methods: {learning: supervised, acquisition: random}"
    (tmp_path / "spec.yaml").write_text(f"name: two\ntask: active-learning\ndatasets: [digits, mnist]\n{methods}\n")
    written = harness.write_page(tmp_path / "spec.yaml", tmp_path / "site", pictures=False)
    assert written.boards >= 1
    assert any("mnist" in note.lower() for note in written.notes)


def test_of_two_records_of_one_run_the_one_that_says_more_counts(tmp_path):
    run = made.retrieval("gem", 0.5)
    for order in ([run, made.failed(run), made.missing(run)], [made.missing(run), made.failed(run), run]):
        written = harness.write_page(order, tmp_path / "site", pictures=False)
        assert written.records == 1
        assert "1 run done." in (tmp_path / "site" / "index.html").read_text()


def test_ids_that_are_no_file_names_stay_inside(tmp_path):
    records = [made.retrieval("gem", id="../../outside"), made.retrieval("mac", id="/x")]
    harness.write_page(records, tmp_path / "site", pictures=False)
    names = set(contents(tmp_path))
    assert all(name.startswith("site/") for name in names)
    assert len([name for name in names if name.startswith("site/records/")]) == 2


def test_copies_of_files_are_the_files(tmp_path):
    store = Store(tmp_path / "runs")
    for record in (made.retrieval("gem"), made.retrieval("mac")):
        store.write(made.plausible(record))
    harness.write_page(tmp_path / "runs", tmp_path / "site", pictures=False)
    assert contents(tmp_path / "site" / "records") == contents(tmp_path / "runs")


def test_one_record_file(tmp_path):
    record = made.plausible(made.retrieval("gem"))
    Store(tmp_path / "runs").write(record)
    written = harness.write_page(tmp_path / "runs" / f"{record.id}.json", tmp_path / "site", pictures=False)
    assert written.records == 1
    assert contents(tmp_path / "site" / "records") == contents(tmp_path / "runs")


def test_records_without_a_file_are_written(tmp_path):
    whole = made.plausible(made.retrieval("gem"))
    harness.write_page(whole, tmp_path / "site", pictures=False)
    (record,) = Store(tmp_path / "site" / "records").read_all()
    assert record == whole


def test_a_failure_leaves_the_page_that_was_there(tmp_path, monkeypatch):
    harness.write_page(made.some(), tmp_path / "site", pictures=False)
    before = contents(tmp_path)
    monkeypatch.setattr("harness.site.site._index", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        harness.write_page([made.retrieval("gem")], tmp_path / "site", pictures=False)
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == ["site"]


def test_a_new_page_replaces_the_old_one_whole(tmp_path):
    harness.write_page(made.some(), tmp_path / "site", pictures=False)
    harness.write_page([made.retrieval("gem")], tmp_path / "site", pictures=False)
    assert len(list((tmp_path / "site" / "methods").iterdir())) == 1
    assert os.listdir(tmp_path) == ["site"]


def test_the_old_page_comes_back_when_the_new_one_cannot_take_its_place(tmp_path):
    place = tmp_path / "site"
    place.mkdir()
    (place / "index.html").write_text(MARK)
    with pytest.raises(FileNotFoundError), replaced_folder(place) as new:
        os.rmdir(new)
    assert contents(place) == {"index.html": MARK.encode()}


@pytest.mark.parametrize("name", ["notes.txt", "index.html"])
def test_a_folder_of_something_else_is_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("<html>mine</html>")
    with pytest.raises(InvalidInput, match="did not write"):
        harness.write_page([made.retrieval("gem")], tmp_path)
    assert contents(tmp_path) == {name: b"<html>mine</html>"}


def test_a_file_is_not_replaced(tmp_path):
    (tmp_path / "site").write_text("mine")
    with pytest.raises(InvalidInput, match="is a file"):
        harness.write_page([made.retrieval("gem")], tmp_path / "site")


def test_nothing_to_show_is_an_error(tmp_path):
    with pytest.raises(SpecError, match="nothing to write a page of"):
        harness.write_page([], tmp_path / "site")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="there are no records in"):
        harness.write_page(tmp_path / "empty", tmp_path / "site")


def test_records_that_cannot_be_compared_are_refused(tmp_path):
    with pytest.raises(NotComparable):
        harness.write_page([made.retrieval("gem"), made.retrieval("mac", protocol_id="another")], tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_the_command_takes_folders_and_says_where_to_look(tmp_path):
    for name, records in {"one": [made.retrieval("gem")], "two": [made.active("random")]}.items():
        for record in records:
            Store(tmp_path / name).write(made.plausible(record))
    folders = [str(tmp_path / name) for name in ("one", "two")]
    done = CliRunner().invoke(app, ["page", *folders, "--no-pictures", "--out", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    assert f"2 boards of 2 records. Open {tmp_path / 'site' / 'index.html'}" in done.output
    assert "<img" not in (tmp_path / "site" / "index.html").read_text()


def test_a_spec_before_any_run_shows_what_is_missing(tmp_path, root):
    spec = root / "leaderboards" / "quick-active" / "spec.yaml"
    (tmp_path / "spec.yaml").write_text(spec.read_text())  # away from the records that make demo leaves
    written = harness.write_page(tmp_path / "spec.yaml", tmp_path / "site", pictures=False)
    text = written.index.read_text()
    assert "<h1>quick-active</h1>" in text
    assert "0 runs done, 60 not run." in text
    assert not list((tmp_path / "site" / "records").iterdir())


@pytest.mark.parametrize(
    ("given", "expected"),
    [("A / b_C", "a-b-c"), ("../..", ""), ("é", ""), ("x" * 99, "x" * 60), ("a" * 59 + "-b", "a" * 59)],
)
def test_slugs(given, expected):
    assert slug(given) == expected


def test_names_are_told_apart():
    assert unique(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]


@pytest.mark.parametrize("run_id", ["0123abcd", "x.y-z_1"])
def test_plain_ids_are_file_names(run_id):
    assert run_name(run_id) == run_id


@pytest.mark.parametrize("run_id", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "x" * 101, "a\n"])
def test_other_ids_become_digests(run_id):
    assert re.fullmatch(r"[0-9a-f]{24}", run_name(run_id))


def test_values_in_one_line():
    assert value_text({"b": [1, 2.5], "a": None, "c": True}) == "a none, b 1, 2.5, c True"
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert value_text(deep) == "…"


def signed_again(text):
    body = text.partition("\n")[2]
    return '{"checksum": "' + hashlib.sha256(("{" + body).encode()).hexdigest() + '",\n' + body


def test_a_record_with_half_a_character_is_damaged(tmp_path):
    record = made.plausible(made.retrieval("half"))
    text = signed(record.model_dump(by_alias=True)).decode().replace("half", "\\ud800")
    (tmp_path / "x.json").write_text(signed_again(text))
    with pytest.raises(DataDamaged, match="surrogates"):
        harness.write_page(tmp_path / "x.json", tmp_path / "site")
    record = made.plausible(made.retrieval("\U0001f600"))
    text = signed(record.model_dump(by_alias=True)).decode().replace("\U0001f600", "\\ud83d\\ude00")
    (tmp_path / "x.json").write_text(signed_again(text))
    written = harness.write_page(tmp_path / "x.json", tmp_path / "site", pictures=False)
    assert "\U0001f600" in written.index.read_text("utf-8")


def test_the_first_tab_is_the_first_board_that_was_named(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        one = made.plausible(made.retrieval(name))
        one = one.model_copy(update={"dataset": one.dataset.model_copy(update={"name": f"set-{name}"})})
        (tmp_path / name / f"{one.id}.json").write_bytes(signed(one.model_dump(by_alias=True)))
    for order in ("ab", "ba"):
        harness.write_page([tmp_path / name for name in order], tmp_path / order, pictures=False)
        page = (tmp_path / order / "index.html").read_text()
        assert (page.index('href="#board-set-a"') < page.index('href="#board-set-b"')) == (order == "ab")
