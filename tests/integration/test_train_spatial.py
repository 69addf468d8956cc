"""``harness train spatial``: files of weights that backbones of all kinds read, and mistakes in a spec."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from harness.cli.train import spatial
from harness.core.errors import DataDamaged, DataMissing, Errors, SpecError
from harness.data.stand_in.write import write_stand_in
from harness.registry import load_registry
from harness.studies.spatial_spec import read_training, train_spatial
from harness.studies.train_whitening import train_whitening
from harness_backbone.resnet import ResNet101
from harness_backbone.tiny import Tiny

SPEC = """\
name: small
training: {steps: 2, batch: 3, negatives: 1, size: 64}
checkpoints:
  tr.npz: {matching: none}
  tsp.npz: {matching: {dsm: {overlap: 0.5}}, steps: 3}
"""

PLUGIN = """\
from dataclasses import dataclass

from harness import hookimpl


@dataclass(frozen=True)
class Small:
    \"\"\"Three convolutions with random or given weights.\"\"\"

    weights: str = ""
    channels: int = 8

    @property
    def stride(self):
        return 8

    def maps(self, image):
        import torch

        with torch.inference_mode():
            return self.module()(image[None])[0]

    def module(self):
        import torch
        from torch import nn

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(
                nn.Conv2d(3, self.channels, 5, 4, 2), nn.ReLU(),
                nn.Conv2d(self.channels, self.channels, 3, 2, 1), nn.BatchNorm2d(self.channels), nn.ReLU(),
            )
        if self.weights:
            network.load_state_dict(torch.load(self.weights, weights_only=True))
        return network.eval()


@dataclass(frozen=True)
class Deaf(Small):
    \"\"\"Does not read its weights.\"\"\"

    def maps(self, image):
        return 2 * super().maps(image)


@hookimpl
def harness_register(registry):
    registry.backbone("small-net", Small)
    registry.backbone("deaf", Deaf)
"""

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(spatial)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def spec(backbone, name="a.pth", matching="none", **more):
    """One step of a small training."""
    training = {"steps": 1, "batch": 2, "negatives": 1, "size": 64, "rate": 1e-3, "optimiser": "sgd"}
    return {
        "name": "one",
        "backbone": backbone,
        "training": training,
        "checkpoints": {name: {"matching": matching}},
    } | more


def test_the_command_writes_weights_that_tiny_reads(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    done = CliRunner().invoke(app, [str(tmp_path / "spec.yaml")])
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert [line.partition(":")[0].endswith("npz") for line in done.output.splitlines()] == [True, True]
    image = torch.rand(3, 64, 64)
    maps = [Tiny(weights=str(tmp_path / name)).maps(image) for name in ("tr.npz", "tsp.npz")]
    assert not torch.equal(*maps)
    assert not torch.equal(maps[0], Tiny().maps(image))
    with np.load(tmp_path / "tr.npz") as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float16)}
    report = json.loads((tmp_path / "tsp.json").read_text())
    assert report["training"]["steps"] == len(report["losses"]) == 3
    assert report["backbone"]["name"] == "tiny"
    assert report["matching"]["parameters"]["overlap"] == 0.5
    assert report["sha256"] in done.output
    again = CliRunner().invoke(app, [str(tmp_path / "spec.yaml")])
    assert again.output.count("skipped") == 2
    before = (tmp_path / "tr.npz").read_bytes()
    assert CliRunner().invoke(app, [str(tmp_path / "spec.yaml"), "--again"]).exit_code == 0
    assert (tmp_path / "tr.npz").read_bytes() == before


def test_training_goes_on_from_given_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (first,) = train_spatial(spec("tiny", "first.pth"))
    (second,) = train_spatial(spec("tiny", "second.npz", start="first.pth"))
    image = torch.rand(3, 64, 64)
    maps = [Tiny(weights=str(weights)).maps(image) for weights in ("first.pth", "second.npz")]
    assert not torch.equal(*maps)
    report = json.loads((tmp_path / "second.json").read_text())
    assert report["backbone"]["parameters"]["checksum"] == first.sha256
    for content, error in ((None, DataMissing), (b"nothing", DataDamaged)):
        if content is not None:
            (tmp_path / "wrong.npz").write_bytes(content)
        with pytest.raises((error, Errors)):
            list(train_spatial(spec("tiny", "third.npz", start="wrong.npz")))


def test_weights_to_start_from_are_found_below_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    (data / "networks").mkdir(parents=True)
    (first,) = train_spatial(spec("tiny", "first.pth"))
    first.path.rename(data / "networks" / "first.pth")
    (second,) = train_spatial(spec({"tiny": {"weights": "networks/first.pth"}}, "second.pth"), data=data)
    report = json.loads(second.path.with_suffix(".json").read_text())
    assert report["backbone"]["parameters"]["checksum"] == first.sha256


@pytest.mark.parametrize(
    ("backbone", "parameters", "matching"),
    [
        ("vgg16", {}, "dsm"),
        pytest.param("resnet50", {"upsample": True}, "none", marks=pytest.mark.slow),
        pytest.param("resnet101", {}, "dsm", marks=pytest.mark.slow),
    ],
)
def test_networks_of_torchvision_are_trained(tmp_path, monkeypatch, backbone, parameters, matching):
    monkeypatch.chdir(tmp_path)
    (trained,) = train_spatial(spec({backbone: {"weights": "none", **parameters}}, matching=matching))
    assert np.isfinite(trained.losses.steps).all()
    registry, image = load_registry(), torch.rand(3, 64, 64)
    before = registry.create("backbone", backbone, weights="none", **parameters)
    after = registry.create("backbone", backbone, weights=str(trained.path), **parameters)
    assert after.checksum == trained.sha256
    maps = after.maps(image)
    assert torch.isfinite(maps).all()
    assert not torch.equal(maps, before.maps(image))
    assert maps.shape == before.maps(image).shape


def test_a_backbone_of_a_plugin_file_is_trained_and_measured(tmp_path, monkeypatch):
    import harness

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "training.yaml").write_text(
        "name: mine\nplugins: [mine.py]\nbackbone: {small-net: {channels: 6}}\n"
        "training: {steps: 2, batch: 3, negatives: 1, size: 64, rate: 0.01}\n"
        "checkpoints: {tsp.pth: {matching: dsm}}\n"
    )
    done = CliRunner().invoke(app, ["training.yaml"])
    assert done.exit_code == 0, done.output + repr(done.exception)
    records = harness.run(
        {
            "name": "mine",
            "task": "retrieval",
            "datasets": [{"synthetic-instances": {"objects": 3, "images": 12, "queries": 3, "size": 64}}],
            "plugins": ["mine.py"],
            "methods": {
                "backbone": [{"small-net": {"channels": 6}}, {"small-net": {"channels": 6, "weights": "tsp.pth"}}],
                "pooling": "gem",
            },
            "protocol": {"image_size": 64},
        },
        runs=tmp_path / "runs",
        cache=tmp_path / "cache",
    )
    assert [record.status for record in records] == ["done", "done"]
    assert records[0].details["ranks"] != records[1].details["ranks"]
    with pytest.raises(SpecError, match="reads its own weights as a different network"):
        list(train_spatial(spec("deaf", plugins=["mine.py"])))


def test_all_mistakes_of_a_spec_are_told(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(
        "name: wrong\nchekpoints: 1\ntraining: {steps: 0}\nbackbone: {tiny: {depth: 3}}\ncheckpoints:\n"
        "  a.npz: {matching: sift-ransac, rat: 1}\n  b.txt: {matching: dms}\n"
    )
    with pytest.raises(Errors) as found:
        read_training(path)
    text = str(found.value)
    for part in ("chekpoints", "steps = 0", 'no parameter "rat"', "does not say where", 'unknown reranking "dms"'):
        assert part in text
    assert "spec.yaml:6:" in text
    assert 'no parameter "depth"' in text
    assert "b.txt is not a file of weights" in text
    path.write_text("name: none\n")
    with pytest.raises(Errors, match="1 errors|checkpoints"):
        read_training(path)


def test_a_backbone_without_module_and_a_file_that_cannot_be_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.py").write_text(PLUGIN.replace("def module", "def modul"))
    with pytest.raises(Errors, match="offers no module"):
        read_training(spec("small-net", plugins=["plain.py"]))
    with pytest.raises(Errors, match="does not name a method"):
        read_training(spec(["tiny", "vgg16"]))
    with pytest.raises(SpecError, match="writes no .npz"):
        list(train_spatial(spec({"vgg16": {"weights": "none"}}, "a.npz")))
    assert not list(tmp_path.glob("a.*"))


def test_what_is_trained_is_what_maps_shows():
    backbone = ResNet101(weights="none")
    image = torch.rand(3, 50, 90)
    with torch.inference_mode():
        assert torch.equal(backbone.module()(image[None])[0], backbone.maps(image))


@pytest.mark.slow
def test_a_network_trained_on_pairs_goes_on_a_board_of_the_thesis(tmp_path, monkeypatch):
    import harness
    from harness.data.checkpoint import read_checkpoint

    data = tmp_path / "data"
    write_stand_in("sfm120k", data, images=80, size=64)
    write_stand_in("roxford5k", data, images=10, size=64)
    monkeypatch.chdir(tmp_path)
    training = {"steps": 2, "batch": 2, "negatives": 2, "size": 64, "queries": 4, "pool": 12, "pooling": "mac"}
    started = {
        "name": "thesis",
        "backbone": {"resnet101": {"weights": "none"}},
        "dataset": "sfm120k",
        "training": training,
        "checkpoints": {"tr.pth": {"matching": "none"}, "tsp.pth": {"matching": "dsm"}},
    }
    trained = list(train_spatial(started, data=data, cache=tmp_path / "cache"))
    content = torch.load("tsp.pth", weights_only=True)
    assert (content["meta"]["architecture"], content["meta"]["pooling"]) == ("resnet101", "mac")
    assert {name.partition(".")[0] for name in content["state_dict"]} == {"features"}
    assert read_checkpoint("tsp.pth").architecture == "resnet101"
    assert json.loads((tmp_path / "tsp.json").read_text())["dataset"]
    whitening = {
        "name": "whitening",
        "task": "retrieval",
        "datasets": [{"sfm120k": {"part": "whiten"}}],
        "methods": {"backbone": {"resnet101": {"weights": "tr.pth", "upsample": True}}, "pooling": "mac",
                    "whitening": "supervised"},
        "protocol": {"image_size": 64, "scales": [1.0, 0.5]},
    }  # fmt: skip
    train_whitening(whitening, tmp_path / "tr.pth", into=True, data=data, cache=tmp_path / "cache")
    methods = [
        {
            "backbone": {"resnet101": {"weights": name, "upsample": True}},
            "pooling": "mac",
            "whitening": {"learned": {"weights": "tr.pth", "kind": "ms"}},
            "reranking": ["none", {"dsm": {"preset": "thesis", "max_features": 2048}}],
            "expansion": ["none", {"diffusion": {"preset": "thesis"}}],
        }
        for name in ("tr.pth", "tsp.pth")
    ]
    board = {
        "name": "board",
        "task": "retrieval",
        "datasets": "roxford5k",
        "methods": methods,
        "protocol": {"image_size": 64, "scales": [1.0, 0.7071067811865476, 0.5], "scale_power": 1.0},
    }
    records = harness.run(board, runs=tmp_path / "runs", data=data, cache=tmp_path / "cache")
    assert [record.status for record in records] == ["done"] * 8
    checksums = {record.methods["backbone"].parameters["checksum"] for record in records}
    assert trained[1].sha256 in checksums
    assert len(checksums) == 2
