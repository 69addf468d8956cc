from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

import harness_dataset.mnist as module
from harness.core.errors import DataDamaged, DataMissing
from harness.plugin_api import DataFolders
from harness_dataset.mnist import Mnist

SMALL = {
    "train_images": ("train-images-idx3-ubyte", (6, 4, 5)),
    "train_labels": ("train-labels-idx1-ubyte", (6,)),
    "test_images": ("t10k-images-idx3-ubyte", (3, 4, 5)),
    "test_labels": ("t10k-labels-idx1-ubyte", (3,)),
}


def write_idx(path, array, magic=0x800):
    content = struct.pack(f">{1 + array.ndim}I", magic | array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture(params=["", ".gz"])
def place(request, tmp_path, monkeypatch):
    """Small idx files, plain or gzipped, and the loader told to expect them."""
    monkeypatch.setattr(module, "_FILES", SMALL)
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, shape in SMALL.values():
        high = 10 if len(shape) == 1 else 256
        write_idx(folder / f"{name}{request.param}", rng.integers(0, high, size=shape, dtype=np.uint8))
    return DataFolders(root=tmp_path, cache=tmp_path / "cache")


def files(place):
    return sorted((place.root / "MNIST" / "raw").iterdir())


def test_images_and_labels_are_those_of_the_files(place):
    mnist = Mnist().load(place)
    rng = np.random.default_rng(0)
    assert np.array_equal(mnist.train_images[:, 0], rng.integers(0, 256, size=(6, 4, 5), dtype=np.uint8))
    assert np.array_equal(mnist.train_labels, rng.integers(0, 10, size=6, dtype=np.uint8))
    assert mnist.test_images.shape == (3, 1, 4, 5)
    assert mnist.train_labels.dtype == np.int64
    assert not mnist.flip


def test_a_missing_file_is_named_with_its_place(place):
    files(place)[0].unlink()
    for attempt in (Mnist().load, Mnist().fingerprint):
        with pytest.raises(DataMissing, match="t10k-images-idx3-ubyte.*in .*MNIST/raw") as error:
            attempt(place)
        assert "the four idx files of MNIST" in error.value.fix


@pytest.mark.parametrize("change", ["magic", "count", "cut", "longer"])
def test_a_damaged_file_is_named(place, change):
    path = next(file for file in files(place) if "train-labels" in file.name)
    if change in ("magic", "count"):
        write_idx(path, np.zeros(6 - (change == "count"), np.uint8), magic=0xD00 if change == "magic" else 0x800)
    else:
        content = path.read_bytes()
        plain = gzip.decompress(content) if path.suffix == ".gz" else content
        plain = plain[:-1] if change == "cut" else plain + b"0"
        path.write_bytes(gzip.compress(plain) if path.suffix == ".gz" else plain)
    with pytest.raises(DataDamaged, match="train-labels"):
        Mnist().load(place)


def test_a_broken_gzip_file_is_named(place):
    path = files(place)[0]
    if path.suffix != ".gz":
        pytest.skip("only gzipped files break so")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataDamaged, match=path.name):
        Mnist().load(place)


def test_a_changed_pixel_changes_the_fingerprint(place):
    before = Mnist().fingerprint(place)
    assert Mnist().fingerprint(place) == before
    path = next(file for file in files(place) if "train-images" in file.name)
    write_idx(path, np.zeros((6, 4, 5), np.uint8))
    assert Mnist().fingerprint(place) != before


@pytest.mark.realdata
def test_all_of_mnist(realdata, tmp_path):
    mnist = Mnist().load(DataFolders(root=realdata, cache=tmp_path))
    assert mnist.train_images.shape == (60_000, 1, 28, 28)
    assert mnist.test_images.shape == (10_000, 1, 28, 28)
    assert np.bincount(mnist.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert round(mnist.train_images.mean() / 255, 4) == 0.1307
    assert round(mnist.train_images.std() / 255, 4) == 0.3081


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "usps"])
def test_plans_can_identify_the_loader(name):
    from harness.registry import load_registry

    registry = load_registry()
    assert registry.identify("dataset", name, registry.create("dataset", name)).digest == "v1"
