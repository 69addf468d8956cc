"""What holds for every registered acquisition: no list kept by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.active.contract import check_selection
from harness.errors import InvalidInput
from harness.registry import load_registry

REGISTRY = load_registry()
NAMES = REGISTRY.names("acquisition")


def case(kind="plain", n=120, c=4, d=8):
    rng = np.random.default_rng(7)
    features = rng.normal(size=(n, d)).astype(np.float32)
    probabilities = rng.dirichlet(np.ones(c), n).astype(np.float32)
    labels = np.full(n, -1)
    labels[rng.choice(n, 12, replace=False)] = np.arange(12) % c
    if kind == "duplicates":
        features[:] = features[rng.integers(0, 10, n)]
    elif kind == "equal probabilities":
        probabilities[:] = 1 / c
    elif kind == "class without a label":
        labels[labels == 0] = 1
    elif kind == "zeros":
        features[:30] = 0
    images = rng.integers(0, 255, (n, 1, 8, 8), dtype=np.uint8)
    return Pool(features, probabilities, labels, images, lambda t: np.stack([probabilities] * t))


def select(name, pool, budget, seed=0):
    picks = REGISTRY.create("acquisition", name).select(pool, budget, np.random.default_rng(seed))
    return check_selection(name, picks, pool, budget)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["plain", "duplicates", "equal probabilities", "class without a label", "zeros"])
@pytest.mark.parametrize("budget", [0, 1, 10, "all"])
def test_unlabelled_unique_and_exactly_the_budget(name, kind, budget):
    pool = case(kind)
    size = len(pool.unlabelled) if budget == "all" else budget
    picks = REGISTRY.create("acquisition", name).select(pool, size, np.random.default_rng(0))
    assert picks.dtype == np.int64
    check_selection(name, picks, pool, size)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_picks_and_nothing_is_changed(name):
    pool, twin = case(), case()
    first = select(name, pool, 10)
    assert select(name, pool, 10).tolist() == first.tolist()
    assert select(name, twin, 10).tolist() == first.tolist()
    for array in ("features", "probabilities", "labels"):
        np.testing.assert_array_equal(getattr(pool, array), getattr(twin, array))


@pytest.mark.parametrize("name", NAMES)
def test_the_global_generators_are_left_alone(name):
    np.random.seed(0)
    before = np.random.get_state()[1].tolist()
    select(name, case(), 5)
    assert np.random.get_state()[1].tolist() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("budget", [-1, 109])
def test_a_budget_that_cannot_be_spent_is_refused(name, budget):
    with pytest.raises(InvalidInput, match=str(budget)):
        REGISTRY.create("acquisition", name).select(case(), budget, np.random.default_rng(0))


@pytest.mark.parametrize("name", NAMES)
def test_without_any_label_it_works_or_says_that_it_cannot(name):
    labelled = case()
    pool = Pool(labelled.features, labelled.probabilities, np.full(120, -1), labelled.images)
    needs_labels = {"jlp", "dal"}
    if name in needs_labels:
        with pytest.raises(InvalidInput, match="at least one labelled"):
            select(name, pool, 5)
    else:
        select(name, pool, 5)


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
