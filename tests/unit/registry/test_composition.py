from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from harness.active import Pool
from harness.core.errors import HarnessError, UnknownName
from harness.registry import load_registry
from harness.registry.composition import preparation
from harness.registry.parameters import resolved
from harness_learning.deep_cluster import DeepCluster
from harness_learning.label_propagation import SemiSupervised

REGISTRY = load_registry()


def test_a_scheme_prepares_as_the_first_and_trains_as_the_second():
    scheme = REGISTRY.create("learning", "pretrain+semi", pre_epochs=3, semi_epochs=4)
    values = resolved(scheme)
    assert values["pre_epochs"] == 3
    assert values["semi_epochs"] == 4
    assert set(values) == set(resolved(DeepCluster())) | set(resolved(SemiSupervised()))
    calls = []

    class Model:
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeepCluster, "prepare", lambda self, *given: calls.append(("prepare", self)))
        patch.setattr(SemiSupervised, "train", lambda self, *given: calls.append(("train", self)))
        scheme.prepare(Model(), None, None)
        scheme.train(Model(), None, None)
    assert calls == [("prepare", DeepCluster(pre_epochs=3)), ("train", SemiSupervised(semi_epochs=4))]


def test_schemes_that_prepare_alike_share_it():
    one = REGISTRY.create("learning", "pretrain+semi", pre_epochs=3)
    other = REGISTRY.create("learning", "pretrain", pre_epochs=3, epochs=7)
    assert preparation(one, "one") == preparation(other, "other")
    changed = REGISTRY.create("learning", "pretrain", pre_epochs=4)
    assert preparation(changed, "") != preparation(other, "")


def test_its_identity_has_the_source_of_both():
    composed = REGISTRY.identify("learning", "pretrain+semi", REGISTRY.create("learning", "pretrain+semi"))
    for part in ("pretrain", "semi"):
        assert REGISTRY.identify("learning", part, REGISTRY.create("learning", part)).digest in composed.digest
    assert composed.name == "pretrain+semi"
    assert composed.plugin == "vision-evaluation-harness"


@pytest.mark.parametrize("name", ["semi+pretrain", "supervised+semi", "pretrain+semi+ceal"])
def test_what_cannot_be_composed_is_refused(name):
    with pytest.raises(HarnessError, match="cannot be composed"):
        REGISTRY.entry("learning", name)


@pytest.mark.parametrize(("kind", "name"), [("learning", "pretrain+sem"), ("pooling", "gem+mac"), ("learning", "+")])
def test_an_unknown_part_is_named(kind, name):
    with pytest.raises(UnknownName):
        REGISTRY.entry(kind, name)


def test_an_acquisition_changes_from_cycle_to_cycle():
    method = REGISTRY.create("acquisition", "random+random+entropy")
    assert [type(method.at(cycle)).__name__ for cycle in range(4)] == ["Random", "Random", "Entropy", "Entropy"]
    pool = Pool(np.eye(5), np.full((5, 2), 0.5), np.array([0, -1, -1, -1, -1]))
    assert set(method.select(pool, 4, np.random.default_rng(0)).tolist()) == {1, 2, 3, 4}


def test_parts_of_other_plugins_join_in(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from harness.plugin_api.hooks import hookimpl\n"
        "@dataclass(frozen=True)\n"
        "class Mine:\n"
        '    """Trains in my way."""\n'
        "    strength: float = 2.0\n"
        "    def prepare(self, model, data, rng):\n"
        "        return None\n"
        "    def train(self, model, data, rng):\n"
        "        return model, self.strength\n"
        "@hookimpl\n"
        "def harness_register(registry):\n"
        '    registry.learning("mine", Mine)\n'
    )
    registry = load_registry([plugin])
    scheme = registry.create("learning", "pretrain+mine", strength=5.0, pre_epochs=1)
    assert scheme.train("model", None, None) == ("model", 5.0)
    assert set(resolved(scheme)) == {"strength", *resolved(DeepCluster())}


@dataclass(frozen=True)
class Own:
    """Composed of nothing."""

    def prepare(self, model, data, rng):
        return None


def test_a_scheme_of_its_own_prepares_under_its_own_identity():
    assert preparation(Own(), {"name": "own"}) == {"name": "own"}


@pytest.mark.parametrize(
    ("kind", "name", "given"),
    [("learning", "pretrain+semi", {"epochs": 3}), ("acquisition", "random+entropy+coreset", {})],
)
def test_composed_methods_can_be_sent_to_another_process(kind, name, given):
    method = load_registry().create(kind, name, **given)
    again = pickle.loads(pickle.dumps(method))
    assert again == method
    assert type(again) is type(method)
