"""The same code on real files: archives, image decoding, ground truth, checksums (make test-all)."""

from __future__ import annotations

import bz2
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.data.archives import unpack
from harness.data.catalogue import counts, named_dataset
from harness.data.decode import undecodable
from harness.data.export import write_ground_truth
from harness.data.verify import verify_dataset
from harness.plugin_api import DataFolders
from harness.registry import load_registry
from harness_dataset.image_classes import ImageClasses
from harness_dataset.image_instances import ImageInstances
from harness_dataset.usps import Usps

pytestmark = pytest.mark.realdata


def test_mnist_is_verified(realdata, tmp_path):
    (tmp_path / "MNIST").symlink_to(realdata / "MNIST")
    found = verify_dataset(named_dataset("mnist", load_registry()), DataFolders(tmp_path, tmp_path / "cache"))
    assert found.problems == ()
    assert found.counts == {"train": 60_000, "test": 10_000, "classes": 10}
    assert set(found.checksums.values()) <= {"published", "content"}


def test_usps_is_loaded_from_idx_files_and_from_the_published_text(realdata, tmp_path):
    (tmp_path / "USPS").symlink_to(realdata / "USPS")
    folders = DataFolders(tmp_path, tmp_path / "cache")
    data = Usps().load(folders)
    assert counts(data) == {"train": 7291, "test": 2007, "classes": 10}
    published = tmp_path / "published"
    published.mkdir()
    for part, name in (("train", "usps.bz2"), ("test", "usps.t.bz2")):
        images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
        values = (images.reshape(len(images), -1) + 0.5) / 255 * 2 - 1
        lines = [
            " ".join([str(label + 1), *(f"{i}:{value:.5f}" for i, value in enumerate(row, 1))])
            for label, row in zip(labels, values, strict=True)
        ]
        (published / name).write_bytes(bz2.compress("\n".join(lines).encode()))
    again = Usps("published").load(folders)
    assert np.array_equal(again.test_images, data.test_images)
    assert np.array_equal(again.train_labels, data.train_labels)


def test_fashion_mnist_is_verified(tmp_path):
    package = Path("/usr/share/datasets/fashion-mnist")
    if not package.is_dir():
        pytest.skip("the package dataset-fashion-mnist is not installed")
    (tmp_path / "FashionMNIST").mkdir()
    (tmp_path / "FashionMNIST" / "raw").symlink_to(package)
    found = verify_dataset(named_dataset("fashion-mnist", load_registry()), DataFolders(tmp_path, tmp_path / "cache"))
    assert found.problems == ()
    assert found.counts == {"train": 60_000, "test": 10_000, "classes": 10}
    assert set(found.checksums.values()) == {"content"}


def test_cifar10_as_jpeg_is_unpacked_and_loaded(realdata, tmp_path):
    archive = realdata / "cifar10-jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    assert unpack(archive, tmp_path, keep=(".jpg",)) == 60_000
    images = sorted((tmp_path / "cifar10-jpeg").rglob("*.jpg"))
    assert undecodable(images) == []
    data = ImageClasses("cifar10-jpeg").load(DataFolders(tmp_path, tmp_path / "cache"))
    assert counts(data) == {"train": 50_000, "test": 10_000, "classes": 10}
    assert data.train_images.shape == (50_000, 3, 32, 32)


@pytest.mark.parametrize(("truth", "queries"), [("gnd_single.json", 400), ("gnd_multi.json", 100)])
def test_covers_are_verified_and_written_out_again(realdata, tmp_path, truth, queries):
    source = realdata / "retrieval" / "smvs_dvd"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    (tmp_path / "covers").mkdir()
    shutil.copy(source / truth, tmp_path / "covers" / truth)
    (tmp_path / "covers" / "images").symlink_to(source / "images")
    (tmp_path / "datasets.yaml").write_text(f"""\
covers:
  loader: image-instances
  task: retrieval
  parameters: {{path: covers, ground_truth: {truth}}}
  description: covers
  protocol: revisited
  source: local
  licence: third-party works, not to be published
  counts: {{queries: {queries}}}
""")
    folders = DataFolders(tmp_path, tmp_path / "cache")
    dataset = named_dataset("covers", load_registry(), (tmp_path / "datasets.yaml",))
    found = verify_dataset(dataset, folders)
    assert found.problems == ()
    assert found.decoded >= 500
    write_ground_truth(dataset, folders, tmp_path / "covers" / "again.json")
    before, after = dataset.loader.load(folders), ImageInstances("covers", "again.json").load(folders)
    assert list(before.images) == list(after.images)
    assert list(before.queries) == list(after.queries)
    assert (before.boxes, before.ground_truth) == (after.boxes, after.ground_truth)
