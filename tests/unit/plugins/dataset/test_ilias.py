"""ILIAS in the layout of its published files: objects, boxes, distractors by archive; a stand-in of 1,000 images."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

import harness
from harness.core.errors import DataDamaged, DataMissing
from harness.data.stand_in.write import write_stand_in
from harness.plugin_api import DataFolders
from harness_dataset.ilias import Ilias

FILES = [
    "ilias_core/bold_000/query/Q000_00.jpg",
    "ilias_core/bold_000/query/Q000_01.jpg",
    "ilias_core/bold_000/pos/P000_00.jpg",
    "ilias_core/bold_000/pos/P000_01.jpg",
    "ilias_core/zippy_999/query/Q999_00.jpg",
    "ilias_core/zippy_999/pos/P999_00.jpg",
    "yfcc100m/yfcc100m_00000/a.jpg",
    "yfcc100m/yfcc100m_00000/b.jpg",
    "yfcc100m/yfcc100m_00001/c.jpg",
]


@pytest.fixture
def folders(tmp_path):
    for number, name in enumerate(FILES):
        path = tmp_path / "ilias" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 24), (number, 0, 0)).save(path)
    for query in (tmp_path / "ilias").rglob("Q*.jpg"):
        query.with_name(f"{query.stem}_bbox.txt").write_text("4 5 10 6\n8 2 20 3\n")
    (tmp_path / "ilias/ilias_core/bold_000/query/T000.txt").write_text("a bold thing")
    (tmp_path / "ilias/image_ids").mkdir()
    (tmp_path / "ilias/image_ids/mini_ilias_yfcc100m_ids.txt").write_text("c\na\n")
    return DataFolders(tmp_path, tmp_path / "cache")


def names(paths):
    return [path.name for path in paths]


def test_the_positives_of_an_object_are_relevant_to_its_queries(folders):
    data = Ilias().load(folders)
    assert names(data.images) == ["P000_00.jpg", "P000_01.jpg", "P999_00.jpg"]
    assert names(data.queries) == ["Q000_00.jpg", "Q000_01.jpg", "Q999_00.jpg"]
    assert [truth["easy"] for truth in data.ground_truth] == [(0, 1), (0, 1), (2,)]
    assert data.groups == ("bold_000", "bold_000", "zippy_999")
    assert data.boxes == (None, None, None)
    assert (data.distractors, data.orientation) == (0, "upright")


@pytest.mark.parametrize(("database", "more"), [("mini", ["a.jpg", "c.jpg"]), ("full", ["a.jpg", "b.jpg", "c.jpg"])])
def test_distractors_follow_archive_by_archive(folders, database, more):
    data = Ilias(database=database).load(folders)
    assert names(data.images)[3:] == more
    assert data.distractors == len(more)


def test_queries_are_cropped_to_the_box_around_all_boxes(folders):
    assert Ilias(crop=True).load(folders).boxes[0] == (4, 2, 28, 11)


def test_every_choice_is_another_dataset(folders):
    digests = {
        Ilias(database=database, crop=crop).fingerprint(folders)
        for database in ("core", "mini", "full")
        for crop in (False, True)
    }
    assert len(digests) == 6


@pytest.mark.parametrize(
    ("removed", "options", "error", "says"),
    [
        ("ilias_core", {}, DataMissing, "there are no objects"),
        ("ilias_core/bold_000/pos", {}, DataDamaged, "no photographs in .*bold_000/pos"),
        ("ilias_core/bold_000/query/Q000_00_bbox.txt", {"crop": True}, DataMissing, "no boxes .*Q000_00_bbox"),
        ("yfcc100m", {"database": "full"}, DataMissing, "no folders of distractors"),
        ("yfcc100m/yfcc100m_00001", {"database": "mini"}, DataMissing, "1 of 2 images are not in .*: c"),
        ("image_ids", {"database": "mini"}, DataMissing, "there is no list"),
    ],
)
def test_what_is_missing_is_said(folders, removed, options, error, says):
    path = folders.root / "ilias" / removed
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(error, match=says):
        Ilias(**options).load(folders)


def test_boxes_that_are_none_are_damage(folders):
    (folders.root / "ilias/ilias_core/bold_000/query/Q000_00_bbox.txt").write_text("4 5 10\n")
    with pytest.raises(DataDamaged, match="holds no boxes"):
        Ilias(crop=True).load(folders)


@pytest.mark.parametrize("images", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_stand_in_is_measured_by_its_protocol(tmp_path, images):
    write_stand_in("ilias", tmp_path, images=images, size=16)
    spec = {
        "name": "ilias",
        "task": "retrieval",
        "datasets": [{"ilias": {"database": "full"}}],
        "methods": {"backbone": "tiny", "pooling": "gem"},
        "protocol": {"image_size": 16, "evaluation": "ilias-map@1k ilias-oracle@1k", "depth": images // 2},
    }
    (record,) = harness.run(spec, data=tmp_path, cache=tmp_path / "cache", runs=tmp_path / "runs")
    assert record.failure is None
    assert record.dataset.counts == {"images": images, "queries": images // 5}
    assert record.dataset.stand_in
    assert 0 < record.metrics["ilias-map@1000"] < record.metrics["ilias-oracle@1000"] <= 1
