from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.active import training
from harness.plugin_api import TrainingSet
from harness_learning.supervised import Supervised
from harness_network.small import SmallCNN

RNG = np.random.default_rng


def stripes(n=60):
    """Two classes that one look tells apart: bright rows or bright columns."""
    rng = RNG(0)
    labels = np.arange(n) % 2
    images = rng.integers(0, 60, size=(n, 1, 8, 8))
    images[labels == 0, :, ::2] += 150
    images[labels == 1, :, :, ::2] += 150
    return images.astype(np.uint8), labels.astype(np.int64)


def trained(labelled=6, seed=0, **parameters):
    images, labels = stripes()
    known = np.full(len(labels), -1)
    known[:labelled] = labels[:labelled]
    model = training.initialise(SmallCNN(width=4), images, 2, RNG(7))
    data = TrainingSet(images, known, 2, flip=False)
    return Supervised(**{"epochs": 30, **parameters}).train(model, data, RNG(seed)), images, labels


def weights(model):
    return np.concatenate([value.detach().numpy().ravel() for value in model.state_dict().values()])


def test_it_learns_from_fewer_labels_than_a_batch():
    model, images, labels = trained(labelled=6)
    assert (training.extract(model, images)[1].argmax(1) == labels).mean() > 0.95


def test_one_label_is_enough_to_train_a_step():
    model, _, _ = trained(labelled=1, epochs=1)
    untouched = training.initialise(SmallCNN(width=4), stripes()[0], 2, RNG(7))
    assert not np.array_equal(weights(model), weights(untouched))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    first = weights(trained(seed=3)[0])
    assert np.array_equal(first, weights(trained(seed=3)[0]))
    assert not np.array_equal(first, weights(trained(seed=4)[0]))


def test_torch_is_left_as_it_was():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    trained(epochs=1)
    assert torch.equal(torch.rand(2), expected)


def test_hidden_images_do_not_change_the_weights_that_are_learnt():
    images, labels = stripes()
    known = np.where(np.arange(60) < 6, labels, -1)
    results = []
    for other in (images, np.concatenate([images[:6], images[:5:-1]])):
        model = training.initialise(SmallCNN(width=4), images, 2, RNG(7))
        data = TrainingSet(other, known, 2, flip=False)
        results.append(weights(Supervised(epochs=3).train(model, data, RNG(0))))
    assert np.array_equal(*results)


def test_there_is_nothing_to_prepare():
    images, labels = stripes()
    model = training.initialise(SmallCNN(width=4), images, 2, RNG(7))
    assert Supervised().prepare(model, TrainingSet(images, labels, 2), RNG(0)) is None


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_nesterov_needs_momentum(momentum):
    trained(momentum=momentum, epochs=1)


def test_bfloat16_learns_the_same_with_weights_in_float32():
    model, images, labels = trained(bf16=True)
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    assert not np.array_equal(weights(model), weights(trained()[0]))
    assert (training.extract(model, images)[1].argmax(1) == labels).mean() > 0.95


@pytest.mark.slow
def test_a_compiled_model_learns():
    """Not the same weights: a compiler draws its dropout otherwise."""
    model, images, labels = trained(compiled=True)
    assert (training.extract(model, images)[1].argmax(1) == labels).mean() > 0.95
