from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

import harness_dataset.image_classes as module
from harness.core.errors import DataDamaged, DataMissing
from harness.plugin_api import DataFolders
from harness_dataset.image_classes import ImageClasses


@pytest.fixture
def place(tmp_path):
    """Two classes, told apart by colour, of images of different sizes and formats."""
    for part, count in (("train", 3), ("test", 2)):
        for name, colour in (("ant", (200, 10, 10)), ("bee", (10, 10, 200))):
            folder = tmp_path / "insects" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                suffix = ("jpg", "png", "JPEG")[number]
                Image.new("RGB", (20 + 5 * number, 16), colour).save(folder / f"{number}.{suffix}", quality=95)
    (tmp_path / "insects" / "train" / "notes.txt").write_text("no image")
    return DataFolders(root=tmp_path, cache=tmp_path / "cache")


def test_images_and_labels_follow_the_folders(place):
    found = ImageClasses(path="insects", size=8).load(place)
    assert found.classes == ("ant", "bee")
    assert found.train_images.shape == (6, 3, 8, 8)
    assert found.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.test_labels.tolist() == [0, 0, 1, 1]
    mean = found.train_images.mean((2, 3))
    np.testing.assert_allclose(mean[:3], [[200, 10, 10]] * 3, atol=3)
    np.testing.assert_allclose(mean[3:], [[10, 10, 200]] * 3, atol=3)


def test_grey(place):
    assert ImageClasses(path="insects", size=8, channels=1).load(place).test_images.shape == (4, 1, 8, 8)


def test_an_absolute_path_is_taken_as_it_is(place, tmp_path):
    elsewhere = DataFolders(root=tmp_path / "none", cache=place.cache)
    assert len(ImageClasses(path=str(tmp_path / "insects")).load(elsewhere).train_labels) == 6


def test_a_second_load_decodes_nothing(place, monkeypatch):
    first = ImageClasses(path="insects").load(place)
    monkeypatch.setattr(module, "decode_squares", None)
    assert np.array_equal(first.train_images, ImageClasses(path="insects").load(place).train_images)


def test_the_fingerprint_is_of_bytes_names_and_reading_not_of_the_place(place, tmp_path):
    dataset = ImageClasses(path="insects")
    before = dataset.fingerprint(place)
    shutil.copytree(tmp_path / "insects", tmp_path / "copy")
    assert ImageClasses(path="copy").fingerprint(place) == before
    assert ImageClasses(path="insects", size=16).fingerprint(place) != before
    Image.new("RGB", (20, 16), (0, 255, 0)).save(tmp_path / "insects" / "train" / "ant" / "0.jpg")
    assert dataset.fingerprint(place) != before


def test_an_old_file_is_read_once(place, monkeypatch):
    from harness.data import fingerprint

    for path in (place.root / "insects").rglob("*.*"):
        os.utime(path, (1, 1))
    # Files written a moment ago may change once more within one tick of the clock: none is remembered before it is old.
    monkeypatch.setattr(fingerprint, "is_settled", lambda state: True)
    before = ImageClasses(path="insects").fingerprint(place)
    monkeypatch.setattr(fingerprint, "file_checksum", None)
    assert ImageClasses(path="insects").fingerprint(place) == before


def test_a_file_that_is_no_image_is_named(place):
    (place.root / "insects" / "train" / "bee" / "broken.jpg").write_bytes(b"\xff\xd8 no jpeg")
    with pytest.raises(DataDamaged, match="broken.jpg"):
        ImageClasses(path="insects").load(place)


def test_a_missing_folder_says_what_belongs_there(place):
    with pytest.raises(DataMissing, match="no folder .*nowhere"):
        ImageClasses(path="nowhere").fingerprint(place)
    shutil.rmtree(place.root / "insects" / "test")
    with pytest.raises(DataMissing, match="test"):
        ImageClasses(path="insects").load(place)


def test_a_class_of_the_test_alone_is_refused(place):
    shutil.move(place.root / "insects" / "test" / "bee", place.root / "insects" / "test" / "wasp")
    with pytest.raises(DataDamaged, match="wasp"):
        ImageClasses(path="insects").load(place)
