"""Features that do not change from cycle to cycle: what acquisitions see of them, and how often they are worked on."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from harness import graph
from harness.active import graphs
from harness.active.loop import ActiveProtocol, run_cycles
from harness.cache import Cache
from harness.core.progress import SilentProgress
from harness.plugin_api import ClassificationSet
from harness_acquisition.jlp import JointLabelPropagation
from harness_learning.logistic import Logistic
from harness_learning.spread import LabelPropagation
from harness_learning.supervised import Supervised
from harness_network.linear import LinearHead
from harness_network.small import SmallCNN


def clouds(n, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    features = rng.normal(size=(n, 5)) + 3 * np.eye(3, 5)[labels]
    return features.astype(np.float32)[:, :, None, None], labels.astype(np.int64)


DATA = ClassificationSet("clouds", *clouds(90, 0), *clouds(30, 1), classes=("a", "b", "c"), flip=False)
OTHER = np.random.default_rng(4).normal(size=(90, 7)).astype(np.float32)


class Looking:
    """Picks the first and keeps what it was shown."""

    def __init__(self):
        self.pools = []

    def select(self, pool, budget, rng):
        self.pools.append(pool)
        return pool.unlabelled[:budget]


def run(acquisition, cache=None, learning=None, network=None, data=DATA, seed=0):
    methods = (acquisition, learning or Logistic(), network or LinearHead())
    keys = {
        "dataset": data.name,
        "learning": type(learning).__name__,
        "network": "n",
        "acquisition": type(acquisition).__name__,
    }
    protocol = ActiveProtocol(initial=3, budget=3, cycles=3)
    cache = cache or Cache(None)
    return run_cycles(data, *methods, protocol, seed, keys=keys, cache=cache, progress=SilentProgress(), device="cpu")


@pytest.fixture
def graphs_built(monkeypatch):
    built = []

    def counting(x, *args, **kwargs):
        built.append(len(x))
        return affinity(x, *args, **kwargs)

    affinity = graph.affinity
    monkeypatch.setattr(graph, "affinity", counting)
    return built


def test_acquisitions_see_given_features_as_they_are():
    looking = Looking()
    run(looking)
    for pool in looking.pools:
        assert np.array_equal(pool.features, DATA.train_images[pool.positions, :, 0, 0])


def test_acquisitions_may_see_other_features_than_the_head():
    looking = Looking()
    result = run(looking, data=dataclasses.replace(DATA, selection_features=OTHER))
    assert all(np.array_equal(pool.features, OTHER[pool.positions]) for pool in looking.pools)
    plain = run(Looking())
    assert [cycle.accuracy for cycle in result.cycles] == [cycle.accuracy for cycle in plain.cycles]


def test_the_graph_of_features_that_do_not_change_is_built_once_for_cycles_seeds_and_methods(tmp_path, graphs_built):
    cache = Cache(tmp_path)
    run(JointLabelPropagation(), cache)
    run(JointLabelPropagation(), cache, seed=1)
    run(Looking(), cache)
    assert graphs_built == [90]
    run(JointLabelPropagation(), cache, LabelPropagation(k=10))
    assert graphs_built == [90, 90]  # with 10 neighbours


def test_the_graph_of_features_that_a_network_learns_is_built_for_each_cycle_and_not_stored(tmp_path, graphs_built):
    images = np.random.default_rng(0).integers(0, 255, (90, 1, 8, 8)).astype(np.uint8)
    data = dataclasses.replace(DATA, train_images=images, test_images=images[:30])
    run(JointLabelPropagation(), Cache(tmp_path), Supervised(epochs=2), SmallCNN(width=2), data)
    assert len(graphs_built) == 2
    stages = {json.loads(file.read_text())["key"]["stage"] for file in tmp_path.glob("*.json")}
    assert "graph" not in stages


def test_a_graph_in_the_order_of_the_pool_is_that_of_the_pool(tmp_path):
    looking = Looking()
    run(looking, Cache(tmp_path))
    pool = looking.pools[0]
    expected = graphs.affinity(pool.features, *graphs.POOL_GRAPH)
    np.testing.assert_allclose(pool.affinity.toarray(), expected.toarray(), rtol=1e-5)
    assert (pool.affinity.indices[:-1] < pool.affinity.indices[1:]).sum() > 0


def test_a_finished_run_is_read_with_its_heads(tmp_path):
    cache = Cache(tmp_path)
    first = run(JointLabelPropagation(), cache)
    again = run(JointLabelPropagation(), cache)
    assert [cycle.labelled for cycle in first.cycles] == [cycle.labelled for cycle in again.cycles]
    assert all(cycle.train.cached for cycle in again.cycles)
