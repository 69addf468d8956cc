"""The ground truth of a folder: what is read, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import DataDamaged, DataMissing
from harness.plugin_api import DataFolders
from harness_dataset.image_instances import ImageInstances

NAMES = ["a.png", "b.png", "c.png", "sub/d.png"]


@pytest.fixture
def folders(tmp_path):
    images = tmp_path / "data" / "set" / "images"
    (images / "sub").mkdir(parents=True)
    for shade, name in enumerate([*NAMES, "q.png"]):
        Image.new("RGB", (8, 6), (shade, 0, 0)).save(images / name)
    return DataFolders(root=tmp_path / "data", cache=tmp_path / "cache")


def write(folders, queries, imlist=NAMES, **more):
    path = folders.root / "set" / "gnd.json"
    path.write_text(json.dumps({"imlist": imlist, "queries": queries, **more}))
    os.utime(path, ns=(10**18, 10**18 + path.stat().st_size))
    return path


GOOD = {"image": "q.png", "easy": ["a.png"], "hard": [1], "junk": ["sub/d.png"], "box": [1, 2, 5.5, 6]}


def test_names_and_ids(folders):
    write(folders, [GOOD, {"image": "b.png", "positives": ["a.png", 2]}], pairs=[["a.png", 2], [1, "sub/d.png"]])
    data = ImageInstances("set").load(folders)
    images = folders.root / "set" / "images"
    assert data.name == "set"
    assert list(data.images) == [images / name for name in NAMES]
    assert list(data.queries) == [images / "q.png", images / "b.png"]
    assert list(data.boxes) == [(1, 2, 5.5, 6), None]
    assert [dict(answers) for answers in data.ground_truth] == [
        {"easy": (0,), "hard": (1,), "junk": (3,)},
        {"easy": (0, 2), "hard": (), "junk": ()},
    ]
    np.testing.assert_array_equal(data.pairs, [[0, 2], [1, 3]])


def test_without_pairs(folders):
    write(folders, [GOOD])
    assert ImageInstances("set").load(folders).pairs.shape == (0, 2)


MISTAKES = [
    ({"image": "nope.png", "easy": [0]}, "there is no image 'nope.png'"),
    ({"image": 3, "easy": [0]}, "3 is not a file name"),
    ({"easy": [0]}, "None is not a file name"),
    ({"image": "q.png", "easy": ["x.png"]}, "'x.png' is not in imlist"),
    ({"image": "q.png", "easy": [4]}, "4 is not in imlist (0 to 3)"),
    ({"image": "q.png", "easy": [-1]}, "-1 is not in imlist"),
    ({"image": "q.png", "easy": [True]}, "True is not in imlist"),
    ({"image": "q.png", "easy": [1.0]}, "1.0 is not in imlist"),
    ({"image": "q.png", "easy": "a.png"}, "easy is 'a.png', not a list"),
    ({"image": "q.png", "easy": [0], "junk": ["a.png"]}, "image 0 is in easy and in junk"),
    ({"image": "q.png", "easy": [0, "a.png"]}, "image 0 is a duplicate in easy"),
    ({"image": "q.png", "easy": [0], "hard": [0]}, "image 0 is in easy and in hard"),
    ({"image": "q.png", "positives": [0], "easy": [1]}, "has positives and also easy or hard"),
    ({"image": "q.png"}, "has neither positives nor easy or hard"),
    ({"image": "q.png", "easy": [0], "bbox": None}, "unknown key 'bbox' did you mean \"box\"?"),
    ({"image": "q.png", "easy": [0], "box": [0, 0, 5]}, "box [0, 0, 5] is not"),
    ({"image": "q.png", "easy": [0], "box": [5, 0, 5, 3]}, "with x0 < x1"),
    ({"image": "q.png", "easy": [0], "box": [0, 0, "5", 3]}, "is not x0, y0, x1, y1"),
    ("q.png", "queries[1] is 'q.png', not an object"),
]


@pytest.mark.parametrize(("query", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_mistake_is_named(folders, query, message):
    path = write(folders, [GOOD, query])
    with pytest.raises(DataDamaged) as caught:
        ImageInstances("set").load(folders)
    assert message in str(caught.value)
    assert "queries[1]" in str(caught.value)
    assert str(path) in str(caught.value)
    assert "1 problems" in str(caught.value)


def test_all_mistakes_at_once_the_first_ten_shown(folders):
    write(folders, [query for query, _ in MISTAKES])
    with pytest.raises(DataDamaged) as caught:
        ImageInstances("set").load(folders)
    text = str(caught.value)
    assert f"{len(MISTAKES)} problems" in text
    assert text.count("\n  - ") == 11
    assert f"and {len(MISTAKES) - 10} more" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"queries": [GOOD]}, "imlist is not a list"),
        ({"imlist": NAMES}, "queries is not a list"),
        ({"imlist": NAMES, "queries": []}, "queries is not a list, or is empty"),
        ({"imlist": [*NAMES, "a.png"], "queries": [GOOD]}, "'a.png' is a duplicate of"),
        ({"imlist": [*NAMES, "gone.png"], "queries": [GOOD]}, "imlist[4]: there is no image 'gone.png'"),
        ({"imlist": NAMES, "queries": [GOOD], "pairs": [[0, 0]]}, "pairs[0]: [0, 0] pairs an image with itself"),
        ({"imlist": NAMES, "queries": [GOOD], "pairs": [[0, 9]]}, "pairs[0]: 9 is not in imlist"),
        ({"imlist": NAMES, "queries": [GOOD], "pairs": [3]}, "pairs[0]: 3 is not a pair of images"),
        ([1], "holds a list"),
    ],
    ids=str,
)
def test_mistakes_of_the_whole_file(folders, content, message):
    (folders.root / "set" / "gnd.json").write_text(json.dumps(content))
    with pytest.raises(DataDamaged) as caught:
        ImageInstances("set").load(folders)
    assert message in str(caught.value)


def test_no_json(folders):
    (folders.root / "set" / "gnd.json").write_text("{imlist")
    with pytest.raises(DataDamaged, match="is not JSON"):
        ImageInstances("set").load(folders)


def test_what_is_missing(folders):
    with pytest.raises(DataMissing, match=r"gnd\.json"):
        ImageInstances("set").load(folders)
    with pytest.raises(DataMissing, match="there is no folder"):
        ImageInstances("elsewhere").load(folders)


def test_fingerprint_is_of_the_content(folders, tmp_path):
    write(folders, [GOOD])
    dataset = ImageInstances("set")
    before = dataset.fingerprint(folders)
    assert dataset.fingerprint(folders) == before
    moved = DataFolders(root=tmp_path / "moved", cache=tmp_path / "other-cache")
    shutil.copytree(folders.root, moved.root)
    assert dataset.fingerprint(moved) == before
    Image.new("RGB", (8, 6), (99, 0, 0)).save(folders.root / "set" / "images" / "b.png")
    changed = dataset.fingerprint(folders)
    assert changed != before
    write(folders, [{**GOOD, "hard": []}])
    assert dataset.fingerprint(folders) not in (before, changed)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("ground_truth", "images", "queries", "positives"),
    [("gnd_single.json", 100, 400, 1), ("gnd_multi.json", 500, 100, 4)],
)
def test_photographs(tmp_path, ground_truth, images, queries, positives):
    data = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).parents[5] / "shared" / "data")
    if not (data / "retrieval" / "smvs_dvd").is_dir():
        pytest.skip("no photographs: set HARNESS_TEST_DATA")
    dataset = ImageInstances("retrieval/smvs_dvd", ground_truth).load(DataFolders(data, tmp_path))
    assert (len(dataset.images), len(dataset.queries)) == (images, queries)
    assert all(len(answers["easy"]) + len(answers["hard"]) == positives for answers in dataset.ground_truth)
