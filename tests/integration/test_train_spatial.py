"""Spatial training: the loss against a slow reference, masks, checkpoints, and the command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from harness.cli.train import read_training, spatial
from harness.core.errors import DataDamaged, DataMissing, Errors, InvalidInput
from harness.core.progress import SilentProgress
from harness.studies.spatial_training import (
    SpatialTraining,
    batch_loss,
    contrastive,
    pool,
    tiny_network,
    train,
)
from harness_backbone.tiny import Tiny
from harness_reranking.dsm.reranker import DSM

SMALL = SpatialTraining(steps=3, batch=3, negatives=1, size=64, rate=1e-3)

SPEC = """\
name: small
training: {steps: 2, batch: 3, negatives: 1, size: 64}
checkpoints:
  tr.npz: {matching: none}
  tsp.npz: {matching: {dsm: {overlap: 0.5}}, steps: 3}
"""

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(spatial)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def slow_descriptor(maps, p, mask):
    """One channel after the other in float64."""
    values = [np.mean(np.maximum(c[m], 1e-6) ** p) ** (1 / p) for c, m in zip(maps, mask, strict=True)]
    return np.array(values) / np.linalg.norm(values)


def slow_loss(queries, images, how, masks):
    """Mean over the queries; ``masks(i, j)`` of a pair."""
    everything = np.ones(queries[0].shape, bool)
    left = [slow_descriptor(maps, how.p, everything) for maps in queries]
    right = [slow_descriptor(maps, how.p, everything) for maps in images]
    total = 0.0
    for i in range(len(queries)):
        others = sorted((j for j in range(len(images)) if j != i), key=lambda j: -left[i] @ right[j])
        for j in [i, *others[: how.negatives]]:
            a, b = masks(i, j)
            gap = slow_descriptor(queries[i], how.p, a) - slow_descriptor(images[j], how.p, b) + 1e-6
            distance = np.sqrt((gap**2).sum())
            total += (distance if j == i else max(how.margin - distance, 0)) ** 2 / 2
    return total / len(queries)


class Halves:
    """A matcher that sees a match in the left half of every second channel."""

    def attention(self, query_maps, image_maps):
        masks = []
        for maps in (query_maps, image_maps):
            mask = torch.ones(maps.shape, dtype=torch.bool)
            mask[::2, :, maps.shape[2] // 2 :] = False
            masks.append(mask)
        return masks[0], masks[1]


@pytest.mark.parametrize("matcher", [None, Halves()])
def test_the_loss_is_the_slow_one(matcher):
    rng = np.random.default_rng(0)
    how = SpatialTraining(batch=5, negatives=2, margin=0.7)
    queries, images = (rng.gamma(0.3, size=(5, 6, 4, 6)).astype(np.float32) for _ in range(2))

    def masks(i, j):
        if matcher is None:
            return np.ones((6, 4, 6), bool), np.ones((6, 4, 6), bool)
        left, right = matcher.attention(torch.from_numpy(queries[i]), torch.from_numpy(images[j]))
        return left.numpy(), right.numpy()

    loss, guided = batch_loss(torch.from_numpy(queries), torch.from_numpy(images), how, matcher)
    expected = slow_loss(queries.astype(np.float64), images.astype(np.float64), how, masks)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert guided == (0.5 if matcher else 0)


def test_what_is_masked_gets_no_gradient():
    maps = torch.rand(2, 3, 4, 6, requires_grad=True)
    mask, _ = Halves().attention(maps[0], maps[1])
    pool(maps.pow(3)[0], 3.0, mask)[0].backward()
    assert (maps.grad[0, 0, :, 3:] == 0).all()
    assert (maps.grad[0, 0, :, :3] != 0).all()


def test_contrast_by_hand():
    distances = torch.tensor([0.5, 0.5, 0.9, 0.0])
    same = torch.tensor([True, False, False, True])
    np.testing.assert_allclose(contrastive(distances, same, 0.7), [0.125, 0.02, 0, 0], atol=1e-7)


@pytest.mark.parametrize("matcher", [None, DSM(overlap=0.5)], ids=["TR", "TSP"])
def test_same_bytes_again_and_other_weights_than_before(matcher):
    first, second = (train(SMALL, matcher, None, SilentProgress()) for _ in range(2))
    assert all(first.arrays[name].tobytes() == second.arrays[name].tobytes() for name in first.arrays)
    np.testing.assert_array_equal(first.losses, second.losses)
    assert len(first.losses) == 3
    assert np.isfinite(first.losses).all()
    assert (first.guided > 0) == (matcher is not None)
    other = train(SpatialTraining(**{**vars(SMALL), "seed": 1}), matcher, None, SilentProgress())
    assert any(first.arrays[name].tobytes() != other.arrays[name].tobytes() for name in first.arrays)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_step_lowers_the_loss_of_its_batch(optimiser):
    from harness.studies.spatial_training import _batches, _optimiser

    how = SpatialTraining(steps=1, batch=4, negatives=2, size=64, optimiser=optimiser, rate=1e-3)
    network, matcher = tiny_network(), DSM(overlap=0.5)
    (queries, images) = next(_batches(how))
    steps = _optimiser(how, network)
    losses = []
    for _ in range(6):
        loss, _ = batch_loss(network(queries), network(images), how, matcher)
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_network_is_that_of_tiny(tmp_path):
    image = torch.rand(3, 50, 70)
    with torch.inference_mode():
        maps = tiny_network()((image * 2 - 1)[None])[0]
    torch.testing.assert_close(maps, Tiny().maps(image), atol=1e-5, rtol=1e-5)
    with pytest.raises(DataMissing):
        tiny_network(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("nothing")
    with pytest.raises(DataDamaged):
        tiny_network(tmp_path / "text.npz")
    np.savez(tmp_path / "some.npz", weight0=np.zeros((48, 3, 5, 5)), bias0=np.zeros(48))
    with pytest.raises(DataDamaged, match="layer 0"):
        tiny_network(tmp_path / "some.npz")
    with pytest.raises(InvalidInput, match="3 negatives from a batch of 3"):
        train(SpatialTraining(batch=3, negatives=3), None, None, SilentProgress())


def test_the_command_writes_weights_that_tiny_reads(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    done = CliRunner().invoke(app, [str(tmp_path / "spec.yaml")])
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert [line.partition(":")[0].endswith("npz") for line in done.output.splitlines()] == [True, True]
    image = torch.rand(3, 64, 64)
    maps = [Tiny(weights=str(tmp_path / name)).maps(image) for name in ("tr.npz", "tsp.npz")]
    assert not torch.equal(*maps)
    assert not torch.equal(maps[0], Tiny().maps(image))
    report = json.loads((tmp_path / "tsp.json").read_text())
    assert report["training"]["steps"] == len(report["losses"]) == 3
    assert report["matching"]["parameters"]["overlap"] == 0.5
    assert report["sha256"] in done.output
    again = CliRunner().invoke(app, [str(tmp_path / "spec.yaml")])
    assert again.output.count("already there") == 2
    before = (tmp_path / "tr.npz").read_bytes()
    assert CliRunner().invoke(app, [str(tmp_path / "spec.yaml"), "--again"]).exit_code == 0
    assert (tmp_path / "tr.npz").read_bytes() == before


def test_all_mistakes_of_a_spec_are_told(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(
        "name: wrong\nchekpoints: 1\ntraining: {steps: 0}\ncheckpoints:\n"
        "  a.npz: {matching: sift-ransac, rat: 1}\n  b.pt: {matching: dms}\n"
    )
    with pytest.raises(Errors) as found:
        read_training(path)
    text = str(found.value)
    for part in ("chekpoints", "steps = 0", 'no parameter "rat"', "does not say where", 'unknown reranking "dms"'):
        assert part in text
    assert "spec.yaml:5:" in text
    assert "b.pt is no .npz" in text
    path.write_text("name: none\n")
    with pytest.raises(Errors, match="1 errors|checkpoints"):
        read_training(path)
