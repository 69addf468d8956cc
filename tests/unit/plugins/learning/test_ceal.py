from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.active import training
from harness.plugin_api import TrainingSet
from harness_learning.ceal import CEAL
from harness_learning.supervised import Supervised
from harness_network.small import SmallCNN

RNG = np.random.default_rng
IMAGES = RNG(0).integers(0, 255, size=(40, 1, 8, 8)).astype(np.uint8)
LABELS = np.where(np.arange(40) < 4, np.arange(40) % 2, -1)


def confident(*sure, n=40):
    """Even odds for all but the sure, which are of class 1."""
    p = np.full((n, 2), 0.5, np.float32)
    p[list(sure)] = 0.001, 0.999
    return p


def trained(scheme, data):
    model = training.initialise(SmallCNN(width=4), data.images, 2, RNG(7))
    return scheme.train(model, data, RNG(0))


def weights(model):
    return np.concatenate([value.detach().numpy().ravel() for value in model.state_dict().values()])


def test_sure_images_are_trained_on_with_the_class_predicted():
    data = TrainingSet(IMAGES, LABELS, 2, False, cycle=1, previous=confident(10, 11, 12))
    model = trained(CEAL(epochs=4), data)
    assert model.report == {"pseudo_labels": 3}
    labels = LABELS.copy()
    labels[[10, 11, 12]] = 1
    expected = trained(Supervised(epochs=4), TrainingSet(IMAGES, labels, 2, False))
    assert np.array_equal(weights(model), weights(expected))


def test_the_first_cycle_is_supervised():
    data = TrainingSet(IMAGES, LABELS, 2, False)
    assert np.array_equal(weights(trained(CEAL(epochs=4), data)), weights(trained(Supervised(epochs=4), data)))


def test_a_labelled_image_keeps_its_label_however_sure_the_model_was():
    data = TrainingSet(IMAGES, LABELS, 2, False, cycle=1, previous=confident(0, 1, 2, 3))
    assert trained(CEAL(epochs=1), data).report == {"pseudo_labels": 0}


@pytest.mark.parametrize(("cycle", "threshold", "count"), [(1, 0.02, 1), (1, 0.005, 0), (2, 0.02, 0), (3, 1.0, 1)])
def test_the_threshold_falls_by_its_decay(cycle, threshold, count):
    """Entropy of (0.001, 0.999) is 0.0114 of ln 2."""
    data = TrainingSet(IMAGES, LABELS, 2, False, cycle=cycle, previous=confident(10))
    data = dataclasses.replace(data, previous=np.where(data.previous == 0.5, 0.5, data.previous))
    found = CEAL(threshold=threshold, decay=0.01).confident(data)
    assert [i for i in found.tolist() if i == 10] == [10] * count


def test_an_epoch_can_be_short():
    data = TrainingSet(IMAGES, LABELS, 2, False, cycle=1, previous=confident(*range(4, 40)))
    short, long = CEAL(epochs=1, batch_size=4, epoch_size=4), CEAL(epochs=1, batch_size=4)
    assert not np.array_equal(weights(trained(short, data)), weights(trained(long, data)))
    assert trained(short, data).report == {"pseudo_labels": 36}
