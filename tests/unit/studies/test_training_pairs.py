"""Tuples of photographs to train on: negatives are the nearest of other clusters; maximum and learnt exponents."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import InvalidInput
from harness.core.progress import SilentProgress
from harness.data.stand_in.write import write_stand_in
from harness.plugin_api import DataFolders, RetrievalSet
from harness.studies.spatial_training import Pooling, SpatialTraining, batch_loss, train
from harness.studies.training_pairs import TrainingPairs
from harness_backbone.tiny import Tiny
from harness_dataset.sfm120k import SfM120k
from harness_reranking.dsm.reranker import DSM

TRAINING = SpatialTraining(steps=3, batch=2, negatives=3, size=64, queries=2, pool=16, rate=1e-3)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs")
    write_stand_in("sfm120k", root / "data", images=20, size=64)
    return TrainingPairs.of(SfM120k().load(DataFolders(root / "data", root / "cache")))


def mean_colour(image):
    return torch.nn.functional.normalize(image.mean((1, 2)) - 0.45, dim=0)


def test_negatives_are_the_nearest_of_other_clusters(photographs):
    queries = np.array([0, 6])
    pool = np.arange(20)
    colours = np.stack([mean_colour(photographs._image(i, TRAINING)).numpy() for i in pool])
    for query, others in zip(queries, photographs._negatives(queries, pool, TRAINING, mean_colour), strict=True):
        clusters = photographs.clusters[others]
        assert len({*clusters, photographs.clusters[query]}) == 4
        similarities = colours @ colours[query]
        nearest = {c: max(similarities[photographs.clusters == c]) for c in set(photographs.clusters)}
        del nearest[photographs.clusters[query]]
        np.testing.assert_allclose(similarities[others], sorted(nearest.values(), reverse=True)[:3], atol=1e-6)


def test_too_few_clusters_are_one_sentence(photographs):
    greedy = SpatialTraining(negatives=12, size=64, pool=20)
    with pytest.raises(InvalidInput, match="12 negatives a query need"):
        next(photographs.queries(greedy, mean_colour))


def test_without_clusters_pairs_say_what_shows_the_same():
    dataset = RetrievalSet("some", [], [], [], [], pairs=np.array([[0, 1], [1, 2]]))
    dataset = RetrievalSet("some", ["a", "b", "c", "d"], [], [], [], pairs=dataset.pairs)
    clusters = TrainingPairs.of(dataset).clusters
    assert clusters[0] == clusters[1] == clusters[2] != clusters[3]
    with pytest.raises(InvalidInput, match="no matching pairs"):
        TrainingPairs.of(RetrievalSet("none", [], [], [], []))


@pytest.mark.parametrize("matcher", [None, DSM(overlap=0.5)], ids=["TR", "TSP"])
def test_photographs_give_the_same_weights_again(photographs, matcher):
    states = []
    for _ in range(2):
        network = Tiny().module()
        losses = train(TRAINING, network, matcher, SilentProgress(), photographs)
        states.append(network.state_dict())
    assert len(losses.steps) == 3
    assert np.isfinite(losses.steps).all()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(value, states[0][name]) for name, value in Tiny().module().state_dict().items())


def test_the_maximum_over_a_mask_by_hand():
    pooling = Pooling(SpatialTraining(pooling="mac"))
    maps = torch.tensor([[[3.0, 9.0]], [[4.0, 1.0]]])
    torch.testing.assert_close(pooling(pooling.powers(maps)), torch.tensor([9.0, 4.0]) / 97**0.5)
    mask = torch.tensor([[[True, False]], [[True, True]]])
    torch.testing.assert_close(pooling(pooling.powers(maps), mask), torch.tensor([0.6, 0.8]))


def test_the_exponent_is_learnt_where_asked():
    training = SpatialTraining(steps=2, batch=3, negatives=1, size=64, rate=1e-3)
    assert train(training, Tiny().module(), None, SilentProgress()).p == 3.0
    learnt = SpatialTraining(**{**vars(training), "learn_p": True})
    assert train(learnt, Tiny().module(), None, SilentProgress()).p != 3.0


def test_the_loss_of_the_maximum_has_gradients():
    maps = torch.rand(3, 4, 2, 2, requires_grad=True)
    loss, _ = batch_loss(maps, maps.flip(0), SpatialTraining(batch=3, negatives=1, pooling="mac"), None)
    loss.backward()
    assert maps.grad.abs().sum() > 0
