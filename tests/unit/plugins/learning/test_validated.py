"""Early stopping and a search of the learning rate on held-out labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.active import training
from harness.plugin_api import TrainingSet
from harness_learning.supervised import Supervised
from harness_learning.validated import Validated, held_out
from harness_network.linear import LinearHead

RNG = np.random.default_rng


def data(labelled=40, n=120):
    rng = RNG(0)
    labels = np.arange(n) % 3
    features = rng.normal(size=(n, 6)) + 2 * np.eye(3, 6)[labels]
    known = np.where(np.arange(n) < labelled, labels, -1).astype(np.int64)
    return TrainingSet(features.astype(np.float32)[:, :, None, None], known, 3, flip=False), labels


def trained(learning, given):
    model = training.initialise(LinearHead(), given.images, 3, RNG(0))
    return learning.train(model, given, RNG(1))


def test_held_out_labels_come_from_all_classes_and_leave_each_some():
    labels = np.repeat([0, 1, 2, 3], [10, 6, 3, 1])
    mask = held_out(labels, 0.2, RNG(0))
    assert np.bincount(labels[mask], minlength=4).tolist() == [2, 1, 1, 0]
    assert not np.array_equal(mask, held_out(labels, 0.2, RNG(1)))


@pytest.mark.parametrize("share", [0.01, 0.9, 0.99])
def test_some_labels_are_held_out_and_some_are_left_at_any_share(share):
    mask = held_out(np.array([0, 1, 2, 0]), share, RNG(0))
    assert 0 < mask.sum() < 4
    given, _ = data(labelled=4)
    assert trained(Validated(validation=share, epochs=2), given).report["held_out"] == mask.sum()


def test_a_rate_at_which_nothing_is_learnt_is_not_chosen():
    given, labels = data()
    model = trained(Validated(epochs=30, rates=(1e-6, 0.05)), given)
    assert model.report["learning_rate"] == 0.05
    assert model.report["held_out"] == 8
    assert (training.extract(model, given.images)[1].argmax(1) == labels).mean() > 0.8


def test_training_stops_when_the_loss_has_not_fallen_for_long_enough():
    given, _ = data()
    calls = []

    class Counting(Validated):
        def _epochs(self, *arguments, **keywords):
            for epoch in super()._epochs(*arguments, **keywords):
                calls.append(epoch)
                yield epoch

    model = trained(Counting(epochs=400, rates=(2.0,), patience=3), given)
    assert len(calls) < 400
    assert model.report["epoch"] <= calls[-1] - 3


def test_each_class_keeps_a_label():
    labels = np.array([0, 1, 2, 3, 3, 4, 4, 4])
    mask = held_out(labels, 0.9, RNG(0))
    assert np.bincount(labels[~mask], minlength=5).tolist() == [1, 1, 1, 1, 1]


def test_one_label_a_class_leaves_none_to_hold_out():
    given, _ = data(12)
    given = replace(given, labels=np.where(np.arange(120) < 6, np.arange(120), -1).astype(np.int64), n_classes=6)
    ours, plain = (
        method.train(training.initialise(LinearHead(), given.images, 6, RNG(0)), given, RNG(1))
        for method in (Validated(epochs=3), Supervised(epochs=3))
    )
    assert all(
        bool((a == b).all()) for a, b in zip(ours.state_dict().values(), plain.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("labelled", [1, 3])
def test_with_few_labels_it_is_supervised(labelled):
    given, _ = data(labelled)
    ours, plain = (trained(method, given) for method in (Validated(epochs=3), Supervised(epochs=3)))
    assert all(
        bool((a == b).all()) for a, b in zip(ours.state_dict().values(), plain.state_dict().values(), strict=True)
    )
