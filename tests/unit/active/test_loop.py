from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest
from blobs import DATA, PROTOCOL, Counting, run

from harness.active.loop import ActiveProtocol
from harness.cache import Cache
from harness.core.errors import ContractError, InvalidInput
from harness_acquisition.coreset import CoreSet
from harness_acquisition.entropy import Entropy
from harness_acquisition.random import Random


def numbers(result):
    """All of a result but its costs."""
    return [(cycle.labelled, cycle.n_labelled, cycle.accuracy) for cycle in result.cycles]


def test_labels_grow_by_the_budget_and_are_never_asked_for_twice():
    learning = Counting()
    result = run(Random(), learning=learning)
    assert [cycle.n_labelled for cycle in result.cycles] == [4, 8, 12]
    asked = [example for cycle in result.cycles for example in cycle.labelled]
    assert len(set(asked)) == 12
    for cycle, seen in zip(result.cycles, learning.labels, strict=True):
        known = asked[: cycle.n_labelled]
        assert np.array_equal(seen[known], DATA.train_labels[known])
        assert (seen >= 0).sum() == cycle.n_labelled
    assert [cycle.acquire is None for cycle in result.cycles] == [False, False, True]
    assert sorted(DATA.train_labels[list(result.cycles[0].labelled)]) == [0, 1, 2, 3]


@pytest.mark.parametrize("acquisition", [Random(), Entropy(), CoreSet()])
def test_the_same_seed_gives_the_same_numbers(acquisition):
    first = numbers(run(acquisition, seed=5))
    assert first == numbers(run(acquisition, seed=5))
    assert first != numbers(run(acquisition, seed=6))


def test_acquisitions_are_paired_and_share_cycle_0(tmp_path):
    learning, cache = Counting(), Cache(tmp_path)
    results = [run(method, cache, learning) for method in (Random(), Entropy(), CoreSet())]
    assert len(learning.labels) == 1 + 3 * 2
    assert len({numbers(result)[0] for result in results}) == 1
    assert [result.cycles[0].train.cached for result in results] == [False, True, True]
    assert len({result.cycles[0].train.wall_s for result in results}) == 1


def test_sharing_does_not_change_the_numbers(tmp_path):
    cache = Cache(tmp_path)
    run(Random(), cache)
    assert numbers(run(Entropy(), cache)) == numbers(run(Entropy()))


def test_a_finished_run_is_read_and_a_killed_one_goes_on(tmp_path):
    uninterrupted = run(Entropy())
    cache = Cache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(Entropy(), cache, Counting(stop_after=2))
    learning = Counting()
    assert numbers(run(Entropy(), cache, learning)) == numbers(uninterrupted)
    assert len(learning.labels) == 1
    again = Counting()
    result = run(Entropy(), cache, again)
    assert numbers(result) == numbers(uninterrupted)
    assert again.labels == []
    assert all(cycle.train.cached for cycle in result.cycles)


def test_a_damaged_entry_is_made_again(tmp_path):
    cache = Cache(tmp_path)
    first = run(Entropy(), cache)
    for file in tmp_path.glob("*.npz"):
        file.write_bytes(file.read_bytes()[:-10])
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert numbers(run(Entropy(), cache)) == numbers(first)
    assert any("damaged" in str(warning.message) for warning in found)


def test_budgets_may_differ_and_the_last_takes_what_is_left():
    listed = run(Random(), protocol=ActiveProtocol(initial=4, budget=(1, 6), cycles=3))
    assert [cycle.n_labelled for cycle in listed.cycles] == [4, 5, 11]
    exhausted = run(Random(), protocol=ActiveProtocol(initial=4, budget=50, cycles=5))
    assert [cycle.n_labelled for cycle in exhausted.cycles] == [4, 54, 80]


def test_the_pool_shows_no_hidden_label_and_dropout_is_of_this_cycles_model(tmp_path):
    seen = []

    class Looking:
        def select(self, pool, budget, rng):
            seen.append(pool.dropout_probabilities(2))
            assert (pool.labels[pool.unlabelled] == -1).all()
            assert np.array_equal(pool.images(pool.labelled), DATA.train_images[pool.positions[pool.labelled]])
            assert pool.features.shape == (80, 16)
            return pool.unlabelled[:budget]

    run(Looking(), Cache(tmp_path))
    assert seen[0].shape == (2, 80, 4)
    assert not np.array_equal(seen[0], seen[1])
    for file in tmp_path.glob("*.json"):
        if json.loads(file.read_text())["key"]["stage"] == "acquire":
            file.unlink()
    run(Looking(), Cache(tmp_path))
    assert all(np.array_equal(first, cached) for first, cached in zip(seen[:2], seen[2:], strict=True))


def test_an_acquisition_that_breaks_the_rules_is_named():
    class Wrong:
        def select(self, pool, budget, rng):
            return pool.labelled[:budget]

    with pytest.raises(ContractError, match="Wrong"):
        run(Wrong())


def test_weights_learnt_without_labels_are_where_every_cycle_starts(tmp_path):
    starts = []

    class Pretraining(Counting):
        prepared = 0

        def prepare(self, model, data, rng):
            self.prepared += 1
            return {name: value + 1 for name, value in model.state_dict().items() if name.endswith("head.bias")}

        def train(self, model, data, rng):
            starts.append(model.network.head.bias.detach().clone().numpy())
            return super().train(model, data, rng)

    class Plain(Pretraining):
        def prepare(self, model, data, rng):
            return None

    learning = Pretraining()
    run(Random(), Cache(tmp_path), learning)
    assert learning.prepared == 1
    run(Random(), learning=Plain())
    assert all(np.array_equal(start, starts[3] + 1) for start in starts[:3])
    assert all(np.array_equal(start, starts[3]) for start in starts[3:])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"budget": -1}, "budget must be at least 1"),
        ({"budget": (1, 2), "cycles": 5}, "lists 2 numbers for 5 cycles; should list 4"),
        ({"cycles": 0}, "at least 1"),
        ({"initial": 0}, "at least 1"),
    ],
)
def test_a_protocol_checks_itself(options, match):
    with pytest.raises(InvalidInput, match=match):
        ActiveProtocol(**options)


def test_more_initial_labels_than_a_class_has_are_refused():
    with pytest.raises(InvalidInput, match="21 initial labels are wanted of class 0, which has 20"):
        run(Random(), protocol=ActiveProtocol(initial=84))


def test_a_long_tailed_pool_is_drawn_by_seed_and_recorded_by_position():
    protocol = dataclasses.replace(PROTOCOL, imbalance=4.0)
    learning = Counting()
    result = run(Random(), learning=learning, protocol=protocol)
    assert result.n_train < 80
    assert {len(labels) for labels in learning.labels} == {result.n_train}
    asked = [example for cycle in result.cycles for example in cycle.labelled]
    assert len(set(asked)) == 12
    assert max(asked) >= result.n_train  # positions of the whole set, not of what is left of it
    classes = sorted(DATA.train_labels[list(result.cycles[0].labelled)])
    assert classes == [0, 1, 2, 3]
    assert numbers(run(Random(), protocol=protocol)) == numbers(run(Random(), protocol=protocol))


def test_a_scheme_sees_the_cycle_and_the_last_models_probabilities_and_reports():
    seen = []

    class Looking(Counting):
        def train(self, model, data, rng):
            seen.append((data.cycle, data.previous))
            model = super().train(model, data, rng)
            model.report = {"note": data.cycle}
            return model

    result = run(Entropy(), learning=Looking())
    assert [cycle for cycle, _ in seen] == [0, 1, 2]
    assert seen[0][1] is None
    assert seen[1][1].shape == (80, 4)
    assert [cycle.report for cycle in result.cycles] == [{"note": 0}, {"note": 1}, {"note": 2}]


def test_weights_for_layers_that_do_not_exist_are_refused():
    class Wrong(Counting):
        def prepare(self, model, data, rng):
            return {"network.nowhere": next(iter(model.state_dict().values()))}

    with pytest.raises(ContractError, match="network.nowhere"):
        run(Random(), learning=Wrong())


def test_the_last_cycle_extracts_nothing():
    result = run(Random())
    assert [cycle.extract is None for cycle in result.cycles] == [False, False, True]
