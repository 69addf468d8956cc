"""Results of others as records: LabelBench, CDALBench, mteb, any table."""

from __future__ import annotations

import json
import pickle
import random
import re

import pytest

import harness
from harness.boards import read_reference
from harness.boards.board import NotComparable
from harness.boards.building import boards
from harness.boards.picks import pick_agreement, picks_table
from harness.boards.published import with_published
from harness.core.errors import DataDamaged, Errors, HarnessError, InvalidInput, SpecError
from harness.runs.store import Store
from harness.runs.targets import find_results
from harness.studies.imports.curves import import_cdalbench
from harness.studies.imports.labelbench import import_labelbench
from harness.studies.imports.mteb import mteb_reference, reference_text
from harness.studies.imports.records import write_imported
from harness.studies.imports.tables import import_table
from harness.studies.reproduce import reproduce

SETTING = "cifar10/bs_10/embed_none/model_linear/trainer_passive"


def curves(accuracies, step=10):
    cycles = range(1, len(accuracies) + 1)
    return {"Num Labeled": [step * i for i in cycles], "Test Accuracy": accuracies, "Epoch": list(cycles)}


def write_run(folder, method, seed, content, setting=SETTING):
    path = folder / setting / f"{method}_{seed}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return path


@pytest.fixture
def results(tmp_path):
    """Two methods, three seeds, three cycles of ten labels, a first set for each seed."""
    for seed in (1, 2, 3):
        rng = random.Random(seed)
        order = rng.sample(range(100), 100)
        for offset, (method, gain) in enumerate((("margin_sampling", 0.1), ("random_sampling", 0.05))):
            picks = order[:10] + order[10 + 5 * offset : 30 + 5 * offset]
            write_run(tmp_path / "published", method, seed, [curves([0.5, 0.5 + gain, 0.5 + 2 * gain]), picks])
    return tmp_path / "published"


def test_a_run_of_labelbench_is_a_record_that_says_who_measured_it(results, tmp_path):
    found = import_labelbench(results)
    assert not found.refused
    store = write_imported(found.records, tmp_path / "records")
    record = store.read(found.records[0].id)
    assert record == found.records[0]
    assert (record.measured_by, record.seed, record.methods["acquisition"].name) == ("LabelBench", 1, "margin")
    assert record.protocol == {"batch": 10, "embedding": "none", "model": "linear", "trainer": "passive"}
    assert record.metrics["accuracy@30"] == 0.7
    assert [len(cycle["labelled"]) for cycle in record.details["cycles"]] == [10, 10, 10]


def test_boards_mark_what_was_imported(results, tmp_path):
    write_imported(import_labelbench(results, "Somebody, 2023").records, tmp_path / "records")
    (board,) = boards(find_results(tmp_path / "records").records)
    assert [row.labels["acquisition"] for row in board.rows] == ["margin", "random"]
    assert {row.measured_by for row in board.rows} == {("Somebody, 2023",)}
    text = harness.leaderboard(find_results(tmp_path / "records"))
    assert re.search(r"^\| .*\| margin .*†", text, re.MULTILINE)
    assert "†: not measured here but imported; measured by Somebody, 2023." in text
    assert "Plugins:" not in text
    again = json.loads(harness.leaderboard(find_results(tmp_path / "records"), format="json"))
    assert again["boards"][0]["rows"][0]["measured_by"] == ["Somebody, 2023"]


def test_an_imported_run_cannot_be_reproduced(results, tmp_path):
    record = import_labelbench(results).records[0]
    path = Store(tmp_path).path(record.id)
    Store(tmp_path).write(record)
    with pytest.raises(HarnessError, match="imported|labelbench"):
        reproduce(path)


def test_picks_of_records_are_compared(results):
    records = import_labelbench(results).records
    (agreement,) = pick_agreement(records, "margin")
    assert (agreement.method, agreement.reference, agreement.left_out) == ("random", "margin", 0)
    assert agreement.first == (0.5, 0.5, 0.5)
    assert agreement.all_picks == (15 / 25,) * 3
    (table,) = picks_table([agreement])
    assert table.rows[0][1].text == "50.0 ± 0.0"
    with pytest.raises(NotComparable, match='those of "badge"'):
        pick_agreement(records, "badge")


def test_labels_slightly_off_are_counted_as_meant_and_said(tmp_path):
    off = {"Num Labeled": [100, 201, 302], "Test Accuracy": [0.1, 0.2, 0.3]}
    write_run(tmp_path, "badge_sampling", 1, [off, list(range(302))], SETTING.replace("bs_10", "bs_100"))
    (record,) = import_labelbench(tmp_path).records
    assert "accuracy@300" in record.metrics
    assert record.details["labelled"] == [100, 201, 302]
    assert record.details["doubts"] == ["labels are counted as meant, 300 at the end; they were 302"]


@pytest.mark.parametrize("picks", [[*range(29), None], list(range(28))])
def test_picks_that_do_not_add_up_are_left_out_and_said(tmp_path, picks):
    write_run(tmp_path, "badge_sampling", 1, [curves([0.1, 0.2, 0.3]), picks])
    (record,) = import_labelbench(tmp_path).records
    assert "labelled" not in record.details["cycles"][0]
    assert "its picks are left out" in record.details["doubts"][0]


class Evil:
    """What would write a file if it were unpickled."""

    def __reduce__(self):
        return (exec, ("open('executed', 'w').close()",))


WRONG = {
    "code": [Evil(), [1]],
    "code among picks": [curves([0.1]), [Evil()]],
    "no list": {"a": 1},
    "no curves": [[], [1]],
    "no picks": [curves([0.1]), []],
    "picks of texts": [curves([0.1]), ["a"] * 10],
    "picks below 0": [curves([0.1]), [-1, *range(9)]],
    "an accuracy above 1": [curves([0.1, 1.2]), list(range(20))],
    "an accuracy that is none": [curves([0.1, float("nan")]), list(range(20))],
    "labels that fall": [{"Num Labeled": [20, 10], "Test Accuracy": [0.1, 0.2]}, list(range(20))],
    "lists of two lengths": [{"Num Labeled": [10], "Test Accuracy": [0.1, 0.2]}, list(range(10))],
    "labels of 10,000 digits": [{"Num Labeled": [10, 10**10_000], "Test Accuracy": [0.1, 0.2]}, list(range(20))],
    "picks of 10,000 digits": [curves([0.1]), [10**10_000, *range(9)]],
    "labels of no number": [{"Num Labeled": [True], "Test Accuracy": [0.1]}, [1]],
    "an example picked twice": [curves([0.1, 0.2, 0.3]), [*range(29), 3]],
    "a curve that is too short": [curves([0.1, 0.2]) | {"Test Loss": [0.3]}, list(range(20))],
    "a name that was overwritten": [curves([0.1]) | {"Test\x00Loss": [0.3]}, list(range(10))],
    "a curve of another name than all others": [curves([0.5, 0.6, 0.7]) | {"Tesu Loss": [0.3] * 3}, list(range(30))],
    "a time that goes back": [curves([0.1, 0.2]) | {"_runtime": [5.0, 4.0]}, list(range(20))],
    "epochs that fall": [curves([0.1, 0.2]) | {"Epoch": [2, 1]}, list(range(20))],
    "a loss below 0": [curves([0.1]) | {"Pool Loss": [-0.5]}, list(range(10))],
    "a loss that is none": [curves([0.1]) | {"Pool Loss": [float("inf")]}, list(range(10))],
    "a text among losses": [curves([0.1]) | {"Pool Loss": ["0.5"]}, list(range(10))],
    "an unused accuracy above 1": [curves([0.1]) | {"Pool Accuracy": [1.5]}, list(range(10))],
    "more positives than labels": [curves([0.1]) | {"Max Class Number of Positive": [11]}, list(range(10))],
    "an accuracy that is no share of examples": [curves([0.5, 0.51, 0.52, 0.53718281828459]), list(range(40))],
    "labels counted otherwise in one cycle": [
        curves([0.1, 0.2, 0.3]) | {"Total Number of Positive": [10, 20, 31]},
        list(range(30)),
    ],
    "a mean above the best class": [
        curves([0.2, 0.4, 0.9])
        | {"Min Class Test Accuracy": [0.1, 0.3, 0.5], "Max Class Test Accuracy": [0.3, 0.5, 0.7]},
        list(range(30)),
    ],
    "a byte after the end": pickle.dumps([curves([0.1]), list(range(10))]) + b"\x00",
    "a piece that is there twice": pickle.dumps([curves([0.1]), list(range(10))]).replace(b"K\x09", b"K\x09NK\x09"),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_by_name_and_the_others_are_read(results, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = write_run(results, "wrong_sampling", 9, content)
    found = import_labelbench(results)
    assert len(found.records) == 6
    (reason,) = found.refused
    assert str(path) in reason
    assert "\n" not in reason
    assert not (tmp_path / "executed").exists()


KINDS = 7


def corrupted(content: bytes, rng: random.Random, kind: int) -> bytes:
    """Cut, overwritten, with a gap or a piece twice, or with opcodes that call something."""
    damaged = bytearray(content)
    at = rng.randrange(2, len(content) - 1)
    if kind == 0:
        return bytes(damaged[:at])
    if kind == 1:
        damaged[at : at + 40] = rng.randbytes(40)
    elif kind == 2:
        damaged[at:at] = b"cos\nsystem\n(X\x04\x00\x00\x00truetR"
    elif kind == 3:
        damaged[at : at + 64] = bytes(len(damaged[at : at + 64]))
    elif kind == 4:
        del damaged[at : at + rng.randrange(1, len(content) // 4)]
    elif kind == 5:
        damaged[at:at] = damaged[at : at + rng.randrange(1, len(content) // 4)]
    else:
        damaged[at:at] = b"\x8c\x08builtins\x8c\x04exec\x93"
    return bytes(damaged)


def corruption(folder, count, seed=0):
    """Corrupted copies are refused in one sentence with their name."""
    rng = random.Random(seed)
    files = sorted(folder.rglob("*.pkl"))
    contents = [path.read_bytes() for path in files]
    copies = folder.parent / "copies"
    for number in range(count):
        write_run(copies, "copy_sampling", number, corrupted(rng.choice(contents), rng, number % KINDS))
    found = import_labelbench(copies)
    assert len(found.records) + len(found.refused) == count
    assert not found.records
    names = {str(path) for path in copies.rglob("*.pkl")}
    for reason in found.refused:
        assert "\n" not in reason
        assert any(name in reason for name in names)


def test_a_run_that_begins_otherwise_than_all_others_of_its_seed_is_refused(results):
    for method in ("badge_sampling", "bait_sampling"):
        order = random.Random(1).sample(range(100), 100)
        write_run(results, method, 1, [curves([0.5, 0.6, 0.7]), order[:30]])
    assert not import_labelbench(results).refused
    path = write_run(results, "bait_sampling", 1, [curves([0.5, 0.6, 0.7]), [*order[1:10], *order[40:61]]])
    (reason,) = import_labelbench(results).refused
    assert str(path) in reason
    assert "its first examples are not those of the 3 other runs of its seed" in reason


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_runs_written_by_any_protocol_are_read(tmp_path, protocol):
    write_run(tmp_path, "badge_sampling", 1, pickle.dumps([curves([0.1, 0.2]), list(range(20))], protocol))
    assert not import_labelbench(tmp_path).refused


def test_what_never_holds_is_no_rule(tmp_path):
    """Of several labels an example the number of positives is another one, and a mean is no share of examples."""
    odd = curves([0.123456789123, 0.223456789123, 0.323456789123])
    odd |= {"Total Number of Positive": [25, 50, 75], "Label index": [None] * 3}
    odd |= {"Min Class Test Accuracy": [0.9] * 3, "Max Class Test Accuracy": [0.95] * 3}
    write_run(tmp_path, "badge_sampling", 1, [odd, list(range(30))])
    assert not import_labelbench(tmp_path).refused


def test_corrupted_copies_are_refused(results, tmp_path, monkeypatch):
    monkeypatch.setattr("os.system", lambda command: pytest.fail("a pickle ran a command"))
    monkeypatch.setattr("builtins.exec", lambda *code: pytest.fail("a pickle ran a program"))
    corruption(results, 100)


def test_a_folder_without_results_is_said(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"")
    assert "is not where LabelBench has results" in import_labelbench(tmp_path).refused[0]
    with pytest.raises(SpecError, match="no results of LabelBench"):
        import_labelbench(tmp_path / "none")


def write_csv(folder, text, place="Splice/5/Badge"):
    path = folder / place / "accuracies.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [",0,1\n0,0.5,0.6\n1,,\n5,0.7,0.8\n10,0.75,0.85\n", ",0,5,10\n0,0.5,0.7,0.75\n1,0.6,0.8,0.85\n"],
    ids=["a column a seed", "a row a seed"],
)
def test_curves_of_cdalbench(tmp_path, text):
    write_csv(tmp_path, text)
    write_csv(tmp_path, ",1\n0,0.5\n", "Splice/5/Badge/run_1")  # one run of those above
    found = import_cdalbench(tmp_path)
    assert [record.seed for record in found.records] == [0, 1]
    assert [cycle["n_labelled"] for cycle in found.records[1].details["cycles"]] == [0, 5, 10]
    assert found.records[1].metrics["accuracy@10"] == 0.85
    assert found.records[0].measured_by == "CDALBench"
    (board,) = boards(found.records)
    assert board.rows[0].runs == 2


def test_more_seeds_than_numbers_of_labels_are_still_seeds(tmp_path):
    header = "".join(f",{seed}" for seed in range(1, 13))
    rows = [f"{n}" + f",0.{n + 100}" * 12 for n in (100, 200, 300)]
    write_csv(tmp_path, "\n".join([header, *rows]), "Splice/100/Badge")
    turned = ["".join(f",{n}" for n in (100, 200, 300)), *(f"{seed},0.2,0.3,0.4" for seed in range(1, 13))]
    write_csv(tmp_path, "\n".join(turned), "Splice/100/Turned")
    found = import_cdalbench(tmp_path)
    assert sorted(record.seed for record in found.records) == sorted(2 * [*range(1, 13)])
    for record in found.records:
        assert [cycle["n_labelled"] for cycle in record.details["cycles"]] == [100, 200, 300]


def test_a_query_size_that_is_no_number_is_refused(tmp_path):
    for size in ("²", "0", "x", "9" * 200):
        write_csv(tmp_path, ",0\n0,0.1\n", f"Splice/{size}/Badge")
    found = import_cdalbench(tmp_path)
    assert not found.records
    assert len(found.refused) == 4


def test_a_long_curve_has_few_columns_and_all_its_cycles(tmp_path):
    rows = "".join(f"{n},0.{n + 100}\n" for n in range(500))
    write_csv(tmp_path, f",0\n{rows}")
    (record,) = import_cdalbench(tmp_path).records
    assert len(record.details["cycles"]) == 500
    assert sum(name.startswith("accuracy@") for name in record.metrics) == 20
    assert {"accuracy@0", "accuracy@499"} <= record.metrics.keys()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        ",0\n0,x\n",
        ",0\n0,1.5\n",
        ",0\n5,0.1\n1,0.2\n",
        ",0\n0,\n",
        ",0,0\n0,0.1,0.2\n1,0.1,0.2\n",
        f",0\n{10**400},0.1\n",
    ],
)
def test_a_wrong_csv_is_refused_by_name(tmp_path, text):
    path = write_csv(tmp_path, text)
    found = import_cdalbench(tmp_path)
    assert not found.records
    assert str(path) in found.refused[0]


def write_mteb(folder, model="org__net", version="1.14.15", task="ROxfordHardI2IRetrieval", revision="abc", **scores):
    path = folder / model / revision / f"{task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {"map_at_5": 0.1, "map_at_1000": 0.4, "main_score": 0.1, **scores}
    path.write_text(json.dumps({"mteb_version": version, "task_name": task, "scores": {"test": [numbers]}}))
    return path


def test_results_of_mteb_are_published_columns_by_protocol(tmp_path):
    write_mteb(tmp_path / "in")
    write_mteb(tmp_path / "in", model="org__new", version="2.13.1", map_at_5=0.02)
    wrong = write_mteb(tmp_path / "in", model="org__wrong", map_at_5=1.2)
    content, refused = mteb_reference(tmp_path / "in")
    assert str(wrong) in refused[0]
    (tmp_path / "reference.yaml").write_text(reference_text(content))
    reference = read_reference(tmp_path / "reference.yaml")
    assert [row.name for row in reference.rows] == ["org/net", "org/new"]
    titles = [column.title for column in reference.columns]
    assert "map@5 Hard, mteb-multichoice" in titles
    assert "map@5 Hard, mteb-retrieval" in titles
    assert any("junk and, for Hard, all easy images count as negatives" in note for note in reference.notes)


@pytest.mark.parametrize(
    "change",
    [{"version": "new"}, {"map_at_5": None}, {"map_at_5": float("nan")}, {"map_at_1000": "1"}, {"map_at_5": 1 << 2000}],
)
def test_a_wrong_result_of_mteb_is_refused(tmp_path, change):
    path = write_mteb(tmp_path, **change)
    with pytest.raises(SpecError, match=path.name):
        mteb_reference(tmp_path)


def test_revisions_of_a_model_are_rows_of_their_own(tmp_path):
    write_mteb(tmp_path, revision="0123456789", map_at_5=0.1)
    write_mteb(tmp_path, revision="abcdef", map_at_5=0.2)
    content, _ = mteb_reference(tmp_path, ["map_at_5"])
    assert content["rows"] == [
        {"name": "org/net (01234567)", "values": [10.0]},
        {"name": "org/net (abcdef)", "values": [20.0]},
    ]


TABLE = """data,strategy,run,n,acc,pool
usps,margin,1,10,51.5,full
usps,margin,1,20,60,full
usps,random,1,20,55,full
usps,random,1,10,50,full
"""
MAPPING = """
task: active-learning
measured_by: A. Author, 2024
dataset: {column: data}
methods: {acquisition: {column: strategy}, learning: svm}
protocol: {pool: {column: pool}}
seed: {column: run}
unit: percent
labels: {column: n}
accuracy: {column: acc}
"""


def import_text(tmp_path, table=TABLE, mapping=MAPPING):
    (tmp_path / "results.csv").write_text(table)
    (tmp_path / "mapping.yaml").write_text(mapping)
    return import_table(tmp_path / "results.csv", tmp_path / "mapping.yaml").records


def test_a_table_is_read_as_its_mapping_says(tmp_path):
    margin, chance = import_text(tmp_path)
    assert margin.measured_by == "A. Author, 2024"
    assert (margin.methods["acquisition"].name, margin.methods["learning"].name) == ("margin", "svm")
    assert margin.metrics["accuracy@10"] == pytest.approx(0.515)
    assert chance.protocol == {"pool": "full"}
    assert [cycle["accuracy"] for cycle in chance.details["cycles"]] == [0.5, 0.55]


def test_a_table_of_retrieval_stands_on_a_board_without_values_of_queries(tmp_path):
    mapping = "task: retrieval\nmeasured_by: ann\ndataset: glove\nmethods: {ranking: {column: algorithm}}\n"
    mapping += "metrics: {map_medium: {column: map}}\ndelimiter: ';'\n"
    records = import_text(tmp_path, "algorithm;map\nhnsw;0.5\nivf;0.75\n", mapping)
    (board,) = boards(records)
    assert [row.labels["ranking"] for row in board.rows] == ["ivf", "hnsw"]


@pytest.mark.parametrize(
    ("table", "mapping", "message"),
    [
        (TABLE.replace(",acc", ",accuracy"), MAPPING, "has no column 'acc'"),
        (TABLE.replace("51.5", "x"), MAPPING, "line 2: 'x' is not a number"),
        (TABLE.replace("51.5", "101"), MAPPING, "line 2: 101 is not in the range"),
        (TABLE.replace(",20,60", ",10,60"), MAPPING, "line 3: 10 labels are there twice"),
        (TABLE.replace("margin,1,10", "margin,a,10"), MAPPING, "line 2: invalid literal"),
        (TABLE.replace(",full\nusps,random", "\nusps,random"), MAPPING, "has more or fewer cells"),
        (TABLE, MAPPING.replace("acquisition:", "acquire:"), 'there is no kind "acquire"'),
        (TABLE, MAPPING.replace("labels", "label"), "label"),
        (
            TABLE,
            MAPPING.replace("unit: percent\n", "").replace("accuracy: {column: acc}", ""),
            "no labels and accuracy",
        ),
    ],
)
def test_mistakes_in_a_table_or_its_mapping_are_one_sentence(tmp_path, table, mapping, message):
    with pytest.raises((DataDamaged, SpecError, Errors, InvalidInput), match=message):
        import_text(tmp_path, table, mapping)


@pytest.mark.realdata
def test_the_published_runs_of_labelbench(realdata, tmp_path):
    found = import_labelbench(realdata / "published" / "labelbench")
    assert (len(found.records), found.refused) == (296, ())
    made = boards(found.records)
    assert len(made) == 10
    assert sum(row.runs for board in made for row in board.rows) == 296
    text = harness.leaderboard(found.records)
    assert text.count("Friedman's test over 10 settings") == 1
    assert re.search(r"Nemenyi, 5% level\) where their mean ranks differ by at least \d\.\d\d", text)
    agreement = pick_agreement(found.records, "random")
    assert {each.setting for each in agreement} == {board.dataset for board in made}


@pytest.mark.realdata
@pytest.mark.slow
def test_a_thousand_corrupted_copies_of_published_runs(realdata, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr("os.system", lambda command: pytest.fail("a pickle ran a command"))
    some = sorted((realdata / "published" / "labelbench").rglob("random_sampling_1234.pkl"))
    for path in some:
        target = tmp_path / "published" / path.relative_to(realdata / "published" / "labelbench")
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    corruption(tmp_path / "published", 1000)


@pytest.mark.realdata
def test_the_published_results_of_mteb_stand_beside_a_board(realdata, tmp_path):
    content, refused = mteb_reference(realdata / "published" / "mteb")
    assert refused == []
    assert (len(content["rows"]), len(content["columns"])) == (14, 12)
    (tmp_path / "reference.yaml").write_text(reference_text(content))
    reference = read_reference(tmp_path / "reference.yaml")
    mapping = "task: retrieval\nmeasured_by: us\ndataset: roxford5k\nmethods: {ranking: {column: m}}\n"
    mapping += "metrics: {map_medium: {column: v}}\n"
    (board,) = boards(import_text(tmp_path, "m,v\nours,0.5\n", mapping))
    shown = with_published(board, reference)
    assert len(shown.rows) == 15
    assert "map@5 Hard, mteb-multichoice, published" in [column.title for column in shown.columns]
    assert any("junk and the images of the other class are masked" in note for note in shown.provenance)


def test_a_table_saved_with_a_byte_order_mark_has_its_first_column(tmp_path):
    assert len(import_text(tmp_path, "\ufeff" + TABLE)) == 2
