"""Boards of the bundles of many people: the same in any order, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter

import numpy as np
import pytest
from people import bundle, record, store, ten_bundles

import harness
from harness.bundles.bundle import open_bundle, packed
from harness.bundles.merging import merge
from harness.bundles.publishing import publish
from harness.cli import main
from harness.core.errors import DataDamaged, DataMissing, UnknownName
from harness.runs.store import Store
from harness.runs.targets import find_results
from harness.runs.tolerances import for_metrics
from harness.studies.verify_records import verify_records


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """The bundles of ten people."""
    return ten_bundles(tmp_path_factory.mktemp("people"), plugins=2)


@pytest.fixture(scope="module")
def merged(bundles, tmp_path_factory):
    """All of them, at once."""
    folder = tmp_path_factory.mktemp("merged") / "board"
    return merge(bundles, folder)


def content(folder):
    """Every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def repetitions(folder):
    """What the boards of a folder say of each run."""
    files = (folder / "boards").glob("*/repetitions.jsonl")
    return {run["run"]: run for file in files for run in map(json.loads, file.read_text().splitlines())}


def merged_in_order(bundles, folder, order):
    """Some bundles at a time, in any order, some of them again."""
    rng, waiting = random.Random(order), [*bundles, *bundles[:3]]
    rng.shuffle(waiting)
    while waiting:
        count = rng.randrange(3, len(waiting) + 3)
        merge(waiting[:count], folder)
        del waiting[:count]
    return content(folder)


@pytest.mark.parametrize("order", range(2))
def test_any_order_gives_the_same_bytes(bundles, merged, tmp_path, order):
    assert merged_in_order(bundles, tmp_path / "board", order) == content(merged.folder)


@pytest.mark.slow
def test_forty_orders_of_the_bundles_of_ten_plugins_give_the_same_bytes(tmp_path):
    bundles = ten_bundles(tmp_path / "people", plugins=10)
    merge(bundles, tmp_path / "all")
    expected = content(tmp_path / "all")
    assert sum(name.startswith("boards/") and "/runs/" in name for name in expected) == 4 + 2 + 4 + 10
    for order in range(40):
        assert merged_in_order(bundles, tmp_path / str(order), order) == expected


def test_no_record_is_lost(bundles, merged):
    published = Counter()
    for file in bundles:
        opened = open_bundle(file)
        published.update(opened.run_ids)
        assert (merged.folder / "bundles" / file.name).read_bytes() == file.read_bytes()
    found = repetitions(merged.folder)
    assert {run_id: sum(len(r["bundles"]) for r in run["records"].values()) for run_id, run in found.items()} == dict(
        published
    )
    assert merged.runs == len(published)
    assert merged.bundles == 10


def test_each_dataset_and_protocol_has_its_board(merged):
    boards = json.loads((merged.folder / "boards" / "index.json").read_text())["boards"]
    assert len(boards) == 3
    assert {(board["fingerprint"][0], board["protocol"]["image_size"]) for board in boards.values()} == {
        ("f", 256),
        ("e", 256),
        ("f", 512),
    }


def test_boards_say_who_measured_and_who_disagrees(merged):
    (name,) = (name for name, count in merged.boards.items() if count > 6)
    text = (merged.folder / "boards" / name / "README.md").read_text()
    assert "Person 0, Person 1, Person 2" in text
    assert "map_medium from 40.00 to 60.00" in text.replace("\\_", "_")
    assert any("map_medium from 40.00 to 60.00" in sentence for sentence in merged.disagreements)
    assert merge([], merged.folder, tolerance={"": 30.0}).disagreements == ()
    merge([], merged.folder)


def test_a_board_is_read_by_the_other_commands(merged):
    name = next(iter(merged.boards))
    assert all(not check.problem for check in verify_records(merged.folder / "boards" / name))
    of_folder = find_results(merged.folder / "boards" / name)
    assert len(of_folder.require_records()) == merged.boards[name]
    stored = find_results(merged.folder / "boards" / name / "results.json")
    assert stored.boards
    assert harness.leaderboard(of_folder) == harness.leaderboard(stored)


@pytest.mark.parametrize(
    ("values", "taken"),
    [([0.5], 0.5), ([0.9, 0.5], 0.5), ([0.5, 0.99, 0.51], 0.51), ([0.5, 0.99, 0.51, 0.52], 0.51)],
)
def test_of_repetitions_the_middle_one_is_taken(tmp_path, values, taken):
    files = [bundle(tmp_path / str(n), record(aps=[value] * 8)) for n, value in enumerate(values)]
    merge(files, tmp_path / "board")
    (file,) = (tmp_path / "board" / "boards").glob("*/runs/*.json")
    assert Store(file.parent).read(file.stem).metrics["map_medium"] == taken


def test_a_record_in_two_bundles_is_one_repetition(tmp_path):
    same, other = record(), record("mac")
    files = [bundle(tmp_path / "a", same, name="A"), bundle(tmp_path / "b", same, other, name="B")]
    merged = merge(files, tmp_path / "board")
    assert merged.records == merged.runs == 2
    (first,) = repetitions(tmp_path / "board")[same.id]["records"].values()
    assert first["measured_by"] == ["A", "B"]


def test_a_failed_repetition_is_kept_and_not_taken(tmp_path):
    failure = {"code": "MemoryLimit", "message": "no memory", "traceback": ""}
    failed = record(status="failed", failure=failure, metrics={}, details={})
    merged = merge([bundle(tmp_path / "a", record()), bundle(tmp_path / "b", failed)], tmp_path / "board")
    assert "1 of 2 repetitions failed" in merged.disagreements[0]
    (file,) = (tmp_path / "board" / "boards").glob("*/runs/*.json")
    assert Store(file.parent).read(file.stem).status == "done"


def test_nothing_is_merged_where_one_bundle_is_wrong(tmp_path):
    good, bad = bundle(tmp_path / "a", record()), tmp_path / "bad.zip"
    bad.write_bytes(good.read_bytes()[:-40])
    with pytest.raises(DataDamaged, match="bad.zip"):
        merge([good, bad], tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "board" / "boards").mkdir(parents=True)
    (tmp_path / "board" / "boards" / "mine.txt").write_text("mine")
    with pytest.raises(DataDamaged, match="harness merge did not write it"):
        merge([bundle(tmp_path / "a", record())], tmp_path / "board")
    assert (tmp_path / "board" / "boards" / "mine.txt").read_text() == "mine"
    with pytest.raises(DataMissing, match="there is no bundle"):
        merge([tmp_path / "none"], tmp_path / "other")


def test_a_bundle_that_is_taken_out_leaves_no_trace(tmp_path):
    first = bundle(tmp_path / "a", record())
    merge([first], tmp_path / "one")
    second = bundle(tmp_path / "b", record("mac"))
    merge([first, second], tmp_path / "two")
    (tmp_path / "two" / "bundles" / second.name).unlink()
    merge([], tmp_path / "two")
    assert content(tmp_path / "two") == content(tmp_path / "one")


def test_stored_rankings_come_along(tmp_path):
    ranks = np.arange(16, dtype=np.int32).reshape(8, 2)
    path = tmp_path / "runs" / f"{record().id}.ranks.npy"
    path.parent.mkdir()
    np.save(path, ranks)
    kept = {"wanted": None, "shape": [8, 2], "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    file = bundle(tmp_path, record(details={"ap_medium": [0.5] * 8, "kept_ranks": kept}))
    merge([file], tmp_path / "board")
    (there,) = (tmp_path / "board" / "boards").glob("*/runs/*.npy")
    assert there.read_bytes() == path.read_bytes()
    np.save(path, ranks[::-1])
    with pytest.raises(DataDamaged, match="is not what the run left"):
        open_bundle(bundle(tmp_path, record(details={"ap_medium": [0.5] * 8, "kept_ranks": kept})))


def test_a_page_of_the_folder_is_one_of_all_its_boards(tmp_path):
    other = {"name": "other", "loader": "l", "parameters": {}, "digest": "v1", "fingerprint": "e" * 64}
    folder = merge([bundle(tmp_path, record(), record("mac", dataset=other))], tmp_path / "board").folder
    boards = sorted(path for path in (folder / "boards").iterdir() if path.is_dir())
    assert len(boards) == 2
    (folder / "boards" / ".ipynb_checkpoints").mkdir()
    assert harness.write_page(folder, tmp_path / "root", title="all", pictures=False).boards == 2
    harness.write_page(boards, tmp_path / "one by one", title="all", pictures=False)
    assert content(tmp_path / "root") == content(tmp_path / "one by one")


def with_spec(file, folder, **spec):
    """A bundle with a spec in it, which no plan was made of."""
    opened = open_bundle(file)
    parts = {name: (opened.folder / name).read_bytes() for name in opened.manifest.files}
    parts["spec.yaml"] = json.dumps(spec).encode()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    manifest = opened.manifest.model_copy(update={"files": sums})
    folder.mkdir()
    path = folder / f"{manifest.id}.zip"
    path.write_bytes(packed(manifest, parts))
    return path


def people_with_specs(folder, *specs):
    """Bundles of people who measured the same, each with a spec of their own; None: without."""
    for number, spec in enumerate(specs):
        file = bundle(folder / str(number), record(), record("mac", [0.4] * 8), name=f"P {number}")
        yield file if spec is None else with_spec(file, folder / f"spec {number}", **spec)


def test_a_board_has_what_the_specs_of_its_bundles_agree_on(tmp_path):
    spec = {"name": "poolings", "description": "# Which pooling? <b>GeM</b> [see](http://x.org)", "baseline": "mac"}
    merged = merge([*people_with_specs(tmp_path, spec, spec, None)], tmp_path / "board")
    assert merged.notes == ()
    (folder,) = (tmp_path / "board" / "boards").glob("*/")
    text, stored = (folder / "README.md").read_text(), json.loads((folder / "results.json").read_text())
    assert "# poolings\n\nWhich pooling? ‹b›GeM‹/b› (see)(http" in text, "a stranger's text is no markup"
    assert (stored["title"], stored["description"]) == ("poolings", "Which pooling? ‹b›GeM‹/b› (see)(http://x.org)")
    assert stored["boards"][0]["baseline"] == "mac"
    of_folder = find_results(folder)
    assert (of_folder.title, of_folder.design.baseline) == ("poolings", "mac")
    assert harness.leaderboard(of_folder) == harness.leaderboard(find_results(folder / "results.json"))


def test_what_the_specs_of_bundles_differ_in_is_not_taken_and_said(tmp_path):
    specs = [{"name": "a", "baseline": "mac"}, {"name": "b", "description": "Mine.", "baseline": "mac"}]
    files = [*people_with_specs(tmp_path, *specs)]
    merged = merge(files, tmp_path / "board")
    said = "The specs of its bundles differ in name and description: the board takes none of them."
    assert [note.partition(": ")[2] for note in merged.notes] == [said]
    (folder,) = (tmp_path / "board" / "boards").glob("*/")
    assert f"# set\n\n{said}" in (folder / "README.md").read_text()
    assert json.loads((folder / "results.json").read_text())["boards"][0]["baseline"] == "mac"
    merge(files[::-1], tmp_path / "again")
    assert content(tmp_path / "again") == content(tmp_path / "board")


def test_a_baseline_that_a_merged_board_lacks_is_said(tmp_path):
    merge([*people_with_specs(tmp_path, {"name": "a", "baseline": "rmac"})], tmp_path / "board")
    (folder,) = (tmp_path / "board" / "boards").glob("*/")
    assert 'Its baseline "rmac" is no single row of this board.' in (folder / "README.md").read_text()
    assert harness.leaderboard(find_results(folder))


def test_a_tolerance_for_a_metric_that_nobody_measured_is_refused(bundles, tmp_path):
    with pytest.raises(UnknownName, match=r'(?s)for "map_medum", which no record has.*did you mean "map_medium"'):
        merge(bundles, tmp_path / "board", tolerance={"map_medum": 1.0})
    assert not (tmp_path / "board").exists(), "nothing is merged"
    merge(bundles, tmp_path / "board", tolerance={"map_medium": 1.0, "": 0.5})
    (board, *_) = (tmp_path / "board" / "boards").glob("*/")
    with pytest.raises(UnknownName, match="which no record has"):
        verify_records(board, tolerance={"map_medum": 1.0})
    verify_records(board, tolerance={"map_medium": 1.0, "": 0.5})


def test_of_tolerances_for_several_records_each_heeds_its_own():
    assert for_metrics({"map_medium": 1.0, "accuracy": 2.0}, ["map_medium"]) == {"map_medium": 1.0}
    assert for_metrics({"accuracy": 2.0}, ["map_medium"]) == {"": 0.0}, "by nothing, and details do not count"
    assert for_metrics(None, ["map_medium"]) is None


def test_commands_publish_merge_and_verify(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "runs", record(), record("mac"))
    assert called(monkeypatch, "harness publish runs --out b --measured-by A --licence CC0") == 0
    (file,) = (tmp_path / "b").iterdir()
    assert capsys.readouterr().out == f"2 records, 0 plugin files: b/{file.name}\n"
    assert called(monkeypatch, "harness merge") == 4  # not an empty board in a folder that was not meant
    assert "there are no bundles in board/bundles, and none are given" in capsys.readouterr().err
    assert called(monkeypatch, "harness merge b --into board --tolerance 0.5") == 0
    assert "1 bundle, 2 runs, 2 records: 1 board." in capsys.readouterr().out
    (board,) = (tmp_path / "board" / "boards").glob("*/")
    assert called(monkeypatch, f"harness publish {board} --out again --measured-by B --licence CC0") == 0
    assert called(monkeypatch, f"harness page {board} --no-pictures --out page") == 0
    assert "1 board of 2 records. Open page/index.html" in capsys.readouterr().out
    assert called(monkeypatch, "harness page board --no-pictures --out all") == 0
    assert "1 board of 2 records. Open all/index.html" in capsys.readouterr().out
    assert called(monkeypatch, f"harness records verify {file}") == 0
    assert "2 records: 2 OK, 0 wrong." in capsys.readouterr().out
    assert called(monkeypatch, "harness records verify b") == 2  # a folder of bundles has no records of its own
    assert "there are no records in b\n" in capsys.readouterr().err
    file.write_bytes(file.read_bytes().replace(b"0.5", b"0.6"))
    assert called(monkeypatch, f"harness records verify {file}") == 4
    assert called(monkeypatch, "harness merge b --into other") == 4
    assert "Bad CRC-32" in capsys.readouterr().err
    assert called(monkeypatch, "harness publish nothing --out b --measured-by A --licence CC0") == 2


def called(monkeypatch, line):
    """The exit code of a command."""
    monkeypatch.setattr("sys.argv", line.split())
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_the_same_records_give_the_same_bundle(tmp_path):
    records = [record(), record("mac")]
    files = [bundle(tmp_path / "a", *records), bundle(tmp_path / "b", *reversed(records))]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].name == files[1].name
    again = publish(store(tmp_path / "a" / "runs"), tmp_path / "x.zip", measured_by="A. Example", licence="CC0")
    assert again.file.read_bytes() == files[0].read_bytes()
