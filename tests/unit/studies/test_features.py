"""``harness features``: what embedding mode and retrieval share."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import BadParameter
from harness.plugin_api import DataFolders
from harness.registry import load_registry
from harness.studies.features import write_features
from harness_dataset.digits import Digits
from harness_dataset.embeddings import Embeddings


def test_features_of_a_backbone_are_its_pooled_maps(tmp_path):
    out = tmp_path / "digits-tiny.npz"
    done = CliRunner().invoke(app, ["features", "digits", "--backbone", "tiny", "--size", "32", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "1,297 + 500 rows" in done.output
    folders = DataFolders(tmp_path, tmp_path / "cache")
    data, digits = Embeddings(out.name).load(folders), Digits().load(folders)
    assert np.array_equal(data.train_labels, digits.train_labels)
    registry = load_registry()
    backbone, pooling = registry.create("backbone", "tiny"), registry.create("pooling", "gem")
    image = torch.from_numpy(np.repeat(digits.test_images[3:4], 3, axis=1)).float()
    image = torch.nn.functional.interpolate(image, (32, 32), mode="bilinear", align_corners=False)[0] / 255
    expected = pooling.pool(backbone.maps(image)).numpy()
    np.testing.assert_allclose(data.test_images[3, :, 0, 0], expected, rtol=1e-4, atol=1e-6)


def test_features_of_images_in_folders_of_ones_own(tmp_path):
    """Such a set has no name in the catalogue: its path is a parameter, written as in a spec."""
    rng = np.random.default_rng(0)
    for part, label in itertools.product(("train", "test"), ("cat", "dog")):
        (tmp_path / "scans" / part / label).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (12, 12, 3), np.uint8)).save(tmp_path / "scans" / part / label / "1.png")
    out, stated = tmp_path / "scans.npz", "image-classes: {path: scans, size: 12}"
    options = ["--backbone", "tiny", "--out", str(out), "--data", str(tmp_path)]
    done = CliRunner().invoke(app, ["features", stated, *options])
    assert done.exit_code == 0, done.exception
    assert "2 + 2 rows" in done.output
    assert np.load(out)["train_labels"].tolist() == [0, 1]
    wrong = CliRunner().invoke(app, ["features", "[scans]", *options])
    assert "[scans] names no dataset" in str(wrong.exception)


def test_features_of_a_network_are_those_that_it_gives(tmp_path):
    out = tmp_path / "digits-net.npz"
    for _ in range(2):
        n, m, d = write_features("digits", out, network={"small-cnn": {"width": 4}}, seed=3)
    assert (n, m, d) == (1297, 500, 16)
    first = np.load(out)["train"]
    write_features("digits", out, network={"small-cnn": {"width": 4}}, seed=4)
    assert not np.array_equal(np.load(out)["train"], first)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "one backbone or one network"),
        ({"backbone": {"tiny": {}}, "network": {"small-cnn": {}}}, "one backbone or one network"),
    ],
)
def test_what_gives_the_features_is_named_once(tmp_path, options, match):
    with pytest.raises(BadParameter, match=match):
        write_features("digits", tmp_path / "x.npz", **options)


def test_mistakes_of_the_command_are_one_sentence(tmp_path):
    options = ["features", "digits", "--out", str(tmp_path / "x.npz"), "--backbone"]
    done = CliRunner().invoke(app, [*options, "[tiny]"])
    assert isinstance(done.exception, BadParameter)
    assert "names no method" in done.exception.headline
