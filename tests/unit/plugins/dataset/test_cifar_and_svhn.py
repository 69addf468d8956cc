"""CIFAR batches (pickles, MD5) and SVHN (.mat): small files in the published formats."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle

import numpy as np
import pytest
from scipy.io import savemat

from harness.core.errors import DataDamaged, DataMissing
from harness.plugin_api import DataFolders
from harness_dataset import cifar, svhn
from harness_dataset.cifar import Cifar
from harness_dataset.svhn import Svhn

RNG = np.random.default_rng(0)


def md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture
def folders(tmp_path):
    return DataFolders(tmp_path, tmp_path / "cache")


@pytest.fixture(params=[10, 100])
def batches(request, folders, monkeypatch):
    """Batches of three images each, and the loader told their MD5."""
    classes = request.param
    loader = Cifar("cifar-10-batches-py" if classes == 10 else "cifar-100-python", classes)
    folder = folders.root / loader.path
    folder.mkdir()
    files = cifar._CIFAR[classes]
    content = {}
    for number, name in enumerate([*files.train, *files.test]):
        content[name] = {
            "data": RNG.integers(0, 256, (3, 3072), dtype=np.uint8),
            files.labels: [number % 10, 1, 2],
            "filenames": ["a.png", "b.png", "c.png"],
        }
        (folder / name).write_bytes(pickle.dumps(content[name], protocol=2))
    (meta,) = files.meta
    (folder / meta).write_bytes(pickle.dumps({files.names: [f"class {n}" for n in range(classes)]}, protocol=2))

    def known(names):
        return {name: md5(folder / name) for name in names}

    told = dataclasses.replace(files, train=known(files.train), test=known(files.test), meta=known(files.meta))
    monkeypatch.setitem(cifar._CIFAR, classes, told)
    return loader, folder, content, told


def test_features_for_the_selection_are_counted_when_planning(batches, folders):
    loader, folder, _, files = batches
    rows = RNG.normal(size=(3 * len(files.train), 2)).astype(np.float32)
    np.save(folder / "seen.npy", rows)
    loader = dataclasses.replace(loader, selection_features=folder / "seen.npy")
    loader.fingerprint(folders)
    np.testing.assert_array_equal(loader.load(folders).selection_features, rows)
    np.save(folder / "seen.npy", rows[:2])
    with pytest.raises(DataDamaged, match="holds float32 \\(2, 2\\)"):
        loader.fingerprint(folders)


def test_images_labels_and_classes(batches, folders):
    loader, _, content, files = batches
    data = loader.load(folders)
    train = np.concatenate([content[name]["data"] for name in files.train])
    np.testing.assert_array_equal(data.train_images, train.reshape(-1, 3, 32, 32))
    np.testing.assert_array_equal(data.test_labels, content[next(iter(files.test))][files.labels])
    assert data.train_labels.dtype == np.int64
    assert len(data.classes) == loader.classes
    assert data.classes[3] == "class 3"
    assert data.flip


def test_a_file_with_another_md5_is_refused_before_it_is_read(batches, folders, tmp_path):
    loader, folder, _, files = batches

    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    name = next(iter(files.train))
    (folder / name).write_bytes(pickle.dumps({"data": Attack()}))
    with pytest.raises(DataDamaged, match="its MD5 is"):
        loader.load(folders)
    files.train[name] = md5(folder / name)
    with pytest.raises(DataDamaged, match=r"asks for posix\.system"):
        loader.load(folders)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda batch, labels: batch.pop("data"), "no data of uint8"),
        (lambda batch, labels: batch.update(data=batch["data"].astype(np.float32)), "no data of uint8"),
        (lambda batch, labels: batch.update(data=batch["data"][:, :3000]), r"\(3, 3000\) for 3 labels"),
        (lambda batch, labels: batch[labels].pop(), "for 2 labels"),
        (lambda batch, labels: batch[labels].__setitem__(0, 200), "labels should be from 0"),
        (lambda batch, labels: batch[labels].__setitem__(0, "cat"), "for 3 labels"),
    ],
)
def test_a_batch_that_does_not_fit_together(batches, folders, change, words):
    loader, folder, content, files = batches
    name = next(iter(files.test))
    change(content[name], files.labels)
    (folder / name).write_bytes(pickle.dumps(content[name], protocol=2))
    files.test[name] = md5(folder / name)
    with pytest.raises(DataDamaged, match=words):
        loader.load(folders)


def test_what_is_missing_is_named_with_its_place(batches, folders):
    loader, folder, _, files = batches
    before = loader.fingerprint(folders)
    inner = folder / folder.name
    inner.mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        path.rename(inner / path.name)
    assert loader.fingerprint(folders) == before  # unpacked one folder too deep
    (inner / next(iter(files.meta))).unlink()
    with pytest.raises(DataMissing, match=f"in {folder}"):
        loader.fingerprint(folders)


@pytest.fixture
def houses(folders, monkeypatch):
    """Small .mat files, and the loader told their MD5."""
    folder = folders.root / "SVHN"
    folder.mkdir()
    content = {}
    for part, labels in (("train", [10, 1, 9, 10]), ("test", [2, 3])):
        content[part] = RNG.integers(0, 256, (32, 32, 3, len(labels)), dtype=np.uint8)
        matrix = {"X": content[part], "y": np.array(labels, dtype=np.uint8)[:, None]}
        savemat(folder / f"{part}_32x32.mat", matrix, format="5", do_compression=True)
    tell(folder, monkeypatch)
    return folder, content


def tell(folder, monkeypatch):
    names = {part: f"{part}_32x32.mat" for part in ("train", "test")}
    monkeypatch.setattr(svhn, "_FILES", {part: (name, md5(folder / name)) for part, name in names.items()})


def test_svhn(houses, folders):
    _, content = houses
    data = Svhn().load(folders)
    assert data.train_labels.tolist() == [0, 1, 9, 0]
    assert data.train_images.shape == (4, 3, 32, 32)
    np.testing.assert_array_equal(data.train_images[2, 1], content["train"][:, :, 1, 2])
    np.testing.assert_array_equal(data.test_images[1, 0], content["test"][:, :, 0, 1])
    assert not data.flip


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ({"X": np.zeros((32, 32, 3, 2), np.uint8)}, "not the published file"),
        ({"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[1]])}, "for 1 labels"),
        ({"X": np.zeros((32, 32, 3, 1), np.float64), "y": np.array([[1]])}, "float64"),
        ({"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[1], [11]])}, "from 1 to 10"),
    ],
)
def test_svhn_that_does_not_fit_together(houses, folders, monkeypatch, matrix, words):
    folder, _ = houses
    savemat(folder / "test_32x32.mat", matrix)
    with pytest.raises(DataDamaged, match="its MD5 is") as refused:
        Svhn().load(folders)
    assert "name the dataset image-classes in the spec" in refused.value.fix
    tell(folder, monkeypatch)
    with pytest.raises(DataDamaged, match=words):
        Svhn().load(folders)


def test_svhn_that_is_missing(houses, folders):
    folder, _ = houses
    (folder / "train_32x32.mat").rename(folders.root / "train_32x32.mat")
    (folder / "test_32x32.mat").rename(folders.root / "test_32x32.mat")
    assert len(Svhn().load(folders).test_labels) == 2  # beside instead of inside of the folder
    (folders.root / "train_32x32.mat").unlink()
    with pytest.raises(DataMissing, match=r"train_32x32\.mat"):
        Svhn().fingerprint(folders)


def test_another_file_is_found_when_planned(folders):
    from harness.core.errors import Errors
    from harness.runs.plan import make_plan

    folder = folders.root / "cifar-10-batches-py"
    folder.mkdir()
    for name in cifar._CIFAR[10].md5:
        (folder / name).write_bytes(b"not it")
    spec = {"name": "c", "task": "active-learning", "datasets": "cifar10", "methods": {"network": "cnn13"}}
    spec["methods"] |= {"learning": "supervised", "acquisition": "random"}
    with pytest.raises(Errors, match="data_batch_1 is not the published file: its MD5 is") as refused:
        make_plan(spec, folders, incomplete=True)
    assert refused.value.exit_status == 4
