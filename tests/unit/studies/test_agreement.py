from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from harness.active.loop import ActiveProtocol, generator, run_cycles
from harness.active.pool import Pool
from harness.cache import Cache
from harness.core.errors import ContractError
from harness.core.progress import SilentProgress
from harness.plugin_api import ClassificationSet
from harness.studies import agreement as study
from harness.studies.agreement import AgreementSetting, Candidate
from harness.studies.agreement import compare_acquisitions as compare
from harness_acquisition.badge import Badge
from harness_acquisition.coreset import CoreSet
from harness_acquisition.entropy import Entropy
from harness_acquisition.jlp import JointLabelPropagation
from harness_acquisition.random import Random
from harness_learning.supervised import Supervised
from harness_network.small import SmallCNN


def blobs(n=80, seed=0):
    """Four classes: one bright quarter each, hard to tell from the noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    images = rng.integers(0, 200, size=(n, 1, 8, 8))
    for label, (row, column) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        images[labels == label, :, row : row + 4, column : column + 4] += 40
    return images.astype(np.uint8), labels.astype(np.int64)


DATA = ClassificationSet("blobs", *blobs(), *blobs(40, seed=1), classes=("a", "b", "c", "d"), flip=False)
PROTOCOL = ActiveProtocol(initial=4, budget=4, cycles=3)
METHODS = {"entropy": Entropy(), "random": Random(), "coreset": CoreSet(), "jlp": JointLabelPropagation()}
METHODS["badge"] = Badge()
KEYS = {"dataset": "blobs", "learning": "supervised", "network": "small"}
SUPERVISED, NETWORK = Supervised(epochs=8), SmallCNN(width=4)


def candidate(name, method=None, label=None):
    return Candidate(name, method or METHODS[name], {"name": label or name})


def setting(**changes):
    given = {"load": lambda: DATA, "learning": SUPERVISED, "network": NETWORK, "protocol": PROTOCOL, "seed": 0}
    return AgreementSetting(**{**given, "keys": KEYS, **changes})


def others(*names):
    return {name: candidate(name) for name in names}


@dataclasses.dataclass
class Recording:
    """Chooses by entropy and keeps the pools."""

    pools: list = dataclasses.field(default_factory=list)

    def select(self, pool, budget, rng):
        self.pools.append(pool)
        return Entropy().select(pool, budget, rng)


def brute_pseudo_labels(pool, picks, truth):
    """Label propagation by a dense solve, the classes balanced, and weights (3.10)."""
    n, labels = len(pool.labels), pool.labels.copy()
    labels[picks] = truth[picks]
    y = np.zeros((n, 4))
    for k in range(4):
        y[labels == k, k] = 1 / max((labels == k).sum(), 1)
    scores = np.maximum(np.linalg.solve(np.eye(n) - 0.99 * pool.affinity.toarray(), y), 0)
    p = scores / scores.sum(axis=1, keepdims=True)
    weights = 1 + np.where(p > 0, p * np.log(np.maximum(p, 1e-300)), 0).sum(axis=1) / math.log(4)
    known = labels >= 0
    return np.where(known, labels, p.argmax(axis=1)), np.where(known, 1, weights)


def share(weights, right, rows):
    return (weights * right)[rows].sum() / weights[rows].sum() if len(rows) else math.nan


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def found(cache):
    return compare(setting(), candidate("entropy"), others("random", "coreset", "jlp"), cache=cache)


@pytest.fixture(scope="module")
def pools():
    """The pools of an ordinary run with the reference."""
    seen, keys = Recording(), {**KEYS, "acquisition": "recording"}
    run_cycles(DATA, seen, SUPERVISED, NETWORK, PROTOCOL, 0, keys=keys, cache=Cache(None), progress=SilentProgress())
    return seen.pools


@pytest.mark.parametrize("unlabelled", [False, True])
@pytest.mark.parametrize("name", ["random", "coreset", "jlp"])
def test_the_numbers_are_those_of_the_definitions(cache, pools, name, unlabelled):
    result = compare(setting(unlabelled=unlabelled), candidate("entropy"), others(name), cache=cache)[name]
    assert [(c.cycle, c.n_labelled, c.n_unlabelled) for c in result] == [(0, 4, 76), (1, 8, 72)]
    for comparison, pool in zip(result, pools, strict=True):
        rng = [generator(0, "acquisition", comparison.cycle) for _ in range(2)]
        first, second = Entropy().select(pool, 4, rng[0]), METHODS[name].select(pool, 4, rng[1])
        truth = DATA.train_labels[pool.positions]
        (z1, w1), (z2, w2) = (brute_pseudo_labels(pool, picks, truth) for picks in (first, second))
        hidden = set(pool.unlabelled.tolist()) - (set() if unlabelled else {*first.tolist(), *second.tolist()})
        u = np.array(sorted(hidden))
        t, w, same = truth, (w1 + w2) / 2, [i for i in u if z1[i] == z2[i]]
        differ = [i for i in u if z1[i] != z2[i]]
        expected = {
            "agree": len(same) / len(u),
            "agree_weighted": w[same].sum() / w[u].sum(),
            "accuracy": share(w, z2 == t, u),
            "accuracy_reference": share(w, z1 == t, u),
            "accuracy_equal": share(w, z2 == t, same),
            "accuracy_unequal": share(w, z2 == t, differ),
            "accuracy_unequal_reference": share(w, z1 == t, differ),
            "weight_equal": w[same].mean(),
            "weight_unequal": w[differ].mean() if differ else math.nan,
            "overlap": len({*first.tolist()} & {*second.tolist()}) / 4,
            "unreached": 0.0,
        }
        for measured, value in expected.items():
            assert comparison.values[measured] == pytest.approx(value, abs=1e-4, nan_ok=True), measured
    assert differ or name != "coreset"  # the subset is not always empty


def test_ranks_are_the_order_of_all_picks(found, pools):
    for comparison, pool in zip(found["coreset"], pools, strict=True):
        unlabelled, rng = pool.unlabelled.tolist(), np.random.default_rng(0)
        orders = [method.select(pool, len(unlabelled), rng).tolist() for method in (Entropy(), CoreSet())]
        expected = [[order.index(i) for i in unlabelled] for order in orders]
        assert comparison.ranks.tolist() == expected  # fewer than 200: all are kept
        assert comparison.ranked_by == (study.PICKS, study.PICKS)


def test_an_acquisition_agrees_with_itself(cache):
    twin = {"twin": candidate("entropy", label="twin")}
    for comparison in compare(setting(), candidate("entropy"), twin, cache=cache)["twin"]:
        values = comparison.values
        ones = ("agree", "agree_weighted", "overlap", "jaccard", "spearman", "kendall")
        assert [values[name] for name in ones] == pytest.approx([1] * 6)
        assert values["accuracy"] == values["accuracy_reference"] == values["accuracy_equal"]
        assert math.isnan(values["accuracy_unequal"])
        assert math.isnan(values["weight_unequal"])


def test_the_second_time_nothing_is_loaded_or_trained(cache, found):
    def refuse():
        raise AssertionError("the dataset is loaded again")

    again = compare(setting(load=refuse), candidate("entropy"), others("random", "coreset", "jlp"), cache=cache)
    for label, comparisons in found.items():
        for a, b in zip(comparisons, again[label], strict=True):
            assert np.array_equal(a.ranks, b.ranks)
            assert {k: repr(v) for k, v in a.values.items()} == {k: repr(v) for k, v in b.values.items()}
            facts = ("seed", "cycle", "n_labelled", "n_unlabelled", "ranked_by")
            assert [getattr(a, name) for name in facts] == [getattr(b, name) for name in facts]


def test_models_are_those_of_an_ordinary_run(tmp_path):
    """The study trains nothing that the reference's own run has trained."""
    cache, keys = Cache(tmp_path), {**KEYS, "acquisition": {"name": "entropy"}}
    run_cycles(DATA, Entropy(), SUPERVISED, NETWORK, PROTOCOL, 0, keys=keys, cache=cache, progress=SilentProgress())
    before = set(tmp_path.iterdir())
    compare(setting(learning=None), candidate("entropy"), others("random"), cache=cache)
    assert len(set(tmp_path.iterdir()) - before) == 2  # one comparison with its key


def test_the_labels_of_a_long_tailed_pool_are_its_own(tmp_path):
    images = DATA.train_images.copy()
    images[:, 0, 0, 0] = DATA.train_labels
    tagged = dataclasses.replace(DATA, train_images=images)
    changes = {"protocol": dataclasses.replace(PROTOCOL, imbalance=3.0), "learning": Supervised(epochs=40)}
    changes["load"] = lambda: tagged
    views = study._views(setting(**changes), candidate("entropy"), Cache(tmp_path), SilentProgress())
    assert len(views) == 2
    for view in views:
        n = len(view.pool.labels)
        assert n < 80
        assert view.truth.tolist() == view.pool.images(np.arange(n))[:, 0, 0, 0].tolist()
    changes.pop("load")
    (first, _) = compare(setting(**changes), candidate("entropy"), others("random"), cache=Cache(tmp_path))["random"]
    assert first.n_unlabelled == len(views[0].pool.unlabelled)


def test_a_composed_acquisition_chooses_by_the_part_of_the_cycle(cache, found):
    from harness.registry import load_registry

    method = load_registry().create("acquisition", "random + coreset")
    both = {"both": candidate("random + coreset", method)}
    first, second = compare(setting(), candidate("entropy"), both, cache=cache)["both"]
    assert first.values["agree"] == found["random"][0].values["agree"]
    assert first.values["spearman"] == found["random"][0].values["spearman"]
    assert second.values["agree"] == found["coreset"][1].values["agree"]
    assert second.values["spearman"] == found["coreset"][1].values["spearman"]
    assert candidate("random + coreset", method).at(5) == ("coreset", CoreSet())


def test_large_pools_are_ranked_by_surrogates_or_not_at_all(tmp_path, monkeypatch, pools):
    monkeypatch.setattr(study, "RANK_LIMIT", 50)
    monkeypatch.setattr(study, "_LEAST", 10)
    names = ("coreset", "jlp", "badge", "random")
    result = compare(setting(), candidate("entropy"), others(*names), cache=Cache(tmp_path))
    assert {name: found[0].ranked_by[1] for name, found in result.items()} == {
        "coreset": "distance to the labelled set",
        "jlp": "one-shot jlp score",
        "badge": study.NOT_RANKED,
        "random": study.PICKS,
    }
    assert result["badge"][0].ranks.shape == (2, 0)
    assert math.isnan(result["badge"][0].values["spearman"])
    assert result["coreset"][0].ranks.shape == (2, 10)  # 10 at least, or 5%
    pool = pools[0]
    z = pool.features.astype(np.float64)
    distances = [min(((z[i] - z[j]) ** 2).sum() for j in pool.labelled) for i in pool.unlabelled]
    system = np.eye(80) - 0.99 * pool.affinity.toarray()
    reach = np.linalg.solve(system, (pool.labels >= 0).astype(float))[pool.unlabelled]
    rng = generator(0, "scatter", 0)
    shown = np.sort(rng.choice(76, 10, replace=False))
    assert result["coreset"][0].ranks[1].tolist() == np.argsort(np.argsort(-np.array(distances)))[shown].tolist()
    assert result["jlp"][0].ranks[1].tolist() == np.argsort(np.argsort(reach))[shown].tolist()


def test_equal_scores_are_ranked_by_position():
    pool = Pool(np.zeros((6, 2)), np.full((6, 2), 0.5), np.array([0, -1, -1, 1, -1, -1]))
    assert np.argsort(study._nearness(pool, CoreSet()), kind="stable").tolist() == [0, 1, 2, 3]


def test_a_pool_that_runs_out_is_measured_as_far_as_it_goes(tmp_path):
    protocol = ActiveProtocol(initial=4, budget=(70, 70), cycles=3)
    result = compare(setting(protocol=protocol), candidate("entropy"), others("random"), cache=Cache(tmp_path))
    first, last = result["random"]
    assert last.n_unlabelled == 6
    assert last.values["overlap"] == 1
    assert math.isnan(last.values["agree"])  # nothing is left


class Twice:
    """Breaks the rules."""

    def select(self, pool, budget, rng):
        return np.repeat(pool.unlabelled[:1], budget)


def test_an_acquisition_that_breaks_the_rules_is_named(cache):
    with pytest.raises(ContractError, match='"twice" picked example'):
        compare(setting(), candidate("entropy"), {"twice": candidate("twice", Twice())}, cache=cache)
