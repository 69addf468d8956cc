"""What acquisitions may ask of a cycle's model beyond its probabilities."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from blobs import DATA, Counting
from blobs import run as run_images

from harness.active import training
from harness.active.loop import ActiveProtocol, run_cycles
from harness.cache import Cache
from harness.core.errors import InvalidInput
from harness.core.progress import SilentProgress
from harness.plugin_api import ClassificationSet
from harness_learning.logistic import Logistic
from harness_learning.nearest import NearestNeighbours
from harness_learning.supervised import Supervised
from harness_network.linear import LinearHead


def clouds(n, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    features = rng.normal(size=(n, 5)) + np.eye(3, 5)[labels]
    return features.astype(np.float32)[:, :, None, None], labels.astype(np.int64)


CLOUDS = ClassificationSet("clouds", *clouds(60, 0), *clouds(30, 1), classes=("a", "b", "c"), flip=False)


class Asking:
    """Picks the first, and keeps what a pool answers to a question."""

    def __init__(self, question):
        self.question, self.answers = question, []

    def select(self, pool, budget, rng):
        self.answers.append((pool, self.question(pool)))
        return pool.unlabelled[:budget]


def run(question, learning, network, data=CLOUDS):
    asking = Asking(question)
    keys = {"dataset": data.name, "learning": "l", "network": "n", "acquisition": "a"}
    protocol = ActiveProtocol(initial=12, budget=3, cycles=2)
    how = {"keys": keys, "cache": Cache(None), "progress": SilentProgress(), "device": "cpu"}
    run_cycles(data, asking, learning, network, protocol, 0, **how)
    return asking.answers[0]


@pytest.mark.parametrize(
    ("learning", "network"),
    [
        (Logistic(c=1.0), LinearHead()),
        (Logistic(c=1.0), LinearHead(normalise=True)),
        (Supervised(epochs=5), LinearHead(normalise=True, scaling="global")),
    ],
)
def test_the_head_gives_the_probabilities(learning, network):
    pool, head = run(lambda pool: pool.head, learning, network)
    np.testing.assert_allclose(head(pool.features), pool.probabilities, atol=1e-5)


def test_the_head_of_a_network_on_images_too():
    asking = Asking(lambda pool: pool.head)
    run_images(asking)
    pool, head = asking.answers[0]
    np.testing.assert_allclose(head(pool.features), pool.probabilities, atol=1e-5)


def test_where_the_last_layer_is_not_linear_or_features_are_others_there_is_none():
    assert run(lambda pool: pool.head, NearestNeighbours(), LinearHead())[1] is None
    other = dataclasses.replace(CLOUDS, selection_features=np.zeros((60, 2), np.float32))
    assert run(lambda pool: pool.head, Logistic(c=1.0), LinearHead(), other)[1] is None


def test_members_start_from_weights_of_their_own_and_see_only_what_is_labelled():
    learning = Counting()
    asking = Asking(lambda pool: (pool.labels, pool.members(2)))
    run_images(asking, learning=learning)
    pool, (labels, said) = asking.answers[0]
    assert said.shape == (2, *pool.probabilities.shape)
    assert not np.array_equal(said[0], said[1])
    assert not np.array_equal(said[0], pool.probabilities)
    known = np.empty(len(labels), np.int64)
    known[pool.positions] = labels
    assert all(np.array_equal(seen, known) for seen in learning.labels[1:3])


def test_members_of_a_scheme_that_always_ends_alike_need_draws():
    with pytest.raises(InvalidInput, match="bootstrap"):
        run(lambda pool: pool.members(2), Logistic(c=1.0), LinearHead())
    _, said = run(lambda pool: pool.members(2, bootstrap=True), Logistic(c=1.0), LinearHead())
    assert not np.array_equal(said[0], said[1])


def test_a_shared_pass_drops_the_same_for_all_images():
    from harness_network.small import SmallCNN

    images = np.repeat(DATA.train_images[:1], 7, axis=0)
    model = training.initialise(SmallCNN(width=4, dropout=0.5), images, 4, np.random.default_rng(0))
    shared = training.shared_dropout_probabilities(model, images, 4, np.random.default_rng(1), batch=3)
    own = training.dropout_probabilities(model, images, 4, np.random.default_rng(1), batch=3)
    np.testing.assert_allclose(shared, np.repeat(shared[:, :1], 7, axis=1), atol=1e-6)
    assert not np.allclose(own, np.repeat(own[:, :1], 7, axis=1), atol=1e-3)
    assert not np.allclose(shared[0], shared[1], atol=1e-3)
    again = training.shared_dropout_probabilities(model, images, 4, np.random.default_rng(1), batch=3)
    assert np.array_equal(shared, again)
    assert not any(module._forward_hooks for module in model.modules())
