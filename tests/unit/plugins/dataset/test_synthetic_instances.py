"""The embedded retrieval set: the same bytes each time, labels that follow from what is seen, never half a set."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from harness.core.errors import DataDamaged
from harness.data.generators import synthetic
from harness.data.generators.scenes import View, paste, scene
from harness.data.generators.textures import card
from harness.plugin_api import DataFolders
from harness.registry import foreign
from harness_dataset.synthetic_instances import SyntheticInstances

pytestmark = pytest.mark.usefixtures("clean_process")

SMALL = SyntheticInstances(objects=4, images=40, queries=6, size=96)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic")
    return DataFolders(root / "data", root / "cache")


@pytest.fixture(scope="module")
def loaded(folders):
    with pytest.MonkeyPatch.context() as patch:  # as clean_process, which a fixture of a module cannot ask for
        patch.setattr(foreign, "_loaded", {})
        return SMALL.load(folders)


@pytest.fixture
def elsewhere(tmp_path):
    return DataFolders(tmp_path / "data", tmp_path / "cache")


def content(retrieval_set):
    folder = retrieval_set.images[0].parent.parent
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_counts_and_sizes(loaded):
    assert (len(loaded.images), len(loaded.image_boxes)) == (40, 40)
    assert len(loaded.queries) == len(loaded.boxes) == len(loaded.ground_truth) == 6
    assert {cv2.imread(str(path)).shape for path in (*loaded.images, *loaded.queries)} == {(96, 96, 3)}


def test_the_same_bytes_again_and_others_from_another_seed(loaded, elsewhere):
    again, other = SMALL.load(elsewhere), replace(SMALL, seed=1).load(elsewhere)
    assert content(loaded) == content(again)
    first, second = content(loaded), content(other)
    assert first.keys() == second.keys()
    assert not any(first[name] == second[name] for name in first)


def test_no_image_occurs_twice(loaded):
    images = [image for name, image in content(loaded).items() if name.suffix == ".jpg"]
    assert len(set(images)) == 46


def test_boxes_lie_inside_the_images(loaded):
    assert None not in loaded.boxes
    for x0, y0, x1, y1 in [*loaded.boxes, *(box for box in loaded.image_boxes if box is not None)]:
        assert 0 <= x0 < x1 <= 96
        assert 0 <= y0 < y1 <= 96


def test_a_query_is_answered_by_all_images_of_its_object(loaded):
    for query, labels in enumerate(loaded.ground_truth):
        answers = [image for kind in ("easy", "hard", "junk") for image in labels[kind]]
        assert len(answers) == len(set(answers)) == 6  # 24 of the 40 images show one of four objects
        assert labels == loaded.ground_truth[query % 4]
        for image in (*labels["easy"], *labels["hard"]):
            assert loaded.image_boxes[image] is not None
    assert len({image for labels in loaded.ground_truth for kind in labels.values() for image in kind}) == 24


def test_pairs_show_objects_that_no_query_asks_for(loaded):
    answers = {image for labels in loaded.ground_truth for kind in labels.values() for image in kind}
    assert loaded.pairs.dtype == np.int64
    assert loaded.pairs.ndim == 2
    assert len(loaded.pairs)
    assert (loaded.pairs[:, 0] < loaded.pairs[:, 1]).all()
    assert not answers & set(loaded.pairs.ravel().tolist())


def test_a_tenth_of_the_images_shows_no_object(loaded):
    answers = {image for labels in loaded.ground_truth for kind in labels.values() for image in kind}
    empty = [image for image, box in enumerate(loaded.image_boxes) if box is None and image not in answers]
    assert len(empty) >= 4


def test_easy_objects_are_seen_better_than_hard_ones():
    subject, generators = card(np.random.default_rng(0)), map(np.random.default_rng, range(200))
    scenes = [scene(rng, 64, View(), subject) for rng in generators]
    groups = {kind: [s for s in scenes if synthetic._label(s) == kind] for kind in ("easy", "hard", "junk")}
    assert all(groups.values())
    assert all(s.visible >= 0.85 for s in groups["easy"])
    mean = {kind: np.mean([s.visible * s.share for s in members]) for kind, members in groups.items()}
    assert mean["easy"] > mean["hard"] > mean["junk"]


def test_pasting_covers_what_the_corners_say():
    image, red = np.zeros((40, 50, 3), np.float32), np.full((8, 8, 4), [255, 0, 0, 255], np.float32)
    corners = np.array([[10, 5], [30, 5], [30, 25], [10, 25]], np.float32)
    opacity = paste(image, red, corners)
    assert opacity.sum() == pytest.approx(400, rel=0.1)
    assert (opacity[7:23, 12:28] == 1).all()
    assert (opacity[:4] == 0).all()
    assert (opacity[:, 32:] == 0).all()
    np.testing.assert_allclose(image, opacity[..., None] * [255, 0, 0], atol=1e-3)


def test_pasting_outside_the_image_changes_nothing():
    image, other = np.ones((20, 20, 3), np.float32), np.full((8, 8, 4), 255, np.float32)
    corners = np.array([[30, 30], [40, 30], [40, 40], [30, 40]], np.float32)
    assert not paste(image, other, corners).any()
    assert (image == 1).all()


def test_training_objects_are_none_of_the_datasets():
    training = {synthetic.training_object(index, 0).tobytes() for index in range(20)}
    shown = {card(synthetic._generator(synthetic._OBJECT, 0, index)).tobytes() for index in range(20)}
    assert len(training | shown) == 40


def test_the_second_load_only_reads(loaded, folders, monkeypatch):
    monkeypatch.setattr(synthetic, "generate", lambda *_: pytest.fail("drawn again"))
    assert SMALL.load(folders).ground_truth == loaded.ground_truth


def test_an_interrupted_generation_leaves_no_set(elsewhere, monkeypatch):
    write, calls = synthetic._write, []

    def interrupted(path, image):
        calls.append(path)
        if len(calls) == 10:
            raise KeyboardInterrupt
        write(path, image)

    monkeypatch.setattr(synthetic, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SMALL.load(elsewhere)
    assert not [path for path in elsewhere.cache.rglob("*") if path.is_file()]
    monkeypatch.setattr(synthetic, "_write", write)
    assert len(SMALL.load(elsewhere).images) == 40


def test_what_a_killed_process_left_is_ignored_and_later_removed(elsewhere):
    parent = elsewhere.cache / "synthetic-instances"
    old, young = (parent / f".{SMALL.fingerprint(elsewhere)[:16]}-{name}" for name in ("old", "young"))
    for folder in (old, young):
        (folder / "database").mkdir(parents=True)
    os.utime(old, (time.time() - 7200,) * 2)
    SMALL.load(elsewhere)
    assert not old.exists()
    assert young.exists()


def test_two_processes_at_once_both_get_the_set(elsewhere, monkeypatch):
    generate = synthetic.generate

    def overtaken(folder, contents):
        generate(folder, contents)
        final = folder.parent / SMALL.fingerprint(elsewhere)[:16]
        if not final.exists():
            generate(final, contents)

    monkeypatch.setattr(synthetic, "generate", overtaken)
    assert len(SMALL.load(elsewhere).images) == 40
    assert [path.name[0] for path in (elsewhere.cache / "synthetic-instances").iterdir()] != ["."]


def test_lost_files_are_named(elsewhere):
    found = SMALL.load(elsewhere)
    found.images[7].unlink()
    with pytest.raises(DataDamaged, match="00007"):
        SMALL.load(elsewhere)


def test_damaged_ground_truth_is_named(elsewhere):
    found = SMALL.load(elsewhere)
    (found.images[0].parent.parent / synthetic.GROUND_TRUTH).write_text("{")
    with pytest.raises(DataDamaged, match="ground truth"):
        SMALL.load(elsewhere)


def test_the_fingerprint_depends_on_every_parameter_and_draws_nothing(elsewhere):
    others = [replace(SMALL, **{name: getattr(SMALL, name) + 1}) for name in ("objects", "images", "queries", "size")]
    found = [method.fingerprint(elsewhere) for method in (SMALL, *others, replace(SMALL, seed=5))]
    assert len(set(found)) == 6
    assert SMALL.fingerprint(elsewhere) == found[0]
    assert not elsewhere.cache.exists()


def test_too_few_images_for_the_objects():
    with pytest.raises(ValueError, match="cannot show"):
        SyntheticInstances(objects=4, images=6)
    assert SyntheticInstances(objects=3, images=5).objects == 3


def test_ground_truth_is_written_last(elsewhere):
    folder = SMALL.load(elsewhere).images[0].parent.parent
    written = (folder / synthetic.GROUND_TRUTH).stat().st_mtime_ns
    assert all(path.stat().st_mtime_ns <= written for path in folder.rglob("*.jpg"))
    assert json.loads((folder / synthetic.GROUND_TRUTH).read_text()).keys() == {
        "boxes",
        "image_boxes",
        "ground_truth",
        "pairs",
    }
