"""The first labels, the annotator, costs, warm starts and the reference of full supervision."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from blobs import PROTOCOL, Counting, run

from harness.cache import Cache
from harness.core.errors import InvalidInput
from harness.registry import load_registry
from harness_acquisition.balanced_random import BalancedRandom
from harness_acquisition.bald import Bald
from harness_acquisition.entropy import Entropy
from harness_acquisition.random import Random
from harness_acquisition.typiclust import TypiClust
from harness_learning.logistic import Logistic


def protocol(**options):
    return dataclasses.replace(PROTOCOL, **options)


def first(**options):
    return run(Random(), protocol=protocol(cycles=1, **options)).cycles[0]


def test_a_random_first_set_need_not_be_balanced():
    cycle = first(first_set="random", initial=8)
    assert sum(cycle.picked) == 8
    assert cycle.picked != (2, 2, 2, 2)
    assert list(cycle.labelled) == sorted(cycle.labelled)


def test_fewer_labels_than_classes_are_enough():
    assert sorted(first(initial=3).picked) == [0, 1, 1, 1]


def test_an_acquisition_chooses_the_first_labels_without_any(tmp_path):
    pools = []

    class Looking:
        cold_start = True

        def select(self, pool, budget, rng):
            pools.append(pool)
            return pool.unlabelled[:budget]

    result = run(Looking(), Cache(tmp_path), protocol=protocol(first_set="acquisition", initial=5))
    assert [len(pool.labelled) for pool in pools] == [0, 5, 9]
    assert np.unique(pools[0].probabilities).tolist() == [0.25]
    assert pools[0].features.shape == (80, 16)
    assert result.cycles[0].labelled == tuple(pools[0].positions[:5].tolist())
    with pytest.raises(InvalidInput, match="no model"):
        pools[0].dropout_probabilities(2)
    learning = Counting()
    again = run(Looking(), Cache(tmp_path), learning, protocol(first_set="acquisition", initial=5))
    assert again.cycles[0].labelled == result.cycles[0].labelled
    assert learning.labels == []


def test_what_needs_labels_cannot_begin_unless_another_does():
    with pytest.raises(InvalidInput, match="cannot choose the first labels"):
        run(Entropy(), protocol=protocol(first_set="acquisition"))
    both = load_registry().create("acquisition", "typiclust+entropy")
    alone = run(TypiClust(), protocol=protocol(first_set="acquisition"))
    begun = run(both, protocol=protocol(first_set="acquisition"))
    assert begun.cycles[0].labelled == alone.cycles[0].labelled
    assert begun.cycles[1].labelled != alone.cycles[1].labelled


def test_a_noisy_annotator_changes_what_is_learnt_and_not_what_is_tested():
    learning, clean = Counting(), Counting()
    noisy = run(Random(), learning=learning, protocol=protocol(initial=40, label_noise=0.5))
    run(Random(), learning=clean, protocol=protocol(initial=40))
    known = clean.labels[0] >= 0
    assert np.array_equal(learning.labels[0] >= 0, known)
    assert 0.3 < (learning.labels[0] != clean.labels[0])[known].mean() < 0.7
    for before, after in zip(learning.labels, learning.labels[1:], strict=False):
        assert np.array_equal(after[before >= 0], before[before >= 0])
    assert noisy.cycles[0].picked == (10, 10, 10, 10)


def test_labels_cost_what_their_class_does():
    result = run(Random(), protocol=protocol(label_costs=(1.0, 1.0, 1.0, 5.0)))
    counts = np.cumsum([cycle.picked for cycle in result.cycles], axis=0)
    assert [cycle.spent for cycle in result.cycles] == (counts @ [1, 1, 1, 5]).tolist()
    assert run(Random()).cycles[0].spent is None
    with pytest.raises(InvalidInput, match="2 numbers for 4 classes"):
        run(Random(), protocol=protocol(label_costs=(1.0, 2.0)))


def test_a_warm_start_continues_from_the_last_model(tmp_path):
    starts, ends = [], []

    class Watching(Counting):
        def prepare(self, model, data, rng):
            return None

        def train(self, model, data, rng):
            starts.append(model.network.head.weight.detach().numpy().copy())
            trained = super().train(model, data, rng)
            ends.append(trained.network.head.weight.detach().numpy().copy())
            return trained

    warm = run(Random(), Cache(tmp_path), Watching(), protocol(warm_start=True))
    assert np.array_equal(starts[1], ends[0])
    assert np.array_equal(starts[2], ends[1])
    cold = run(Random(), Cache(tmp_path), Watching())
    assert np.array_equal(starts[3], starts[0])
    assert [cycle.labelled for cycle in warm.cycles] == [cycle.labelled for cycle in cold.cycles]
    with pytest.raises(InvalidInput, match="no weights to start from"):
        run(Random(), learning=Logistic(), protocol=protocol(warm_start=True))


def test_a_model_of_all_labels_is_the_reference_of_all_acquisitions(tmp_path):
    learning, cache = Counting(), Cache(tmp_path)
    options = protocol(full_supervision=True, cycles=1)
    results = [run(method, cache, learning, options) for method in (Random(), Entropy())]
    assert len({result.full_supervision for result in results}) == 1
    assert [int((labels >= 0).sum()) for labels in learning.labels] == [4, 80]
    assert run(Random()).full_supervision is None


def test_balanced_random_takes_each_class_in_turn():
    result = run(BalancedRandom(), protocol=protocol(initial=6, budget=6))
    counts = np.cumsum([cycle.picked for cycle in result.cycles], axis=0)
    assert (counts[1:].max(axis=1) - counts[1:].min(axis=1) <= 1).all()


def test_passes_that_dropout_does_not_change_are_refused():
    """A head of its own leaves the network's dropout out: then dropout above 0 is not what helps."""
    with pytest.raises(InvalidInput, match="dropout changes no prediction") as refused:
        run(Bald(), learning=Logistic())
    assert "supervised" in (refused.value.fix or "")
