"""Heads on features that stay as they are: logistic regression, nearest neighbours, propagated labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness import graph
from harness.active import training
from harness.plugin_api import TrainingSet
from harness.registry import load_registry
from harness_evidence.learning import slow_neighbours
from harness_learning.logistic import Logistic, chosen, fitted
from harness_learning.nearest import NearestNeighbours
from harness_learning.spread import LabelPropagation
from harness_network.linear import LinearHead

RNG = np.random.default_rng
HEADS = {"logistic": Logistic(), "knn": NearestNeighbours(), "propagation": LabelPropagation(k=10)}


def clouds(n=240, classes=4, d=12, seed=0):
    """Overlapping clouds whose first dimensions are the widest, as principal components are."""
    rng = RNG(seed)
    labels = np.arange(n) % classes
    centres = RNG(99).normal(size=(classes, d))
    return ((centres[labels] + rng.normal(size=(n, d))) / np.arange(1, d + 1)).astype(np.float32), labels


def turned(features, seed=5):
    """The features in other axes."""
    d = features.shape[1]
    return (features @ np.linalg.qr(RNG(seed).normal(size=(d, d)))[0]).astype(np.float32)


def trained(learning, features, labels, labelled=60, classes=4):
    """The model of the first labels, and its training set."""
    known = np.where(np.arange(len(labels)) < labelled, labels, -1).astype(np.int64)
    images = features[:, :, None, None]
    model = training.initialise(LinearHead(), images, classes, RNG(0))
    data = TrainingSet(images, known, classes, flip=False)
    return learning.train(model, data, RNG(1)), data


def probabilities(model, features):
    return training.extract(model, features[:, :, None, None])[1]


@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
def test_logistic_regression_is_that_of_scikit_learn(c):
    from sklearn.linear_model import LogisticRegression

    features, labels = clouds()
    others = clouds(seed=1)[0]
    model, _ = trained(Logistic(c=c), features, labels)
    reference = LogisticRegression(C=c, tol=1e-10, max_iter=10_000).fit(features[:60].astype(np.float64), labels[:60])
    np.testing.assert_allclose(probabilities(model, others), reference.predict_proba(others), atol=1e-4)
    assert model.report == {"c": c, "converged": True}


def test_two_classes_have_a_row_each_so_that_c_means_the_same():
    from sklearn.linear_model import LogisticRegression

    features, labels = clouds(classes=2)
    x = features[:60].astype(np.float64)
    ours = fitted(x, labels[:60], 2, 1.0)
    reference = LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000).fit(x, labels[:60])
    np.testing.assert_allclose(ours.weight[1] - ours.weight[0], reference.coef_[0], atol=1e-4)


def test_with_more_dimensions_than_labels_the_gradient_is_0_too():
    x, y = RNG(0).normal(size=(8, 30)), np.arange(8) % 3
    wide = fitted(x, y, 3, 1.0)
    assert wide.converged
    logits = x @ wide.weight.T + wide.bias
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(wide.weight, (np.eye(3)[y] - p).T @ x, atol=1e-4)


def test_a_class_without_a_label_has_no_probability():
    features, labels = clouds()
    model, _ = trained(Logistic(), features, np.where(labels == 3, 0, labels))
    found = probabilities(model, features)
    assert found[:, 3].max() < 1e-6
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_c_is_chosen_on_the_labels_and_is_1_where_they_say_nothing():
    features, labels = clouds()
    noise = RNG(0).normal(size=(60, 12))
    assert chosen(features[:60].astype(float), labels[:60], RNG(0)) > chosen(noise, labels[:60], RNG(0))
    assert chosen(noise[:4], np.arange(4), RNG(0)) == 1.0


def test_nearest_neighbours_are_weighed_by_similarity():
    features, labels = clouds()
    model, _ = trained(NearestNeighbours(k=5, temperature=0.1), features, labels)
    others = clouds(seed=1)[0]
    expected = slow_neighbours(others, features[:60], labels[:60], 4, k=5, temperature=0.1)
    np.testing.assert_allclose(probabilities(model, others), expected, atol=1e-4)


def test_propagated_labels_are_those_of_the_graph_and_elsewhere_of_the_neighbours():
    features, labels = clouds()
    head = LabelPropagation(k=10)
    model, data = trained(head, features, labels)
    spread = graph.propagate(graph.normalise(graph.affinity(features, 10, 3.0)), data.labels, 4)
    reached = spread.labels >= 0
    np.testing.assert_allclose(probabilities(model, features)[reached], spread.probabilities[reached], atol=1e-5)
    others = clouds(seed=1)[0]
    near = graph.neighbours_of(others, features, 10)
    weights = np.maximum(near.similarities, 0) ** 3
    expected = (weights[:, :, None] * spread.probabilities[near.indices]).sum(axis=1)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(model, others), expected, atol=1e-4)


def test_where_no_label_reaches_all_classes_are_equally_likely():
    features = np.concatenate([np.eye(12)[[0] * 20], np.eye(12)[[1] * 20]]).astype(np.float32)
    features += RNG(0).normal(size=features.shape).astype(np.float32) * 1e-3
    model, _ = trained(LabelPropagation(k=5), features, np.zeros(40, np.int64), labelled=5)
    np.testing.assert_allclose(probabilities(model, features)[25:], 0.25, rtol=1e-5)


@pytest.mark.parametrize("name", ["knn", "propagation"])
def test_of_equally_near_examples_of_a_set_stored_class_by_class_none_is_preferred(name):
    """Half of the pool are copies of one example, the first class first: the query between them gets both classes."""
    head = {"knn": NearestNeighbours(k=20), "propagation": LabelPropagation(k=20)}[name]
    rng = RNG(0)
    same = np.repeat(np.eye(12, dtype=np.float32)[:1], 80, axis=0)
    apart = (np.eye(12)[1 + np.arange(80) % 2] + 0.05 * rng.normal(size=(80, 12))).astype(np.float32)
    labels = np.concatenate([np.repeat([0, 1], 40), np.arange(80) % 2])
    model, _ = trained(head, np.concatenate([same, apart]), labels, labelled=160, classes=2)
    near = same[:1] + np.float32(1e-3) * np.eye(12, dtype=np.float32)[11:]
    for query in (same[:1], near):  # an example of the pool, and another
        shares = probabilities(model, query)[0]
        assert 0.2 < shares[0] < 0.8


@pytest.mark.parametrize("name", HEADS)
def test_turning_the_features_changes_no_prediction(name):
    """Tolerance: probabilities within 1e-3, as features are float32."""
    features, labels = clouds()
    others = clouds(seed=1)[0]
    straight, _ = trained(HEADS[name], features, labels)
    both = turned(np.concatenate([features, others]))
    moved, _ = trained(HEADS[name], both[: len(features)], labels)
    for rows, other in ((features, both[: len(features)]), (others, both[len(features) :])):
        np.testing.assert_allclose(probabilities(straight, rows), probabilities(moved, other), atol=1e-3)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_restored_from_its_weights(name):
    features, labels = clouds()
    model, data = trained(HEADS[name], features, labels)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    fresh = training.initialise(LinearHead(), data.images, 4, RNG(3))
    restored = HEADS[name].restore(fresh, data.images, weights)
    others = clouds(seed=1)[0]
    assert np.array_equal(probabilities(restored, others), probabilities(model, others))


@pytest.mark.parametrize("name", HEADS)
def test_a_head_stands_on_any_network_and_leaves_it_alone(name):
    images = np.random.default_rng(0).integers(0, 255, (40, 1, 8, 8)).astype(np.uint8)
    data = TrainingSet(images, np.where(np.arange(40) < 12, np.arange(40) % 3, -1), 3)
    network = load_registry().create("network", "small-cnn")
    model = training.initialise(network, images, 3, RNG(0))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = HEADS[name].train(model, data, RNG(0))
    assert all(torch.equal(before[key], value) for key, value in found.model.state_dict().items())
    assert training.extract(found, images)[1].shape == (40, 3)


@pytest.mark.parametrize("seed", range(4))
def test_c_chosen_on_few_uneven_labels_gives_no_constant_answer(seed):
    features, labels = clouds(seed=seed)
    few = np.concatenate([np.flatnonzero(labels == k)[:n] for k, n in enumerate((9, 3, 2, 1))])
    c = chosen(features[few].astype(np.float64), labels[few], RNG(seed))
    fit = fitted(features[few].astype(np.float64), labels[few], 4, c)
    assert len(set((features @ fit.weight.T + fit.bias).argmax(axis=1).tolist())) > 1


def test_a_scale_of_the_features_changes_no_choice():
    features, labels = clouds()
    x = features[:60].astype(np.float64)
    np.testing.assert_allclose(chosen(8 * x, labels[:60], RNG(0)) * 64, chosen(x, labels[:60], RNG(0)), rtol=1e-9)
