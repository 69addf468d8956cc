"""No false alarm on data that are right, and the protocol of the published sets: orientation as stored."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.core.progress import SilentProgress
from harness.data.audit.audit import audit_dataset, audit_loaded
from harness.plugin_api import ClassificationSet, DataFolders
from harness.registry import load_registry

pytestmark = pytest.mark.realdata


def alarms(tmp_path, root, loader, **parameters):
    """Errors and warnings of a dataset."""
    method = load_registry().create("dataset", loader, **parameters)
    audit = audit_dataset(loader, method, DataFolders(root, tmp_path / "cache"))
    return audit.of("error", "warning")


def require(path):
    if not path.exists():
        pytest.skip(f"no data in {path}")
    return path


@pytest.mark.parametrize("ground_truth", ["gnd_single.json", "gnd_multi.json"])
def test_covers(realdata, tmp_path, ground_truth):
    require(realdata / "retrieval" / "smvs_dvd")
    assert not alarms(tmp_path, realdata, "image-instances", path="retrieval/smvs_dvd", ground_truth=ground_truth)


def test_photographs_of_paris(realdata, tmp_path):
    require(realdata / "retrieval" / "rparis_subset")
    assert not alarms(tmp_path, realdata, "image-instances", path="retrieval/rparis_subset")


def test_digits_of_mnist(realdata, tmp_path):
    require(realdata / "MNIST" / "raw")
    assert not alarms(tmp_path, realdata, "mnist")


def test_clothes_of_fashion_mnist(tmp_path):
    root = require(Path("/usr/share/datasets/fashion-mnist")).parent
    assert not alarms(tmp_path, root, "mnist", path="fashion-mnist")


def test_digits_of_usps(realdata):
    folder = require(realdata / "USPS" / "raw")

    def read(name, header):
        return np.frombuffer(gzip.decompress((folder / f"{name}-ubyte.gz").read_bytes())[header:], np.uint8)

    parts = [read(f"{part}-images-idx3", 16).reshape(-1, 1, 16, 16) for part in ("train", "t10k")]
    labels = [read(f"{part}-labels-idx1", 8).astype(np.int64) for part in ("train", "t10k")]
    usps = ClassificationSet("usps", parts[0], labels[0], parts[1], labels[1], tuple("0123456789"), flip=False)
    findings, _ = audit_loaded(usps, False, SilentProgress())
    assert [found for found in findings if found.severity != "note"] == []


@pytest.mark.slow
def test_sixty_thousand_photographs(realdata, tmp_path):
    archive = require(realdata / "cifar10-jpeg.tar.xz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    assert not alarms(tmp_path, tmp_path, "image-classes", path="cifar10-jpeg")


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_boxes_of_the_official_ground_truth_count_stored_pixels(realdata, tmp_path, name):
    """Photographs are drawn, each marked as turned: queries are cut where the published protocol cuts them."""
    from harness.data.catalogue import named_dataset
    from harness.retrieval.images import read_image

    truth = require(realdata / "retrieval" / "revisited" / f"gnd_{name}.pkl")
    dataset = named_dataset(name, load_registry())
    folders = DataFolders(tmp_path, tmp_path / "cache")
    folder = tmp_path / name / "jpg"
    folder.mkdir(parents=True)
    (tmp_path / name / truth.name).symlink_to(truth)
    known = dataset.loader.instances(folders)
    ramp = np.add.outer(np.arange(1024) // 8, np.arange(1024) // 4).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(ramp).save(tmp_path / "drawn.png", exif=exif)
    for image in {*known.images, *known.queries}:
        os.link(tmp_path / "drawn.png", folder / f"{image}.jpg")
    loaded = dataset.loader.load(folders)
    assert loaded.orientation == dataset.entry.orientation == "stored"
    assert len(loaded.queries) == 70
    for query, box in list(zip(loaded.queries, loaded.boxes, strict=True))[::10]:
        x0, y0, x1, y1 = (round(value) for value in box)
        shown = read_image(query, 10_000, box, loaded.orientation)[..., 0]
        np.testing.assert_array_equal(shown, ramp[y0:y1, x0:x1])
        turned = read_image(query, 10_000, box, "upright")[..., 0]
        assert turned.shape == shown.shape
        assert not np.array_equal(turned, shown)
