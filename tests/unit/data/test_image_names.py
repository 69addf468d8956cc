"""Names in a ground truth that are those of no file: the file that was meant is named."""

from __future__ import annotations

import json
import pickle
import unicodedata

import pytest
from PIL import Image

from harness.core.errors import DataDamaged
from harness.plugin_api import DataFolders
from harness_dataset.image_instances import ImageInstances


@pytest.fixture
def folders(tmp_path):
    for number, name in enumerate(("a.jpg", "sub/b.jpg", "q.jpg", unicodedata.normalize("NFD", "café.jpg"))):
        path = tmp_path / "set" / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    return DataFolders(root=tmp_path, cache=tmp_path / "cache")


def write(folders, imlist, text=None):
    truth = {"imlist": imlist, "queries": [{"image": "q.jpg", "easy": [0]}]}
    (folders.root / "set" / "gnd.json").write_text(text or json.dumps(truth), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sub\\b.jpg", "; 'sub/b.jpg' exists"),
        ("A.JPG", "; 'a.jpg' exists"),
        ("a.png", "; 'a.jpg' exists"),
        ("images/a.jpg", "; 'a.jpg' exists"),
        ("/data/set/images/sub/b.jpg", "leads out of the folder of the images; 'sub/b.jpg' exists"),
        (unicodedata.normalize("NFC", "café.jpg"), "(the same letters in another Unicode form)"),
        ("nothing.jpg", "there is no image 'nothing.jpg'"),
    ],
)
def test_the_file_that_was_meant_is_named(folders, name, words):
    write(folders, ["a.jpg", name])
    with pytest.raises(DataDamaged) as caught:
        ImageInstances("set").fingerprint(folders)
    assert words in str(caught.value)
    assert ("exists" in str(caught.value)) == ("nothing" not in name)


def test_a_byte_order_mark_is_no_mistake(folders):
    write(folders, [], "\ufeff" + json.dumps({"imlist": ["a.jpg"], "queries": [{"image": "q.jpg", "easy": [0]}]}))
    assert len(ImageInstances("set").load(folders).images) == 1


def test_a_key_that_comes_twice_is_refused(folders):
    write(folders, [], '{"imlist": ["a.jpg"], "queries": [], "queries": [{"image": "q.jpg", "easy": [0]}]}')
    with pytest.raises(DataDamaged, match="duplicate key 'queries'"):
        ImageInstances("set").fingerprint(folders)


def test_another_encoding_is_named(folders):
    (folders.root / "set" / "gnd.json").write_text("{}", encoding="utf-16")
    with pytest.raises(DataDamaged, match="save it as UTF-8"):
        ImageInstances("set").fingerprint(folders)


@pytest.mark.parametrize("suffix", ["json", "pkl"])
def test_the_published_structure_is_recognised_names_without_suffix(folders, suffix):
    gnd = [{"bbx": [0, 0, 8, 8], "easy": [0], "hard": [], "junk": [1]}]
    truth = {"imlist": ["a", "b"], "qimlist": ["q"], "gnd": gnd}
    content = json.dumps(truth).encode() if suffix == "json" else pickle.dumps(truth, protocol=2)
    (folders.root / "set" / f"gnd.{suffix}").write_bytes(content)
    loaded = ImageInstances("set", f"gnd.{suffix}").load(folders)
    images = folders.root / "set" / "images"
    assert list(loaded.images) == [images / "a.jpg", images / "sub" / "b.jpg"]
    assert list(loaded.queries) == [images / "q.jpg"]
    assert dict(loaded.ground_truth[0]) == {"easy": (0,), "hard": (), "junk": (1,)}
