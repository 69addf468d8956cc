"""retrieval-SfM-120k: published files are read whole or refused in one sentence."""

from __future__ import annotations

import pickle

import pytest

from harness.core.errors import DataDamaged, DataMissing
from harness.data.stand_in.write import write_stand_in
from harness.plugin_api import DataFolders
from harness_dataset.sfm120k import SfM120k


@pytest.fixture
def folders(tmp_path):
    write_stand_in("sfm120k", tmp_path / "data", images=20, size=64)
    return DataFolders(tmp_path / "data", tmp_path / "cache")


def test_parts_have_their_pairs_and_clusters(folders):
    train, val, whiten = (SfM120k(part=part).load(folders) for part in ("train", "val", "whiten"))
    assert (len(train.images), len(val.images), len(whiten.images)) == (20, 4, 20)
    assert all(train.clusters[train.pairs[:, 0]] == train.clusters[train.pairs[:, 1]])
    assert whiten.clusters is None
    assert (whiten.pairs == train.pairs).all()
    name = train.images[0].name
    assert train.images[0] == folders.root / "retrieval-SfM-120k" / "ims" / name[-2:] / name[-4:-2] / name[-6:-4] / name
    assert len({SfM120k(part=part).fingerprint(folders) for part in ("train", "val", "whiten")}) == 3


def test_missing_photographs_and_other_files_are_one_sentence(folders):
    root = folders.root / "retrieval-SfM-120k"
    SfM120k().load(folders).images[0].unlink()
    with pytest.raises(DataMissing, match="1 of 20 images are not in"):
        SfM120k().load(folders)
    file = root / "retrieval-SfM-120k.pkl"
    content = pickle.loads(file.read_bytes())
    for part, key, value, message in (
        (None, None, {"val": {}}, "is not the published file"),
        ("train", "cids", ["../etc/passwd"], "a name has letters and digits only"),
        ("train", "pidxs", [99] * 10, "pairs images that it does not name"),
        ("train", "cluster", [1], "1 values in cluster for 20 images"),
    ):
        changed = value if part is None else {**content, part: {**content[part], key: value}}
        file.write_bytes(pickle.dumps(changed, protocol=2))
        with pytest.raises(DataDamaged, match=message):
            SfM120k().load(folders)
