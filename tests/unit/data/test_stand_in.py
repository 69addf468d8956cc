"""Stand-ins: each is loaded by its entry in the catalogue, has the published structure, and is marked everywhere."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import harness
from harness.boards.reference import read_reference
from harness.core.errors import DataDamaged, InvalidInput, UnknownName
from harness.data.catalogue import catalogue, counts, named_dataset
from harness.data.checkpoint import read_checkpoint
from harness.data.fetch import fetch_dataset
from harness.data.folders import use
from harness.data.stand_in.marker import MARKER, is_stand_in, names_stand_in
from harness.data.stand_in.write import stand_in_names, write_stand_in
from harness.data.verify import verify_dataset
from harness.plugin_api import DataFolders
from harness.registry import load_registry

SMALL = {"cifar100": 200}
CLASSIFICATION = ("cifar10", "cifar100", "fashion-mnist", "mnist", "svhn", "usps")
RETRIEVAL = (
    "ilias",
    "ilias-mini",
    "instre",
    "oxford5k",
    "paris6k",
    "roxford5k",
    "roxford5k-r1m",
    "rparis6k",
    "rparis6k-r1m",
)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("stand-ins")
    for name in (*CLASSIFICATION, *RETRIEVAL):
        write_stand_in(name, root / "data", images=SMALL.get(name, 40), size=64)
    return DataFolders(root / "data", root / "cache")


def dataset(name):
    return named_dataset(name, load_registry())


def test_every_published_set_of_the_catalogue_has_one():
    published = {name for name, entry in catalogue().items() if entry.files}
    assert published <= set(stand_in_names())
    assert set(stand_in_names()) == {*CLASSIFICATION, *RETRIEVAL, "networks", "sfm120k"}


@pytest.mark.parametrize("name", [*CLASSIFICATION, *RETRIEVAL])
def test_its_entry_loads_it_and_verification_says_what_it_is(name, folders):
    loaded = dataset(name).loader.load(folders)
    assert counts(loaded).keys() >= catalogue()[name].counts.keys()
    verified = verify_dataset(dataset(name), folders)
    assert verified.stand_in
    assert verified.problems == ()
    assert not (folders.root / ".harness").exists()  # nothing is recorded that real data would be compared with


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_labels_of_classification_sets(name, folders):
    loaded = dataset(name).loader.load(folders)
    number = SMALL.get(name, 40)
    assert (len(loaded.train_labels), len(loaded.test_labels)) == (number, number // 5)
    assert len(loaded.classes) == catalogue()[name].counts["classes"]
    assert len(np.unique(loaded.train_labels)) == len(loaded.classes)


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_revisited_sets_have_the_published_structure(name, folders):
    content = pickle.loads((folders.root / name / f"gnd_{name}.pkl").read_bytes())
    assert list(content) == ["gnd", "imlist", "qimlist"]
    assert (len(content["imlist"]), len(content["qimlist"])) == (40, 8)
    assert not set(content["imlist"]) & set(content["qimlist"])
    assert {tuple(truth) for truth in content["gnd"]} == {("bbx", "easy", "hard", "junk")}
    loaded = counts(dataset(name).loader.load(folders))
    assert min(loaded["easy"], loaded["hard"]) > 0


def test_distractors_follow_the_images(folders):
    loaded = dataset("roxford5k-r1m").loader.load(folders)
    assert (len(loaded.images), loaded.distractors) == (80, 40)


@pytest.mark.parametrize("name", ["oxford5k", "paris6k"])
def test_queries_of_the_original_sets_are_in_the_database(name, folders):
    loaded = dataset(name).loader.load(folders)
    assert len(loaded.images) == 40
    assert set(loaded.queries) <= set(loaded.images)
    for query, truth in zip(loaded.queries, loaded.ground_truth, strict=True):
        assert loaded.images.index(query) in truth["easy"]


def test_instre_has_positives_only(folders):
    loaded = counts(dataset("instre").loader.load(folders))
    assert loaded["easy"] > 0
    assert loaded["hard"] == loaded["junk"] == 0
    assert {path.name for path in (folders.root / "instre").iterdir()} == {
        "INSTRE-S1",
        "INSTRE-S2",
        "INSTRE-M",
        "gnd_instre.mat",
        MARKER,
    }


@pytest.mark.parametrize("name", ["instre", "roxford5k-r1m", "paris6k", "cifar10", "svhn", "mnist"])
def test_the_same_bytes_again_and_others_from_another_seed(name, folders, tmp_path):
    written = write_stand_in(name, tmp_path, images=40, size=64)
    for folder in written:
        assert files(folder) == files(folders.root / folder.relative_to(tmp_path))
    write_stand_in(name, tmp_path, images=40, size=64, seed=1)
    assert files(written[0]) != files(folders.root / written[0].relative_to(tmp_path))


@pytest.mark.parametrize("name", ["roxford5k", "mnist"])
def test_the_mark_is_part_of_the_fingerprint(name, folders, tmp_path):
    (folder,) = write_stand_in(name, tmp_path, images=40, size=64)
    before = dataset(name).loader.fingerprint(DataFolders(tmp_path, tmp_path / "cache"))
    assert before == dataset(name).loader.fingerprint(folders)
    (folder / MARKER).unlink()
    assert dataset(name).loader.fingerprint(DataFolders(tmp_path, tmp_path / "cache")) != before


@pytest.mark.parametrize("name", ["cifar10", "svhn"])
def test_without_the_mark_the_published_checksum_counts(name, tmp_path):
    (folder,) = write_stand_in(name, tmp_path, images=40, size=64)
    dataset(name).loader.fingerprint(DataFolders(tmp_path, tmp_path / "cache"))
    (folder / MARKER).unlink()
    with pytest.raises(DataDamaged, match="is not the published file"):
        dataset(name).loader.fingerprint(DataFolders(tmp_path, tmp_path / "cache"))


def test_without_the_mark_it_is_damaged(tmp_path):
    (folder,) = write_stand_in("cifar10", tmp_path, images=40)
    (folder / MARKER).unlink()
    with pytest.raises(DataDamaged, match="not the published file"):
        dataset("cifar10").loader.load(DataFolders(tmp_path, tmp_path / "cache"))


def test_real_data_are_never_replaced(tmp_path):
    (tmp_path / "roxford5k").mkdir()
    (tmp_path / "roxford5k" / "gnd_roxford5k.pkl").write_bytes(b"real")
    with pytest.raises(InvalidInput, match="not a stand-in"):
        write_stand_in("roxford5k", tmp_path, images=40, size=64)
    assert (tmp_path / "roxford5k" / "gnd_roxford5k.pkl").read_bytes() == b"real"


def test_fetching_refuses_to_fill_up_a_stand_in(folders):
    with pytest.raises(InvalidInput, match="has stand-in data in place of svhn"):
        fetch_dataset(dataset("svhn"), folders)


@pytest.mark.parametrize(("name", "images"), [("digits", None), ("roxfrod5k", None), ("roxford5k", 3)])
def test_what_cannot_be_written(name, images, tmp_path):
    with pytest.raises((UnknownName, InvalidInput), match="stand-in"):
        write_stand_in(name, tmp_path, images=images)


def test_which_parameters_name_a_stand_in(folders):
    (folders.root / "mine").mkdir(exist_ok=True)
    assert names_stand_in({"path": "roxford5k", "ground_truth": "gnd.pkl"}, folders.root)
    assert names_stand_in({"distractors": "revisitop1m"}, folders.root)
    assert not names_stand_in({"path": "mine", "weights": "none", "top": 3}, folders.root)
    assert is_stand_in(folders.root / "MNIST" / "raw" / "train-images-idx3-ubyte.gz")


SPEC = """\
name: stand-in
task: retrieval
datasets: roxford5k
methods: {backbone: tiny, pooling: [mac, gem]}
"""
REFERENCE = """\
source: {work: "A. Author. Title. 2020", table: Table 1, lines: [1, 2]}
unit: percent
digits: 1
columns: [{title: mAP Medium, dataset: roxford5k, metric: map_medium}]
rows: [{name: GeM, methods: {pooling: gem}, values: [51.1]}]
"""


def test_records_and_boards_say_so_and_methods_score_above_chance(tmp_path):
    write_stand_in("roxford5k", tmp_path, images=40, size=96)
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "reference.yaml").write_text(REFERENCE)
    records = harness.run(tmp_path / "spec.yaml", data=tmp_path, cache=tmp_path / "cache")
    assert all(record.dataset.stand_in and record.stand_in for record in records)
    assert not any(method.stand_in for record in records for method in record.methods.values())
    relevant = np.mean([len(t["easy"]) + len(t["hard"]) for t in pickle_of(tmp_path)["gnd"]]) / 40
    assert min(record.metrics["map_medium"] for record in records) > 3 * relevant
    board = harness.leaderboard(records, reference=read_reference(tmp_path / "reference.yaml"))
    assert "Stand-in data: not comparable." in board
    assert "published" in board
    assert ", difference" not in board
    assert "No differences: stand-in data" in board


def pickle_of(root: Path):
    return pickle.loads((root / "roxford5k" / "gnd_roxford5k.pkl").read_bytes())


@pytest.mark.slow
def test_networks_have_the_published_layouts(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.data.folders._in_use", None)
    (folder,) = write_stand_in("networks", tmp_path)
    for network, size in (("vgg16", 512), ("resnet101", 2048)):
        checkpoint = read_checkpoint(str(next(folder.glob(f"*{network}-gem-*.pth"))))
        assert checkpoint.architecture == network
        assert checkpoint.p == 3
        mean, projection = checkpoint.projections["retrieval-SfM-120k"]["ms"]
        assert (mean.shape, projection.shape) == ((size,), (size, size))
    folders = DataFolders(tmp_path, tmp_path / "cache")
    use(folders)
    image = torch.rand(3, 64, 64)
    for name, weights in (("vgg16", "imagenet"), ("resnet101", "networks/thesis/resnet101-gem-tsp.pth")):
        maps = load_registry().create("backbone", name, weights=weights).maps(image)
        assert bool(torch.isfinite(maps).all())
        assert float(maps.std()) > 0
        assert names_stand_in({"weights": weights}, folders.root)
    assert json.loads((folder / MARKER).read_text())["stand_in"] == "networks"
