"""A whitening learnt from one dataset and kept in a file does what it would have done there."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import InvalidInput, SpecError
from harness.studies.train_whitening import train_whitening
from harness_whitening.learned import Learned
from harness_whitening.supervised import Supervised

DATASET = {"synthetic-instances": {"objects": 4, "images": 24, "queries": 4}}
SPEC = {
    "name": "w",
    "task": "retrieval",
    "datasets": [DATASET],
    "methods": {"backbone": "tiny", "pooling": "gem", "whitening": {"supervised": {"shrink": 0.5}}},
    "protocol": {"image_size": 64, "scales": [[1.0], [1.0, 0.5]]},
}


def test_the_file_holds_the_whitenings_of_one_scale_and_of_several(tmp_path):
    out = tmp_path / "w.pth"
    digest = train_whitening(SPEC, out)
    assert Learned(str(out)).checksum == digest
    rows = np.abs(np.random.default_rng(0).normal(size=(5, 128))).astype(np.float32)
    one, several = (Learned(str(out), kind=kind).fit(rows).apply(rows) for kind in ("ss", "ms"))
    assert one.shape == several.shape == (5, 128)
    assert not np.allclose(one, several)
    assert train_whitening(SPEC, tmp_path / "again.pth") == digest


def test_it_is_what_the_run_would_have_learnt(tmp_path, monkeypatch):
    seen = {}
    fit = Supervised.fit

    def watched(self, descriptors, pairs=None):
        seen["fitted"] = fit(self, descriptors, pairs)
        return seen["fitted"]

    monkeypatch.setattr(Supervised, "fit", watched)
    train_whitening({**SPEC, "protocol": {"image_size": 64}}, tmp_path / "w.pth", training_set="mine")
    rows = np.abs(np.random.default_rng(1).normal(size=(5, 128))).astype(np.float32)
    learned = Learned(str(tmp_path / "w.pth"), kind="ss", training_set="mine")
    np.testing.assert_array_equal(learned.fit(rows).apply(rows), seen["fitted"].apply(rows))


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"whitening": "none"}, "learns no whitening"),
        ({"pooling": ["gem", "mac"]}, "both give the whitening ss"),
    ],
)
def test_specs_that_describe_no_single_whitening_are_refused(tmp_path, methods, message):
    spec = {**SPEC, "methods": {**SPEC["methods"], **methods}, "protocol": {"image_size": 64}}
    with pytest.raises(SpecError, match=message):
        train_whitening(spec, tmp_path / "w.pth")
    assert not (tmp_path / "w.pth").exists()


def test_a_dataset_without_pairs_is_refused_and_nothing_is_written(tmp_path, toy):
    spec = {**SPEC, "datasets": ["toy-images"], "protocol": {"image_size": 32}}
    with pytest.raises(InvalidInput, match="pairs"):
        train_whitening(spec, tmp_path / "w.pth", plugins=(toy,))
    assert not (tmp_path / "w.pth").exists()


def test_the_command_says_what_it_wrote(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(
        "name: w\ntask: retrieval\n"
        "datasets: [{synthetic-instances: {objects: 4, images: 24, queries: 4}}]\n"
        "methods: {backbone: tiny, pooling: gem, whitening: pca}\nprotocol: {image_size: 64}\n"
    )
    done = command("harness train whitening spec.yaml --out w.pth")
    assert done.code == 0, done.err
    assert done.out.startswith("w.pth: SHA-256 ")
