from __future__ import annotations

import re

import numpy as np
import pytest

from harness.core.errors import DataDamaged, DataMissing
from harness.plugin_api import DataFolders
from harness.runs.runner import run
from harness_dataset.embeddings import Embeddings


def arrays(n=120, d=6):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    features = rng.standard_normal((n, d)) + 3 * np.eye(3, d)[labels]
    return {"train": features, "train_labels": labels, "test": features[:30] + 0.1, "test_labels": labels[:30]}


def folders(tmp_path, **changes):
    np.savez(tmp_path / "mine.npz", **{**arrays(), **changes})
    return DataFolders(root=tmp_path, cache=tmp_path / "cache")


def test_features_are_images_of_one_pixel(tmp_path):
    found = Embeddings("mine.npz").load(folders(tmp_path))
    assert found.train_images.shape == (120, 6, 1, 1)
    assert found.train_images.dtype == np.float32
    np.testing.assert_allclose(found.train_images[:, :, 0, 0], arrays()["train"], rtol=1e-6)
    assert found.classes == ("0", "1", "2")
    assert not found.flip


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"train": np.ones((120, 2, 2))}, "train should be finite floats"),
        ({"test": np.full((30, 6), np.nan)}, r"NaN or infinity in 30 of 30 rows of test, test\[0\] first"),
        ({"train_labels": np.zeros(120)}, r"train_labels should be integers .*(.|\n)*return_inverse"),
        ({"train_labels": np.array(["cat"] * 120)}, r"train_labels should be integers .*(.|\n)*return_inverse"),
        ({"train_labels": np.arange(120) % 3 + 1, "test_labels": np.arange(30) % 3 + 1}, "labels begin at 1"),
        ({"test": np.ones((30, 5))}, "6 and 5 dims"),
        ({"train_labels": np.zeros(7, int)}, "train has 120 rows and train_labels 7"),
        ({"train_labels": np.full(120, 2**40)}, "do not number classes"),
        ({"train": np.array([{}] * 120)}, "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, changes, match):
    with pytest.raises(DataDamaged) as caught:
        Embeddings("mine.npz").load(folders(tmp_path, **changes))
    assert re.search(match, str(caught.value))


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint64", "int32"])
def test_labels_may_be_integers_of_any_width(tmp_path, kind):
    labels = arrays()["train_labels"].astype(kind)
    places = folders(tmp_path, train_labels=labels, test_labels=labels[:30])
    loaded = Embeddings("mine.npz").load(places)
    assert loaded.train_labels.dtype == np.int64
    assert np.array_equal(loaded.train_labels, arrays()["train_labels"])
    assert np.array_equal(Embeddings("mine.npz").labels(places), loaded.train_labels)
    part = Embeddings("mine.npz", classes=("1", "2"))
    assert np.array_equal(part.labels(places), part.load(places).train_labels)


def test_a_missing_and_a_foreign_file(tmp_path):
    places = folders(tmp_path)
    with pytest.raises(DataMissing, match="there is no other.npz"):
        Embeddings("other.npz").load(places)
    (tmp_path / "mine.npz").write_bytes(b"no zip")
    with pytest.raises(DataDamaged, match="cannot be read"):
        Embeddings("mine.npz").load(places)
    np.savez(tmp_path / "mine.npz", X=arrays()["train"], y=arrays()["train_labels"])
    with pytest.raises(DataDamaged, match="has no train, train_labels, test, test_labels; it holds X, y"):
        Embeddings("mine.npz").load(places)
    np.save(tmp_path / "mine.npy", arrays()["train"])
    with pytest.raises(DataDamaged, match="is one array and no .npz file"):
        Embeddings("mine.npy").load(places)


def test_a_comparison_on_features_learns_them_and_replays_its_picks(tmp_path):
    places = folders(tmp_path)
    spec = {
        "name": "embedding-mode",
        "task": "active-learning",
        "datasets": [{"embeddings": {"path": "mine.npz"}}],
        "methods": {
            "network": {"linear-head": {"scaling": "standardised", "normalise": True}},
            "learning": [{"supervised": {"epochs": 20}}, {"semi": {"epochs": 20, "semi_epochs": 2, "k": 5}}],
            "acquisition": ["coreset"],
        },
        "seeds": [0, 1],
        "protocol": {"initial": 3, "budget": 3, "cycles": 3},
    }
    records = run(spec, data=places.root, cache=places.cache, runs=tmp_path / "runs")
    assert [record.status for record in records] == ["done"] * 4, records[0].failure
    assert min(record.metrics["accuracy"] for record in records) > 0.9
    first = tmp_path / "runs"
    replay = {"replay": {"runs": str(first), "acquisition": "coreset", "learning": "supervised"}}
    spec["methods"] = {"network": "small-cnn", "learning": {"supervised": {"epochs": 1}}, "acquisition": [replay]}
    spec["methods"]["network"] = {"linear-head": {"normalise": False}}
    again = run(spec, data=places.root, cache=places.cache, runs=tmp_path / "again")
    for old, new in zip(records[:2], again, strict=True):
        assert [c["labelled"] for c in old.details["cycles"]] == [c["labelled"] for c in new.details["cycles"]]
