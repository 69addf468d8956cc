from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.active import training
from harness.plugin_api import TrainingSet
from harness_learning.label_propagation import SemiSupervised
from harness_learning.supervised import Supervised
from harness_network.small import SmallCNN

RNG = np.random.default_rng
QUICK = {"epochs": 5, "semi_epochs": 3, "semi_batch": 16, "labelled_batch": 4, "k": 8}


def noisy(n=240, seed=0):
    """Four classes that two labels each do not tell: a bright quarter in much noise."""
    rng = RNG(seed)
    labels = np.arange(n) % 4
    images = rng.integers(0, 200, size=(n, 1, 8, 8))
    for label, (row, column) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        images[labels == label, :, row : row + 4, column : column + 4] += 55
    return images.astype(np.uint8), labels.astype(np.int64)


def dataset(labelled=8, n=240):
    images, labels = noisy(n)
    known = np.full(n, -1)
    known[:labelled] = labels[:labelled]
    return TrainingSet(images, known, 4, flip=False), labels


def trained(scheme, data, seed=0):
    model = training.initialise(SmallCNN(width=4), data.images, 4, RNG(7))
    return scheme.train(model, data, RNG(seed))


def weights(model):
    return np.concatenate([value.detach().numpy().ravel() for value in model.state_dict().values()])


def spread(scheme, data, seed=0):
    model = training.initialise(SmallCNN(width=4), data.images, 4, RNG(7))
    return scheme.propagated(model, data, RNG(seed))


@pytest.mark.slow
def test_unlabelled_images_help():
    data, labels = dataset()
    right = []
    for scheme in (Supervised(epochs=40), SemiSupervised(**QUICK | {"epochs": 40, "semi_epochs": 15})):
        found = [training.extract(trained(scheme, data, seed), data.images)[1].argmax(1) for seed in range(3)]
        right.append(np.mean([(f[8:] == labels[8:]).mean() for f in found]))
    assert right[1] > right[0] + 0.05, right


def test_the_supervised_stage_is_that_of_supervised():
    data, _ = dataset(labelled=240)
    first = weights(trained(Supervised(epochs=3), data))
    assert np.array_equal(first, weights(trained(SemiSupervised(epochs=3, semi_epochs=2), data)))  # nothing unlabelled


@pytest.mark.parametrize("preset", ["recommended", "thesis", "released-code"])
@pytest.mark.parametrize("sample", [0, 50])
def test_the_same_seed_gives_the_same_bytes(preset, sample):
    data, _ = dataset()
    scheme = SemiSupervised(**QUICK, preset=preset, sample=sample)
    first = weights(trained(scheme, data, seed=3))
    assert np.array_equal(first, weights(trained(scheme, data, seed=3)))
    assert not np.array_equal(first, weights(trained(scheme, data, seed=4)))


def test_labelled_images_keep_their_labels_and_unreached_ones_have_none():
    data, _ = dataset()
    labels, certainty = spread(SemiSupervised(**QUICK), data)
    assert np.array_equal(labels[:8], data.labels[:8])
    assert (certainty[:8] == 1).all()
    assert ((labels == -1) == (certainty == 0)).all() or (certainty[labels == -1] == 0).all()


def test_a_sample_leaves_the_others_without_a_label():
    data, _ = dataset()
    labels, certainty = spread(SemiSupervised(**QUICK, sample=50), data)
    assert (labels >= 0).sum() <= 58
    assert (certainty > 0).sum() <= 58
    assert np.array_equal(labels[:8], data.labels[:8])


def test_pseudo_labelled_images_are_drawn_by_certainty_and_never_without_a_label():
    data, _ = dataset()
    certainty = np.zeros(240)
    certainty[[20, 30]] = 0.2, 0.8
    scheme = SemiSupervised(semi_batch=16, labelled_batch=4, share=1.0)
    drawn = np.concatenate([batch for seed in range(20) for batch in scheme.pseudo_batches(certainty, data, RNG(seed))])
    assert set(drawn.tolist()) == {20, 30}
    assert abs((drawn == 30).mean() - 0.8) < 0.03
    assert {len(batch) for batch in scheme.pseudo_batches(certainty, data, RNG(0))} == {12}


def test_the_released_preset_draws_nothing_twice():
    data, _ = dataset()
    scheme = SemiSupervised(semi_batch=16, labelled_batch=4, preset="released-code")
    drawn = np.concatenate(scheme.pseudo_batches(np.linspace(0, 1, 240), data, RNG(0)))
    assert len(np.unique(drawn)) == len(drawn) == 108  # nine steps of twelve in half of 232


def test_a_class_without_a_label_and_isolated_images_are_no_trouble():
    data, _ = dataset(labelled=3)
    images = data.images.copy()
    images[100:110] = 0  # all alike: their own component
    model = trained(SemiSupervised(**QUICK), TrainingSet(images, data.labels, 4, flip=False))
    assert np.isfinite(weights(model)).all()
    assert model.report["unreached"] >= 0
    assert model.report["converged"]


def test_torch_is_left_as_it_was():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    data, _ = dataset()
    trained(SemiSupervised(**QUICK), data)
    assert torch.equal(torch.rand(2), expected)
