"""Spatial training: the loss against a slow reference, masks, steps, and the same weights again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from harness.core.errors import InvalidInput
from harness.core.progress import SilentProgress
from harness.studies.spatial_training import SpatialTraining, _batches, _optimiser, batch_loss, contrastive, pool, train
from harness_backbone.tiny import LAYERS, WEIGHTS, Tiny
from harness_reranking.dsm.reranker import DSM

SMALL = SpatialTraining(steps=3, batch=3, negatives=1, size=64, rate=1e-3)


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


def slow_loss(queries, images, training, masks):
    """Mean over the queries; ``masks(i, j)`` of a pair."""
    everything = np.ones(queries[0].shape, bool)
    left = [slow_descriptor(maps, training.p, everything) for maps in queries]
    right = [slow_descriptor(maps, training.p, everything) for maps in images]
    total = 0.0
    for i in range(len(queries)):
        others = sorted((j for j in range(len(images)) if j != i), key=lambda j: -left[i] @ right[j])
        for j in [i, *others[: training.negatives]]:
            a, b = masks(i, j)
            gap = slow_descriptor(queries[i], training.p, a) - slow_descriptor(images[j], training.p, b) + 1e-6
            distance = np.sqrt((gap**2).sum())
            total += (distance if j == i else max(training.margin - distance, 0)) ** 2 / 2
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
    training = SpatialTraining(batch=5, negatives=2, margin=0.7)
    queries, images = (rng.gamma(0.3, size=(5, 6, 4, 6)).astype(np.float32) for _ in range(2))

    def masks(i, j):
        if matcher is None:
            return np.ones((6, 4, 6), bool), np.ones((6, 4, 6), bool)
        left, right = matcher.attention(torch.from_numpy(queries[i]), torch.from_numpy(images[j]))
        return left.numpy(), right.numpy()

    loss, guided = batch_loss(torch.from_numpy(queries), torch.from_numpy(images), training, matcher)
    expected = slow_loss(queries.astype(np.float64), images.astype(np.float64), training, masks)
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


def trained(training, matcher):
    network = Tiny().module()
    losses = train(training, network, matcher, SilentProgress())
    return {name: value.numpy() for name, value in network.state_dict().items()}, losses


@pytest.mark.parametrize("matcher", [None, DSM(overlap=0.5)], ids=["TR", "TSP"])
def test_same_bytes_again_and_other_weights_than_before(matcher):
    (first, losses), (second, again) = (trained(SMALL, matcher) for _ in range(2))
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    np.testing.assert_array_equal(losses.steps, again.steps)
    assert len(losses.steps) == 3
    assert np.isfinite(losses.steps).all()
    assert (losses.guided > 0) == (matcher is not None)
    other, _ = trained(SpatialTraining(**{**vars(SMALL), "seed": 1}), matcher)
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


def plain_tiny():
    """The convolutions of ``tiny`` on images in [0, 1], put together without the backbone's code."""
    layers = []
    with np.load(WEIGHTS) as file:
        for i, layer in enumerate(LAYERS):
            conv = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, layer.dilation)
            tensors = {part: torch.from_numpy(file[f"{part}{i}"].astype(np.float32)) for part in ("weight", "bias")}
            conv.load_state_dict(tensors)
            layers += [conv, nn.ReLU()]
    return nn.Sequential(*layers)


class Signed(nn.Sequential):
    def forward(self, images):
        return super().forward(images * 2 - 1)


def test_the_module_of_tiny_is_its_layers_to_the_byte():
    """Weights that were trained before backbones offered modules can be trained again."""
    matcher = DSM(overlap=1.0)
    plain, module = Signed(*plain_tiny()), Tiny().module()
    image = torch.rand(3, 50, 70)
    with torch.inference_mode():
        assert torch.equal(module(image[None]), plain(image[None]))
    losses = [train(SMALL, network, matcher, SilentProgress()) for network in (plain, module)]
    np.testing.assert_array_equal(losses[0].steps, losses[1].steps)
    for ours, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_step_lowers_the_loss_of_its_batch(optimiser):
    training = SpatialTraining(steps=1, batch=4, negatives=2, size=64, optimiser=optimiser, rate=1e-3)
    network, matcher = Tiny().module(), DSM(overlap=0.5)
    (queries, images) = next(_batches(training))
    steps = _optimiser(training, network)
    losses = []
    for _ in range(6):
        loss, _ = batch_loss(network(queries), network(images), training, matcher)
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_statistics_of_batch_normalisation_stay_and_dropout_has_the_seed():
    def network():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 5, stride=8), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU()
        return nn.Sequential(*layers)

    first, second = network(), network()
    before = first[1].running_mean.clone(), first[1].weight.clone()
    for n in (first, second):
        torch.rand(5)
        train(SMALL, n, None, SilentProgress())
    assert torch.equal(first[1].running_mean, before[0])
    assert not torch.equal(first[1].weight, before[1])
    assert torch.equal(first[0].weight, second[0].weight)
    assert not first.training


def test_a_batch_too_small_for_the_negatives_is_refused():
    with pytest.raises(InvalidInput, match="3 negatives from a batch of 3"):
        train(SpatialTraining(batch=3, negatives=3), Tiny().module(), None, SilentProgress())
