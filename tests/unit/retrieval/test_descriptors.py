"""Descriptors that others computed, in place of images."""

from __future__ import annotations

import json

import numpy as np
import pytest

import harness
from harness.cache import Cache
from harness.core.errors import DataDamaged, DataMissing, Errors, InvalidInput
from harness.metrics.ranking import evaluate
from harness.plugin_api import DataFolders
from harness.retrieval import descriptors, search_pipeline
from harness.retrieval.descriptors import DescriptorFiles
from harness_dataset.descriptors import DescriptorGroundTruth

N, Q, D = 40, 6, 8


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """40 items and 6 queries of 4 labels; rows are not of length 1."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(4, D))
    database = centres[np.arange(N) % 4] + rng.normal(size=(N, D))
    queries = centres[np.arange(Q) % 4] + rng.normal(size=(Q, D))
    np.save("database.npy", database)
    np.save("queries.npy", queries)
    np.savez("both.npz", database=database.astype(np.float16), queries=queries.astype(np.float32))
    truth = {
        "imlist": [f"{i}.jpg" for i in range(N)],
        "queries": [
            {"image": f"q{q}.jpg", "easy": list(range(q % 4, N, 8)), "hard": list(range(q % 4 + 4, N, 8)), "junk": []}
            for q in range(Q)
        ],
    }
    (tmp_path / "gnd.json").write_text(json.dumps(truth))
    return tmp_path


def spec(**methods):
    methods = {"descriptors": {"mine": {"database": "database.npy", "queries": "queries.npy"}}, **methods}
    return {
        "name": "mine",
        "task": "retrieval",
        "datasets": {"descriptors": {"ground_truth": "gnd.json"}},
        "methods": methods,
    }


def spec_of(spec, **keys):
    return {**spec, "datasets": [spec["datasets"]], **keys}


def run(folder, **given):
    extra = given.pop("extra", {})
    found = harness.run(spec_of(spec(**given), **extra), runs=folder / "runs", cache=folder / "cache", data=folder)
    failures = [record.failure for record in found if record.failure]
    assert not failures
    return found


def loaded(folder, name="gnd.json", **parameters):
    return DescriptorGroundTruth(folder / name, **parameters).load(DataFolders(folder, folder / "cache"))


def by_cosine(folder):
    x, y = np.load(folder / "database.npy"), np.load(folder / "queries.npy")
    x, y = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, y))
    return np.argsort(-(y @ x.T), axis=1, kind="stable")


def test_rankings_and_scores_are_those_of_cosine_similarity(folder):
    (record,) = run(folder)
    order = by_cosine(folder)
    assert record.details["ranks"] == order.tolist()
    expected = evaluate(order, loaded(folder).ground_truth)
    assert record.metrics["map_hard"] == pytest.approx(expected["hard"].map)
    assert record.details["notes"]["normalised"]
    assert set(record.methods) == {"descriptors"}
    assert record.dataset.counts == {"images": N, "queries": Q}
    assert set(record.methods["descriptors"].files) == {"database", "queries"}


def test_files_are_rows_of_one_board_with_whitening_and_expansions(folder):
    files = [{"mine": {"database": "database.npy", "queries": "queries.npy"}}, "both.npz"]
    records = run(folder, descriptors=files, whitening=["none", "pca"], expansion=["none", "aqe"])
    assert len(records) == 8
    text = harness.leaderboard(records).partition("<details")[0]
    assert text.count("| mine ") == text.count("| both.npz ") == 4


def test_a_file_is_counted_by_its_content(folder):
    (first,) = run(folder)
    np.save("database.npy", np.load("database.npy")[::-1])
    (second,) = run(folder)
    assert first.id != second.id
    assert first.dataset.fingerprint == second.dataset.fingerprint


def test_regions_of_files_are_diffused(folder):
    x, y = np.load("database.npy"), np.load("queries.npy")
    noise = np.random.default_rng(1).normal(size=(N, 3, D))
    np.save("regions.npy", x[:, None] + noise)
    np.save("asked.npy", np.repeat(y[:, None], 2, axis=1))
    files = {"database": "database.npy", "queries": "queries.npy"}
    regional = {"mine": {**files, "regions": "regions.npy", "query_regions": "asked.npy"}}
    expansion = {"regional-diffusion": {"k": 20, "kq": 20}}
    (record,) = run(folder, descriptors=regional, whitening="pca", expansion=expansion)
    assert record.metrics["map_medium"] > 0.3
    assert {"describe regions of database", "describe regions of queries"} <= set(record.cost)
    with pytest.raises(InvalidInput, match="database.npy have no regions"):
        DescriptorFiles(folder / "database.npy").region_rows(loaded(folder), "database")


def test_with_labels_every_item_is_query_and_junk_for_itself(folder):
    np.save("labels.npy", np.arange(N) % 4 + 7)
    truth = loaded(folder, "labels.npy")
    assert len(truth.images) == len(truth.queries) == N
    assert truth.ground_truth[5] == {"easy": tuple(i for i in range(1, N, 4) if i != 5), "hard": (), "junk": (5,)}
    given = spec(descriptors="database.npy")
    given["datasets"] = {"descriptors": {"ground_truth": "labels.npy"}}
    (record,) = harness.run(spec_of(given), runs=folder / "runs", cache=folder / "cache", data=folder)
    assert record.metrics["map_easy"] > 0.8
    assert all(row[-1] == query for query, row in enumerate(record.details["ranks"])), "left out: below all others"


@pytest.mark.parametrize("written", ["7\n8\n7\n", '["a", "b", "a"]', "[4, 9, 4]"])
def test_labels_as_text_and_json_are_the_same_ground_truth(folder, written):
    name = "labels.txt" if written[0] == "7" else "labels.json"
    (folder / name).write_text(written)
    assert [truth["easy"] for truth in loaded(folder, name).ground_truth] == [(2,), (), (0,)]
    assert len(DescriptorGroundTruth(folder / name).instances(DataFolders(folder, folder)).queries) == 3


def test_queries_of_the_database_need_no_file_of_their_own(folder):
    truth = json.loads((folder / "gnd.json").read_text())
    for query in truth["queries"]:
        query["image"] = truth["imlist"][query["easy"].pop()]
    (folder / "gnd.json").write_text(json.dumps(truth))
    rows = DescriptorFiles(folder / "database.npy").rows(loaded(folder), Cache(None))
    place = [truth["imlist"].index(query["image"]) for query in truth["queries"]]
    np.testing.assert_array_equal(rows.queries, rows.database[place])


def test_rows_on_disk_give_what_rows_in_memory_give(folder, monkeypatch):
    """Normalised on disk, cut rankings, whitening in portions: the same numbers but for the precision of the file."""
    x = np.load("database.npy").astype(np.float32)
    np.save("unit.npy", x / np.linalg.norm(x, axis=1, keepdims=True))
    files = [{name: {"database": f"{name}.npy", "queries": "queries.npy"}} for name in ("database", "unit")]
    given = {"descriptors": files, "whitening": ["none", "pca"]}
    small = run(folder, **given)
    monkeypatch.setattr(descriptors, "IN_MEMORY", 10)
    monkeypatch.setattr(search_pipeline, "MOST_RANKS", Q * 20)
    monkeypatch.setattr("harness.retrieval.whitened.PORTION", 16)
    large = harness.run(spec_of(spec(**given)), runs=folder / "large", cache=folder / "cache", data=folder)
    for one, other in zip(small, large, strict=True):
        assert other.failure is None
        assert len(other.details["ranks"][0]) == 20
        assert other.metrics["map_medium"] == pytest.approx(one.metrics["map_medium"], abs=1e-6)
        assert [row[:5] for row in other.details["ranks"]] == [row[:5] for row in one.details["ranks"]]
    expanded = {"descriptors": files[0], "expansion": "aqe"}
    (record,) = harness.run(spec_of(spec(**expanded)), runs=folder / "large", cache=folder / "cache", data=folder)
    assert record.failure is None


def test_distractors_follow_the_ground_truth(folder):
    rng = np.random.default_rng(2)
    np.save("database.npy", np.concatenate([np.load("database.npy"), rng.normal(size=(25, D))]).astype(np.float16))
    given = spec(whitening=["none", "pca"], expansion=["none", "aqe"])
    given["datasets"] = {"descriptors": {"ground_truth": "gnd.json", "distractors": 25}}
    records = harness.run(spec_of(given), runs=folder / "runs", cache=folder / "cache", data=folder)
    assert [record.failure for record in records] == [None] * 4
    assert {record.dataset.counts["images"] for record in records} == {N + 25}


def test_kept_ranks_are_stored_beside_the_record_and_change_no_number(folder, monkeypatch):
    from harness.runs.kept_ranks import read_ranks
    from harness.runs.store import Store

    monkeypatch.setattr("harness.runs.identity.STORED_RANKS", 10)
    monkeypatch.setattr("harness.runs.tasks.STORED_RANKS", 10)
    store = Store(folder / "runs")
    (few,) = run(folder, extra={"keep_ranks": 10})
    assert "kept_ranks" not in few.details
    assert read_ranks(few, store).shape == (Q, 10)
    (some,) = run(folder, extra={"keep_ranks": 15})
    assert read_ranks(some, store).shape == (Q, 15)
    (whole,) = run(folder, extra={"keep_ranks": "all"})
    assert (whole.id, whole.metrics) == (few.id, few.metrics)
    np.testing.assert_array_equal(read_ranks(whole, store), by_cosine(folder))
    (again,) = run(folder, extra={"keep_ranks": 15})
    assert again == whole  # more is there than is wanted
    store.ranks_path(whole.id).write_bytes(b"")
    with pytest.raises(DataDamaged, match="not what the run left"):
        read_ranks(whole, store)


def broken(name, value):
    return lambda folder: np.save(folder / name, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (broken("database.npy", np.ones((N - 1, D))), "has 39 rows, the ground truth names 40 images"),
        (broken("queries.npy", np.ones((Q, D + 1))), "9 dimensions"),
        (broken("queries.npy", np.ones((Q + 1, D))), "names 6 queries"),
        (broken("database.npy", np.full((N, D), np.nan)), "row 0 is not finite"),
        (broken("queries.npy", np.full((Q, D), np.inf)), "is not finite"),
        (broken("database.npy", np.ones((N, D), int)), "should be floats"),
        (broken("database.npy", np.array([{}] * N)), "cannot be read: Array can"),
        (lambda folder: (folder / "database.npy").write_bytes(b"\x93NUMPY\x01"), "cannot be read"),
        (lambda folder: (folder / "database.npy").write_bytes(b"no array"), "cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_a_sentence(folder, change, message):
    change(folder)
    files = DescriptorFiles(folder / "database.npy", folder / "queries.npy")
    with pytest.raises(DataDamaged, match=message):
        files.rows(loaded(folder), Cache(None))


def test_queries_without_descriptors_are_named(folder):
    with pytest.raises(DataMissing, match=r"6 queries are not in the database: q0\.jpg first"):
        DescriptorFiles(folder / "database.npy").rows(loaded(folder), Cache(None))


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"backbone": "tiny", "pooling": "gem"}, "a run with descriptors from files has no backbone"),
        ({"reranking": "sift-ransac"}, "has no reranking"),
        ({"descriptors": ["none", "both.npz"]}, "descriptors are files or none"),
        ({"descriptors": "gone.npy"}, "names gone.npy, which is not there"),
        ({"descriptors": {"mine": {"databse": "both.npz"}}}, 'has no parameter "databse"'),
        ({"descriptors": "none"}, "a retrieval run needs a backbone"),
    ],
)
def test_mistakes_in_a_spec(folder, methods, message):
    with pytest.raises(Errors, match=message):
        run(folder, **methods)


@pytest.mark.parametrize("content", ["{", "[[1]]", '"a"', "[]", '{"imlist": []}'])
def test_a_ground_truth_that_is_none_is_refused(folder, content):
    (folder / "gnd.json").write_text(content)
    with pytest.raises(DataDamaged, match="ground truth"):
        loaded(folder)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("labels.npz", b"PK\x03\x04broken", "cannot be read"),
        ("labels.txt", b"", "item 0 has no label"),
        ("labels.txt", b"a\n\nb\n", "item 1 has no label"),
        ("labels.json", b'["a", " "]', "item 1 has no label"),
    ],
)
def test_labels_that_are_none_are_refused(folder, name, content, words):
    (folder / name).write_bytes(content)
    with pytest.raises(DataDamaged, match=words):
        loaded(folder, name)


def test_a_byte_order_mark_is_no_part_of_the_first_label(folder):
    (folder / "labels.txt").write_text("\ufeffa\nb\na\n", encoding="utf-8")
    assert [truth["easy"] for truth in loaded(folder, "labels.txt").ground_truth] == [(2,), (), (0,)]


@pytest.mark.parametrize("distractors", [0, 25])
@pytest.mark.parametrize("in_memory", [descriptors.IN_MEMORY, 50])
def test_a_folder_of_files_is_the_file_of_all_their_rows(folder, monkeypatch, distractors, in_memory):
    monkeypatch.setattr(descriptors, "IN_MEMORY", in_memory)
    rows = np.load("database.npy").astype(np.float32)
    (folder / "shards").mkdir()
    for number, part in enumerate(np.split(rows, [7, 12, 30])):
        np.save(folder / "shards" / f"{number:05}.npy", part)
    truth = json.loads((folder / "gnd.json").read_text())
    truth["imlist"] = truth["imlist"][: N - distractors]
    for query in truth["queries"]:
        query.update({level: [i for i in query[level] if i < N - distractors] for level in ("easy", "hard", "junk")})
    (folder / "gnd.json").write_text(json.dumps(truth))
    dataset = DescriptorGroundTruth(folder / "gnd.json", distractors=distractors).load(DataFolders(folder, folder))
    np.save("database.npy", rows)
    whole = DescriptorFiles(folder / "database.npy", folder / "queries.npy").rows(dataset, Cache(folder / "cache"))
    parts = DescriptorFiles(folder / "shards", folder / "queries.npy").rows(dataset, Cache(folder / "cache"))
    assert np.array_equal(parts.database, whole.database)
    assert np.array_equal(
        np.concatenate([*parts.distractors, rows[:0]]), np.concatenate([*whole.distractors, rows[:0]])
    )
    assert parts.unit == whole.unit


def test_queries_of_a_folder_are_rows_of_its_files(folder):
    rows = np.load("database.npy")
    (folder / "shards").mkdir()
    np.save(folder / "shards" / "a.npy", rows[:10])
    np.save(folder / "shards" / "b.npy", rows[10:])
    truth = json.loads((folder / "gnd.json").read_text())
    truth["queries"] = [{"image": f"{i}.jpg", "easy": [0], "hard": [], "junk": []} for i in (3, 25, 9)]
    (folder / "gnd.json").write_text(json.dumps(truth))
    dataset = DescriptorGroundTruth(folder / "gnd.json").load(DataFolders(folder, folder))
    found = DescriptorFiles(folder / "shards").rows(dataset, Cache(None)).queries
    assert np.allclose(found, rows[[3, 25, 9]] / np.linalg.norm(rows[[3, 25, 9]], axis=1, keepdims=True), atol=1e-6)


def test_mistakes_in_a_folder_are_named(folder):
    dataset = DescriptorGroundTruth(folder / "gnd.json").load(DataFolders(folder, folder))
    files = DescriptorFiles(folder / "shards", folder / "queries.npy")
    (folder / "shards").mkdir()
    with pytest.raises(DataMissing, match="has no .npy files"):
        files.rows(dataset, Cache(None))
    np.save(folder / "shards" / "a.npy", np.ones((10, D)))
    with pytest.raises(DataDamaged, match="shards has 10 rows, the ground truth names 40 images"):
        files.rows(dataset, Cache(None))
    np.save(folder / "shards" / "b.npy", np.ones((30, D + 1)))
    with pytest.raises(DataDamaged, match="b.npy 9"):
        files.rows(dataset, Cache(None))
