from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.active import training
from harness.core.errors import InvalidInput
from harness.registry import load_registry
from harness_network.cnn13 import CNN13
from harness_network.linear import LinearHead
from harness_network.quarters import LargestOfQuarters, one_by_one
from harness_network.small import SmallCNN


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


def test_both_are_registered():
    assert {"cnn13", "linear-head", "small-cnn"} <= set(load_registry().names("network"))


@pytest.mark.parametrize(("classes", "count"), [(10, 3_125_908), (100, 3_150_608 - 13_000)])
def test_cnn13_has_as_many_parameters_as_the_released_code_without_its_unused_layer(classes, count):
    assert parameters(CNN13().build((3, 32, 32), classes)) == count


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (1, 8, 8), (3, 30, 40)])
def test_cnn13_takes_images_of_any_size(shape):
    logits, features = CNN13().build(shape, 7)(torch.rand(2, *shape))
    assert logits.shape == (2, 7)
    assert features.shape == (2, 128)
    assert torch.allclose(features.norm(dim=1), torch.ones(2), atol=1e-5)


def test_cnn13_continues_small_images_at_their_border():
    network = CNN13().build((1, 28, 28), 10).eval()
    full = CNN13().build((1, 32, 32), 10).eval()
    full.load_state_dict(network.state_dict())
    images = torch.rand(2, 1, 28, 28)
    larger = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="replicate")
    assert torch.equal(network(images)[0], full(larger)[0])


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 33, 47), (1, 4, 4)])
@pytest.mark.parametrize("unit", [False, True])
def test_small_cnn_takes_small_images(shape, unit):
    logits, features = SmallCNN(width=8, normalise=unit).build(shape, 5)(torch.rand(3, *shape))
    assert logits.shape == (3, 5)
    assert features.shape == (3, 32)
    if unit:
        assert torch.allclose(features.norm(dim=1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("side", [(1, 1), (1, 3), (2, 2), (7, 7), (8, 11)])
def test_quarters_one_by_one_are_adaptive_max_pooling(side):
    """What CUDA is given: its adaptive pooling adds up the gradients of overlapping quarters in any order."""
    # Whole numbers from 0 to 3 are tied often, and their sums are exact in any order.
    maps = torch.randint(0, 4, (6, 5, *side), generator=torch.Generator().manual_seed(0)).float()
    slopes = torch.arange(6 * 20.0).reshape(6, 20)
    plain, slices = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    expected, found = LargestOfQuarters()(plain), one_by_one(slices)
    (expected * slopes).sum().backward()
    (found * slopes).sum().backward()
    assert torch.equal(found, expected)
    assert torch.equal(slices.grad, plain.grad)


def test_small_cnn_refuses_what_it_would_pool_to_nothing():
    with pytest.raises(InvalidInput, match="at least 4 x 4"):
        SmallCNN().build((1, 3, 8), 5)


def test_dropout_acts_in_training_only():
    network = SmallCNN(dropout=0.5).build((1, 8, 8), 5)
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(network.eval()(images)[0], network(images)[0])
    assert not torch.equal(network.train()(images)[0], network(images)[0])


@pytest.mark.parametrize("unit", [False, True])
def test_a_linear_head_leaves_the_features_as_they_are(unit):
    network = LinearHead(normalise=unit).build((6, 1, 1), 4)
    images = torch.rand(3, 6, 1, 1)
    logits, features = network(images)
    expected = images.flatten(1)
    assert logits.shape == (3, 4)
    assert torch.allclose(features, expected / expected.norm(dim=1, keepdim=True) if unit else expected)
    assert parameters(network) == 6 * 4 + 4


def test_given_features_stay_as_they_are_unless_scaled_by_name():
    features = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * [5, 1, 1, 1, 1, 0.1] + 2
    images = features.astype(np.float32)[:, :, None, None]

    def seen(**parameters):
        model = training.initialise(LinearHead(**parameters), images, 3, np.random.default_rng(0))
        return training.extract(model, images)[0]

    assert np.array_equal(seen(), images[:, :, 0, 0])
    ratio = seen(scaling="global") / images[:, :, 0, 0]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    np.testing.assert_allclose((seen(scaling="global") ** 2).mean(), 1, rtol=1e-5)
    np.testing.assert_allclose(seen(scaling="standardised").std(axis=0), 1, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(seen(normalise=True), axis=1), 1, rtol=1e-5)
