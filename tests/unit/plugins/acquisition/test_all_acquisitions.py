"""What holds for every registered acquisition: no list kept by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness.plugin_api import LinearHead
from harness.plugin_api.contract import require_picks
from harness.registry import load_registry
from harness.registry.parameters import describe

REGISTRY = load_registry()
# All but those that cannot choose without being told from what (replay).
NAMES = [
    name
    for name in REGISTRY.names("acquisition")
    if all(parameter.default is not None for parameter in describe(REGISTRY.entry("acquisition", name).load()))
]


HEAVY = {"batch-bald", "activeft", "bait"}
NEED_LABELS = {"jlp", "dal", "galaxy", "alfa-mix"}
KINDS = [
    "plain",
    "duplicates",
    "all alike",
    "equal probabilities",
    "certain",
    "class without a label",
    "one class labelled",
    "some zeros",
    "all zeros",
    "one left",
    "none left",
]


def case(kind="plain", n=120, c=4, d=8):
    rng = np.random.default_rng(7)
    features = rng.normal(size=(n, d)).astype(np.float32)
    probabilities = rng.dirichlet(np.ones(c), n).astype(np.float32)
    labels = np.full(n, -1)
    labels[rng.choice(n, 12, replace=False)] = np.arange(12) % c
    if kind == "duplicates":
        features[:] = features[rng.integers(0, 10, n)]
    elif kind == "all alike":
        features[:], probabilities[:] = features[0], probabilities[0]
    elif kind == "equal probabilities":
        probabilities[:] = 1 / c
    elif kind == "certain":
        probabilities[:] = np.eye(c)[rng.integers(0, c, n)]
    elif kind == "class without a label":
        labels[labels == 0] = 1
    elif kind == "one class labelled":
        labels[labels >= 0] = 2
    elif kind == "some zeros":
        features[:30] = 0
    elif kind == "all zeros":
        features[:] = 0
    elif kind in ("one left", "none left"):
        labels[:] = np.where(np.arange(n) == 50, -1, 0)
        labels[50] = -1 if kind == "one left" else 3
    images = rng.integers(0, 255, (n, 1, 8, 8), dtype=np.uint8)

    def dropout(t):
        shares = np.linspace(0.5, 1, t, dtype=np.float32)[:, None, None]
        return shares * probabilities + (1 - shares) / c

    head = LinearHead(rng.normal(size=(c, d)).astype(np.float32), np.zeros(c, np.float32))
    return Pool(features, probabilities, labels, images, dropout, head=lambda: head)


def select(name, pool, budget, seed=0):
    picks = REGISTRY.create("acquisition", name).select(pool, budget, np.random.default_rng(seed))
    assert picks.dtype == np.int64
    return require_picks(name, picks, pool, min(budget, len(pool.unlabelled)))


def test_all_of_the_specification_are_registered():
    expected = "random entropy margin least-confidence coreset jlp bald badge kmeans typiclust probcover dal"
    assert set(expected.split()) <= set(NAMES)


def test_each_says_what_it_costs():
    assert [name for name in NAMES if "O(" not in REGISTRY.entry("acquisition", name).load().__doc__] == []


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in HEAVY else n for n in NAMES])
@pytest.mark.parametrize("kind", KINDS)
def test_unlabelled_unique_and_exactly_the_budget_or_all_that_is_left(name, kind):
    pool = case(kind)
    left = len(pool.unlabelled)
    for budget in (0, 1, 10, max(0, left - 1), left + 5):
        select(name, pool, budget)


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_beyond_the_pool_is_all_that_is_left(name):
    pool = case()
    everything = select(name, pool, len(pool.unlabelled))
    np.testing.assert_array_equal(select(name, pool, 1000), everything)
    np.testing.assert_array_equal(np.sort(everything), pool.unlabelled)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_picks_and_nothing_is_changed(name):
    pool, twin, untouched = case(), case(), case()
    first = select(name, pool, 10)
    assert select(name, pool, 10).tolist() == first.tolist()
    assert select(name, twin, 10).tolist() == first.tolist()
    for array in ("features", "probabilities", "labels", "labelled", "unlabelled"):
        np.testing.assert_array_equal(getattr(pool, array), getattr(untouched, array))


@pytest.mark.parametrize("name", NAMES)
def test_the_picks_are_the_callers_own(name):
    pool = case()
    for budget in (10, len(pool.unlabelled)):
        select(name, pool, budget)[:] = 0
    np.testing.assert_array_equal(pool.unlabelled, case().unlabelled)


@pytest.mark.parametrize("name", NAMES)
def test_the_global_generators_are_left_alone(name):
    np.random.seed(0)
    torch.manual_seed(0)
    before, of_torch = np.random.get_state(), torch.get_rng_state()
    select(name, case(), 5)
    after = np.random.get_state()
    assert after[1].tolist() == before[1].tolist()
    assert after[2:] == before[2:]
    assert torch.equal(torch.get_rng_state(), of_torch)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_global_generators_hold_does_not_matter(name):
    found = []
    for seed in (0, 1):
        np.random.seed(seed)
        torch.manual_seed(seed)
        found.append(select(name, case(), 20).tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_budget_is_refused(name):
    with pytest.raises(InvalidInput, match="-1"):
        REGISTRY.create("acquisition", name).select(case(), -1, np.random.default_rng(0))


@pytest.mark.parametrize("name", NAMES)
def test_without_any_label_it_works_or_says_that_it_cannot(name):
    model = case()
    given = (model.features, model.probabilities, np.full(120, -1), model.images, model.dropout_probabilities)
    pool = Pool(*given, head=lambda: model.head)
    if name in NEED_LABELS:
        with pytest.raises(InvalidInput, match="at least one labelled"):
            select(name, pool, 5)
        assert len(select(name, pool, 0)) == 0
    else:
        for budget in (0, 5, 120, 121):
            select(name, pool, budget)


@pytest.mark.parametrize("name", ["entropy", "margin", "least-confidence"])
def test_the_fast_scores_rank_as_float64_ones(name):
    """Probabilities on a coarse grid, with noise in the last digits: ties and near ties everywhere."""
    rng = np.random.default_rng(3)
    p = np.round(rng.dirichlet(np.full(5, 0.3), 3000), 1).astype(np.float32)
    p[1000:] = np.maximum(p[1000:] * (1 + rng.integers(-2, 3, (2000, 5)) * np.float32(6e-8)), 0)
    exact = p.astype(np.float64)
    ordered = np.sort(exact, axis=1)
    logarithm = np.log(exact, out=np.zeros_like(exact), where=exact > 0)
    scores = {
        "entropy": -(exact * logarithm).sum(axis=1),
        "margin": -(ordered[:, -1] - ordered[:, -2]),
        "least-confidence": -ordered[:, -1],
    }[name]
    pool = Pool(np.zeros((3000, 1)), p, np.full(3000, -1))
    for budget in (1, 50, 1500, 3000):
        picks = select(name, pool, budget)
        # The order of a sum may move a tie by 1e-15; beyond that the order is that of float64, equals by position.
        assert (np.diff(scores[picks]) <= 1e-14).all()
        assert scores[picks].min() >= np.delete(scores, picks).max(initial=-np.inf) - 1e-14
        if name != "entropy":
            assert picks.tolist() == np.argsort(-scores, kind="stable")[:budget].tolist()


def test_entropy_and_friends_by_hand():
    p = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.4, 0.3, 0.3], [0.9, 0.1, 0.0], [0.4, 0.3, 0.3]])
    pool = Pool(np.zeros((5, 1)), p, np.full(5, -1))
    assert select("entropy", pool, 5).tolist() == [2, 4, 0, 3, 1]
    assert select("margin", pool, 5).tolist() == [0, 2, 4, 3, 1]
    assert select("least-confidence", pool, 5).tolist() == [2, 4, 0, 3, 1]


def test_random_is_uniform():
    pool = case()
    counts = np.zeros(120)
    for seed in range(400):
        counts[select("random", pool, 27, seed)] += 1
    expected = 400 * 27 / 108
    chi2 = ((counts[pool.unlabelled] - expected) ** 2 / expected).sum()
    assert 60 < chi2 < 160  # 107 degrees of freedom


def test_jlp_equals_a_dense_solve_after_every_pick():
    pool = case()
    s = pool.affinity.toarray().astype(np.float64)
    inverse = np.linalg.inv(np.eye(120) - 0.99 * s)
    labelled, free, expected = pool.labelled.tolist(), pool.unlabelled.tolist(), []
    for _ in range(20):
        u = inverse[:, labelled].sum(axis=1)
        pick = min(free, key=lambda i: (round(u[i], 9), i))
        expected.append(pick)
        labelled.append(pick)
        free.remove(pick)
    assert select("jlp", pool, 20).tolist() == expected
