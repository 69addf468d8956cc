"""The data set made of photographs of packages: repeatable, parts apart, ground truth, missing packages."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import DataMissing
from harness.data.decode import decode_image
from harness.data.generators import photograph_sources
from harness.data.generators.photograph_sources import CLUTTER, OBJECTS, QUERIED, SOURCES, photograph_files
from harness.plugin_api import DataFolders
from harness_dataset.photographs import Photographs

SMALL = Photographs(images=60, queries=QUERIED + 2, size=64)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return DataFolders(tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def dataset(folders):
    return SMALL.load(folders)


def test_it_is_made_of_files_that_are_installed_and_whose_licence_is_named():
    files = photograph_files()
    assert all(file.is_file() for file in files.values())
    assert all(licence for _, licence in SOURCES.values())
    assert {crop.name for crop in (*OBJECTS, *CLUTTER)} == set(SOURCES)


def test_parts_lie_in_their_photographs_and_apart_from_each_other():
    sizes = {name: decode_image(file).size for name, file in photograph_files().items()}
    for crop in (*OBJECTS, *CLUTTER):
        width, height = sizes[crop.name]
        assert 0 <= crop.x0 < crop.x1 <= width, crop
        assert 0 <= crop.y0 < crop.y1 <= height, crop
    parts = [*OBJECTS, *CLUTTER]
    for i, a in enumerate(parts):
        for b in parts[:i]:
            beside = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
            assert a.name != b.name or beside, (a, b)


def test_the_same_seed_gives_the_same_bytes(dataset, tmp_path):
    again = SMALL.load(DataFolders(tmp_path, tmp_path / "cache"))
    for ours, theirs in zip([*dataset.images, *dataset.queries], [*again.images, *again.queries], strict=True):
        assert ours.read_bytes() == theirs.read_bytes()
    assert dataset.ground_truth == again.ground_truth


def test_another_seed_gives_other_views(folders):
    assert SMALL.fingerprint(folders) != Photographs(images=60, queries=QUERIED + 2, size=64, seed=1).fingerprint(
        folders
    )


def test_ground_truth_is_of_the_revisited_protocol(dataset):
    assert (len(dataset.images), len(dataset.queries)) == (60, QUERIED + 2)
    assert dataset.ground_truth[0] == dataset.ground_truth[QUERIED]  # the same object again
    assert dataset.boxes[0] != dataset.boxes[QUERIED]
    shown = [image for truth in dataset.ground_truth[:QUERIED] for labels in truth.values() for image in labels]
    assert sorted(shown) == sorted(set(shown))  # an image shows one object
    assert len(shown) == 36  # 60 % of the database
    assert all(box is not None for box in dataset.boxes)
    asked = set(shown)
    assert dataset.pairs is not None
    assert not asked & set(dataset.pairs.ravel().tolist())  # pairs are of objects that no query asks for


def test_images_are_of_the_size_asked_for(dataset):
    assert {decode_image(path).size for path in (dataset.images[0], dataset.queries[-1])} == {(64, 64)}
    assert np.asarray(decode_image(dataset.images[0])).std() > 5


def test_a_missing_package_names_the_extra(monkeypatch, folders):
    monkeypatch.setattr(photograph_sources, "find_spec", lambda name: None)
    with pytest.raises(DataMissing, match="is not installed") as error:
        Photographs().fingerprint(folders)
    assert "photos" in error.value.fix
