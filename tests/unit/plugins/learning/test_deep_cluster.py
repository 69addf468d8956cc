from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.active import training
from harness.core.errors import InvalidInput
from harness.plugin_api import TrainingSet
from harness_learning.deep_cluster import Pretrain, clustered
from harness_network.small import SmallCNN

RNG = np.random.default_rng
QUICK = {"pre_epochs": 2, "pre_batch": 16, "clusters_per_class": 2}


def images(n=90):
    rng = RNG(0)
    made = rng.integers(0, 60, size=(n, 1, 8, 8))
    made[::3, :, ::2] += 150
    made[1::3, :, :, ::2] += 150
    return made.astype(np.uint8)


def prepared(seed=0, labels=-1, **parameters):
    data = TrainingSet(images(), np.full(90, labels), 3, flip=False)
    model = training.initialise(SmallCNN(width=4), data.images, 3, RNG(7))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    return Pretrain(**QUICK | parameters).prepare(model, data, RNG(seed)), before


@pytest.mark.parametrize("preset", ["recommended", "thesis", "released-code"])
def test_the_same_seed_gives_the_same_weights_whatever_the_labels(preset):
    first, before = prepared(pre_preset=preset)
    for other, same in ((prepared(pre_preset=preset, labels=1), True), (prepared(pre_preset=preset, seed=1), False)):
        assert all(torch.equal(first[name], other[0][name]) for name in first) == same
    assert set(first) == set(before)
    assert not torch.equal(first["network.maps.0.weight"], before["network.maps.0.weight"])


def test_the_classification_head_is_left_alone():
    found, before = prepared()
    assert torch.equal(found["network.head.weight"], before["network.head.weight"])


def test_features_of_alike_images_come_together():
    data = TrainingSet(images(), np.full(90, -1), 3, flip=False)
    purity = []
    for epochs in (0, 12):
        model = training.initialise(SmallCNN(width=4), data.images, 3, RNG(7))
        if epochs:
            Pretrain(**QUICK | {"pre_epochs": epochs}).prepare(model, data, RNG(0))
        features = training.extract(model, data.images)[0]
        unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
        alike = unit @ unit.T
        same = np.equal.outer(np.arange(90) % 3, np.arange(90) % 3)
        purity.append(alike[same].mean() - alike[~same].mean())
    assert purity[1] > purity[0]


def test_more_clusters_than_images_are_refused():
    with pytest.raises(InvalidInput, match="120 clusters of 90 images"):
        prepared(clusters_per_class=40)


def test_clusters_are_those_of_separated_points_and_none_is_lost():
    rng = RNG(0)
    points = np.repeat(np.eye(4, 6, dtype=np.float32), 20, axis=0) + 0.01 * rng.standard_normal((80, 6), np.float32)
    clusters = clustered(points, 4, seed=0)
    assert all(len(set(clusters[20 * i : 20 * i + 20].tolist())) == 1 for i in range(4))
    assert np.array_equal(clusters, clustered(points, 4, seed=0))


def test_duplicates_and_infinity():
    assert clustered(np.ones((10, 3), np.float32), 3, seed=0).shape == (10,)
    with pytest.raises(InvalidInput, match="image 1 are not finite"):
        clustered(np.array([[0.0], [np.inf]], np.float32), 1, seed=0)
