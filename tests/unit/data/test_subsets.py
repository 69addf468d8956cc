"""Parts of classification sets: the same three parameters of every loader."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import DataDamaged, InvalidInput
from harness.data.subsets import Subset, in_proportion
from harness.plugin_api import DataFolders
from harness_dataset.cifar import Cifar
from harness_dataset.digits import Digits
from harness_dataset.embeddings import Embeddings
from harness_dataset.image_classes import ImageClasses
from harness_dataset.mnist import Mnist
from harness_dataset.svhn import Svhn


@pytest.fixture
def folders(tmp_path):
    return DataFolders(root=tmp_path, cache=tmp_path / "cache")


def test_every_loader_of_classification_sets_has_them_and_features_for_the_selection():
    for loader in (Cifar, Digits, Embeddings, ImageClasses, Mnist, Svhn):
        names = loader.__dataclass_fields__.keys()
        assert {"limit", "per_class", "classes", "selection_features"} <= names, loader


def test_digits_by_class_by_number_and_in_all(folders):
    whole = Digits().load(folders)
    part = Digits(classes=("7", 3), per_class=20).load(folders)
    assert part.classes == ("3", "7")
    assert np.bincount(part.train_labels).tolist() == [20, 20]
    threes = np.flatnonzero(whole.train_labels == 3)[:20]
    np.testing.assert_array_equal(part.train_images[part.train_labels == 0], whole.train_images[threes])
    assert len(part.test_labels) == np.isin(whole.test_labels, (3, 7)).sum()
    limited = Digits(limit=100).load(folders)
    assert len(limited.train_labels) == 100
    assert len(limited.test_labels) == len(whole.test_labels)
    assert np.bincount(limited.train_labels).min() >= 9


def test_fingerprints_tell_parts_apart_and_stay_those_of_the_whole(folders):
    parts = [{}, {"limit": 50}, {"per_class": 5}, {"classes": ("1", "2")}, {"classes": ("1", "3")}]
    fingerprints = [Digits(**options).fingerprint(folders) for options in parts]
    assert len(set(fingerprints)) == len(parts)
    assert Digits(classes=(2, 1)).fingerprint(folders) == Digits(classes=("1", "2")).fingerprint(folders)


def test_a_class_that_is_not_there_is_found_when_planning(folders):
    with pytest.raises(InvalidInput, match='digits has no class "11"'):
        Digits(classes=("11",)).fingerprint(folders)
    with pytest.raises(InvalidInput, match="limit 5 leaves classes"):
        Digits(limit=5).fingerprint(folders)


def test_folders_decode_only_what_is_taken(folders):
    for part, count in (("train", 6), ("test", 2)):
        for name in ("ant", "bee", "cow"):
            (folders.root / "pets" / part / name).mkdir(parents=True)
            for number in range(count if name != "cow" else 1):
                shade = (len(part), number, ord(name[0]))
                Image.new("RGB", (8, 8), shade).save(folders.root / "pets" / part / name / f"{number}.png")
    (folders.root / "pets" / "train" / "bee" / "5.png").write_bytes(b"cut")
    loaded = ImageClasses(path="pets", size=8, limit=7).load(folders)
    assert np.bincount(loaded.train_labels).tolist() == [3, 3, 1]
    loaded = ImageClasses(path="pets", size=8, classes=("cow", "ant")).load(folders)
    assert loaded.classes == ("ant", "cow")
    assert loaded.train_labels.tolist() == [0] * 6 + [1]
    assert loaded.test_labels.tolist() == [0, 0, 1]


def test_embeddings_with_features_of_their_own_for_the_selection(folders, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 3
    rows = {"train": rng.normal(size=(12, 4)), "test": rng.normal(size=(6, 4))}
    np.savez(tmp_path / "f.npz", allow_pickle=False, train_labels=labels, test_labels=labels[:6], **rows)
    other = rng.normal(size=(12, 2)).astype(np.float32)
    np.save(tmp_path / "other.npy", other)
    loader = Embeddings(path="f.npz", classes=(0, 2), per_class=2, selection_features=tmp_path / "other.npy")
    loaded = loader.load(folders)
    np.testing.assert_array_equal(loaded.selection_features, other[[0, 2, 3, 5]])
    assert loaded.train_labels.tolist() == [0, 1, 0, 1]


def test_features_for_the_selection_of_folders_of_images_follow_the_images_that_are_taken(folders):
    for part, count in (("train", 4), ("test", 1)):
        for name in ("ant", "bee", "cow"):
            (folders.root / "pets" / part / name).mkdir(parents=True)
            for number in range(count):
                shade = (number, 0, ord(name[0]))
                Image.new("RGB", (8, 8), shade).save(folders.root / "pets" / part / name / f"{number}.png")
    rows = np.arange(24, dtype=np.float32).reshape(12, 2)
    np.save(folders.root / "other.npy", rows)
    loader = ImageClasses(
        path="pets", size=8, per_class=2, classes=("ant", "cow"), selection_features=folders.root / "other.npy"
    )
    np.testing.assert_array_equal(loader.load(folders).selection_features, rows[[0, 1, 8, 9]])
    np.save(folders.root / "other.npy", rows[1:])
    with pytest.raises(DataDamaged, match=r"\(11, 2\)") as error:
        loader.fingerprint(folders)
    assert "of the 12 examples of the pool" in error.value.fix


def test_digits_have_features_for_the_selection_that_are_checked_when_planning(folders, tmp_path):
    rows = np.arange(1297 * 2, dtype=np.float32).reshape(-1, 2)
    np.savez(tmp_path / "other.npz", train=rows)
    loader = Digits(limit=50, selection_features=tmp_path / "other.npz")
    loaded = loader.load(folders)
    chosen = [
        np.flatnonzero((loader_image == Digits().load(folders).train_images).all((1, 2, 3)))[0]
        for loader_image in loaded.train_images[:3]
    ]
    np.testing.assert_array_equal(loaded.selection_features[:3], rows[chosen])
    np.savez(tmp_path / "other.npz", train=rows[:50])
    with pytest.raises(DataDamaged, match="other.npz holds float32"):
        loader.fingerprint(folders)
    np.savez(tmp_path / "other.npz", test=rows)
    with pytest.raises(DataDamaged, match="has no train"):
        loader.fingerprint(folders)


@pytest.mark.parametrize("name", ["other.npy", "other.npz"])
def test_cut_off_features_for_the_selection_are_named(folders, tmp_path, name):
    rows, labels = np.ones((4, 2)), np.arange(4) % 2
    np.savez(tmp_path / "f.npz", train=rows, test=rows, train_labels=labels, test_labels=labels)
    save = np.save if name.endswith("npy") else np.savez
    save(tmp_path / name, rows)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) - 30])
    with pytest.raises(DataDamaged, match=f"{name} cannot be read"):
        Embeddings(path="f.npz", selection_features=tmp_path / name).load(folders)


@pytest.mark.parametrize("counts", [(10, 10, 10), (1000, 1, 1), (7, 0, 3)])
@pytest.mark.parametrize("limit", [3, 4, 8])
def test_a_limit_is_met_and_leaves_no_class_empty(counts, limit):
    numbers = Subset(limit=limit).numbers(counts)
    assert sum(numbers) == min(limit, sum(counts))
    assert all(0 < number <= count for number, count in zip(numbers, counts, strict=True) if count)


def test_shares_are_those_of_the_largest_remainders():
    assert in_proportion(np.array([5, 3, 2]), 4).tolist() == [2, 1, 1]
