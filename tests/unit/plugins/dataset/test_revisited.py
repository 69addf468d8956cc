"""Revisited Oxford and Paris: the published structure with and without arrays, as JSON, with distractors."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import DataDamaged, DataMissing
from harness.data.catalogue import NamedDataset, counts, named_dataset
from harness.data.export import write_ground_truth
from harness.metrics.ranking import evaluate
from harness.plugin_api import DataFolders
from harness.registry import load_registry
from harness_dataset.image_instances import ImageInstances
from harness_dataset.revisited import Revisited

IMLIST = [f"oxford_{number:06}" for number in range(6)]
QUERIES = ["all_souls_000013", "all_souls_000026"]
GND = [
    {"bbx": [1.5, 2.0, 20.0, 11.25], "easy": [0, 1], "hard": [2], "junk": [5]},
    {"bbx": [0, 0, 24, 16], "easy": [], "hard": [3, 4], "junk": []},
]


def published(as_arrays=False):
    array = (lambda value: np.array(value, dtype=np.int64)) if as_arrays else (lambda value: value)
    gnd = [
        {key: np.array(value) if as_arrays and key == "bbx" else array(value) for key, value in truth.items()}
        for truth in GND
    ]
    return {"gnd": gnd, "imlist": IMLIST, "qimlist": QUERIES}


@pytest.fixture
def folders(tmp_path):
    """The layout of the official script: gnd_SET.pkl and jpg/NAME.jpg."""
    found = DataFolders(tmp_path / "data", tmp_path / "cache")
    (found.root / "roxford5k" / "jpg").mkdir(parents=True)
    (found.root / "roxford5k" / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(published(), protocol=2))
    for number, name in enumerate((*IMLIST, *QUERIES)):
        Image.new("RGB", (24, 16), (number * 20, 9, 9)).save(found.root / "roxford5k" / "jpg" / f"{name}.jpg")
    return found


LOADER = Revisited("roxford5k", "gnd_roxford5k.pkl")


def test_images_queries_boxes_and_labels(folders):
    data = LOADER.load(folders)
    assert data.name == "roxford5k"
    assert [path.name for path in data.images] == [f"{name}.jpg" for name in IMLIST]
    assert [path.name for path in data.queries] == [f"{name}.jpg" for name in QUERIES]
    assert data.boxes == ((1.5, 2.0, 20.0, 11.25), (0, 0, 24, 16))
    assert data.ground_truth[0] == {"easy": (0, 1), "hard": (2,), "junk": (5,)}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_with_arrays_says_the_same(folders, protocol):
    before = LOADER.instances(folders), LOADER.fingerprint(folders)
    (folders.root / "roxford5k" / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(published(True), protocol))
    assert (LOADER.instances(folders), LOADER.fingerprint(folders)) == before


def test_the_json_form_says_the_same_and_image_instances_reads_it(folders, tmp_path):
    entry = named_dataset("roxford5k", load_registry()).entry
    file = folders.root / "roxford5k" / "gnd.json"
    write_ground_truth(NamedDataset("roxford5k", entry, LOADER), folders, file)
    again = ImageInstances("roxford5k", images="jpg").load(folders)
    data = LOADER.load(folders)
    assert list(again.images) == list(data.images)
    assert list(again.queries) == list(data.queries)
    assert (again.boxes, again.ground_truth) == (data.boxes, data.ground_truth)
    plain = {"imlist": IMLIST, "queries": [{"image": q, **GND[i]} for i, q in enumerate(QUERIES)]}
    for query in plain["queries"]:
        query["box"] = query.pop("bbx")
    file.write_text(json.dumps(plain))
    as_json = Revisited("roxford5k", "gnd.json")
    assert as_json.instances(folders) == LOADER.instances(folders)
    assert as_json.fingerprint(folders) == LOADER.fingerprint(folders)


def test_the_original_ground_truth_in_the_same_structure(folders):
    gnd = [{"bbx": truth["bbx"], "ok": truth["easy"] or [1], "junk": truth["junk"]} for truth in GND]
    content = {"gnd": gnd, "imlist": IMLIST, "qimlist": QUERIES}
    (folders.root / "roxford5k" / "gnd_oxford5k.pkl").write_bytes(pickle.dumps(content))
    found = Revisited("roxford5k", "gnd_oxford5k.pkl").instances(folders)
    assert found.ground_truth[0] == {"easy": (0, 1), "hard": (), "junk": (5,)}


def test_photographs_in_folders_below_and_in_the_folder_of_the_original(folders):
    before = LOADER.fingerprint(folders)
    jpg = folders.root / "roxford5k" / "jpg"
    (jpg / "a" / "b").mkdir(parents=True)
    (jpg / f"{IMLIST[0]}.jpg").rename(jpg / "a" / "b" / f"{IMLIST[0]}.jpg")
    assert LOADER.fingerprint(folders) == before
    (folders.root / "oxford5k").mkdir()
    jpg.rename(folders.root / "oxford5k" / "jpg")
    assert LOADER.fingerprint(folders) == before
    assert LOADER.load(folders).images[0].parts[-3:-1] == ("a", "b")


def test_another_photograph_gives_another_fingerprint(folders):
    before = LOADER.fingerprint(folders)
    Image.new("RGB", (24, 16)).save(folders.root / "roxford5k" / "jpg" / f"{QUERIES[0]}.jpg")
    assert LOADER.fingerprint(folders) != before


def test_what_is_missing_is_counted_and_named(folders):
    (folders.root / "roxford5k" / "jpg" / f"{IMLIST[2]}.jpg").unlink()
    with pytest.raises(DataMissing, match=r"1 of 8 images are not in .*: oxford_000002"):
        LOADER.load(folders)
    shutil.rmtree(folders.root / "roxford5k" / "jpg")
    with pytest.raises(DataMissing, match="roxford5k/jpg"):
        LOADER.fingerprint(folders)
    (folders.root / "roxford5k" / "gnd_roxford5k.pkl").unlink()
    with pytest.raises(DataMissing, match=r"gnd_roxford5k\.pkl"):
        LOADER.fingerprint(folders)


def test_two_photographs_of_one_name(folders):
    jpg = folders.root / "roxford5k" / "jpg"
    (jpg / "again").mkdir()
    shutil.copy(jpg / f"{IMLIST[0]}.jpg", jpg / "again")
    with pytest.raises(DataDamaged, match="two images"):
        LOADER.load(folders)


MISTAKES = [
    (lambda content: content["gnd"][0]["easy"].append(6), "6 is not in imlist (0 to 5)"),
    (lambda content: content["gnd"][0]["easy"].append(-1), "-1 is not in imlist"),
    (lambda content: content["gnd"][0]["junk"].append(0), "image 0 is in easy and in junk"),
    (lambda content: content["gnd"][0]["easy"].append(0), "image 0 is a duplicate in easy"),
    (lambda content: content["gnd"][0].update(bbx=[9, 9, 1, 1]), "x0 < x1"),
    (lambda content: content["gnd"][0].update(bbx=[float("nan"), 0, 1, 1]), "is not x0, y0, x1, y1"),
    (lambda content: content["gnd"][0].update(esay=[]), 'did you mean "easy"?'),
    (lambda content: content["gnd"].pop(), "lists of one length"),
    (lambda content: content["imlist"].append(IMLIST[0]), "is a duplicate of"),
    (lambda content: content.pop("imlist"), "imlist, qimlist and gnd"),
    (lambda content: content.update(qimlist=None), "should be lists"),
    (lambda content: content["gnd"].__setitem__(0, 3), "gnd holds 3"),
]


@pytest.mark.parametrize(("change", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_a_mistake_in_the_ground_truth_is_named(folders, change, words):
    content = pickle.loads(pickle.dumps(published()))
    change(content)
    path = folders.root / "roxford5k" / "gnd_roxford5k.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataDamaged) as caught:
        LOADER.load(folders)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.fixture
def distractors(folders):
    """Three distractors in hashed folders, and a list that names one more."""
    folder = folders.root / "revisitop1m"
    names = ["0d3/b.jpg", "0d3/a.jpg", "ff0/c.jpg", "ff0/lost.jpg"]
    for name in names[:3]:
        (folder / "jpg" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / "jpg" / name)
    (folder / "revisitop1m.txt").write_text("\n".join(names) + "\n")
    return folder


def test_distractors_follow_in_the_order_of_the_list(folders, distractors):
    loader = Revisited("roxford5k", "gnd_roxford5k.pkl", distractors="revisitop1m", missing_distractors="skip")
    data = loader.load(folders)
    assert [path.name for path in data.images[6:]] == ["b.jpg", "a.jpg", "c.jpg"]
    assert data.images[-1] == distractors / "jpg" / "ff0" / "c.jpg"
    assert counts(data)["images"] == len(data.images) == 9
    perfect = [[*range(9)], [3, 4, 0, 1, 2, 5, 6, 7, 8]]
    assert evaluate(perfect, data.ground_truth, n_database=9)["medium"].map == 1
    assert loader.fingerprint(folders) != LOADER.fingerprint(folders)


def test_lost_distractors_are_refused_unless_they_may_be_missing(folders, distractors):
    loader = Revisited("roxford5k", "gnd_roxford5k.pkl", distractors="revisitop1m")
    with pytest.raises(DataMissing, match="1 of 4 images"):
        loader.load(folders)
    (distractors / "revisitop1m.txt").write_text("../../secret.jpg\n")
    with pytest.raises(DataDamaged, match="not inside"):
        loader.load(folders)
    (distractors / "revisitop1m.txt").write_text("0d3/a.jpg\n0d3/a.jpg\n")
    with pytest.raises(DataDamaged, match="1 duplicate names"):
        loader.load(folders)
    os.remove(distractors / "revisitop1m.txt")
    with pytest.raises(DataMissing, match="no list of distractors"):
        loader.fingerprint(folders)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "published_counts", "without_easy"),
    [("roxford5k", (4993, 70, 3029, 2497, 1356), 2), ("rparis6k", (6322, 70, 6874, 10350, 7153), 0)],
)
def test_the_published_pickles(realdata, tmp_path, name, published_counts, without_easy):
    source = realdata / "retrieval" / "revisited"
    folders = DataFolders(tmp_path, tmp_path / "cache")
    (tmp_path / name / "jpg").mkdir(parents=True)
    for file in (f"gnd_{name}.pkl", f"{name}.json"):
        shutil.copy(source / file, tmp_path / name)
    loader = Revisited(name, f"gnd_{name}.pkl")
    found = loader.instances(folders)
    assert found == Revisited(name, f"{name}.json").instances(folders)
    for image in (*found.images, *found.queries):
        (tmp_path / name / "jpg" / f"{image}.jpg").touch()
    data = loader.load(folders)
    entry = named_dataset(name, load_registry()).entry
    assert tuple(counts(data).values()) == published_counts == tuple(entry.counts.values())
    assert sum(not truth["easy"] for truth in data.ground_truth) == without_easy
