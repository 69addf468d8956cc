from __future__ import annotations

import numpy as np
import pytest
from small_pools import SEVERAL, small_pool

from harness.active import Pool
from harness_acquisition.bait import Bait, information, reduced

RNG = np.random.default_rng


def predictions(pool):
    p = pool.probabilities.astype(np.float64)
    return p / p.sum(axis=1, keepdims=True)


def roots(z, p):
    """V (n, c, cd): the information of example i is V_i^T V_i."""
    c = p.shape[1]
    return np.array([[np.kron(np.sqrt(q[k]) * (np.eye(c)[k] - q), x) for k in range(c)] for x, q in zip(z, p, strict=True)])  # noqa: E501  # fmt: skip


def slow(pool, budget, regularisation):
    """With all matrices written down."""
    v = roots(pool.features.astype(np.float64), predictions(pool))
    (_, c, size), known = v.shape, pool.labelled
    fisher = sum(one.T @ one for one in v) / len(v)
    total = len(known) + budget
    of_labels = sum((v[i].T @ v[i] for i in known), np.zeros((size, size))) / total
    inverse, w = np.linalg.inv(regularisation * np.eye(size) + of_labels), v * np.sqrt(budget / total)

    def score(i, sign):
        middle = np.linalg.inv(sign * np.eye(c) + w[i] @ inverse @ w[i].T)
        return float(np.trace(w[i] @ inverse @ fisher @ inverse @ w[i].T @ middle)), middle

    picked, free = [], pool.unlabelled.tolist()
    for _ in range(min(2 * budget, len(free))):
        scores = [score(i, 1)[0] for i in free]
        place = next(p for p, s in enumerate(scores) if s >= max(scores) - 1e-9 * abs(max(scores)))
        picked.append(free.pop(place))
        inverse = inverse - inverse @ w[picked[-1]].T @ score(picked[-1], 1)[1] @ w[picked[-1]] @ inverse
    while len(picked) > budget:
        losses = {i: -score(i, -1)[0] for i in picked}
        least = min(losses.values())
        gone = min(i for i, loss in losses.items() if loss <= least + 1e-9 * abs(least))
        inverse = inverse - inverse @ w[gone].T @ score(gone, -1)[1] @ w[gone] @ inverse
        picked.remove(gone)
    return picked


@SEVERAL
def test_picks_are_those_of_whole_matrices(cases):
    for seed, kind in cases:
        pool, budget = small_pool(seed, kind)
        budget, left = min(budget, 3), pool.unlabelled
        regularisation = (1.0, 0.01)[seed % 2]
        picks = Bait(regularisation=regularisation).select(pool, budget, RNG(0)).tolist()
        if kind == "certain" or budget == len(left):  # nothing is known of anything: all scores are 0
            assert len(set(picks)) == budget
        else:
            assert picks == slow(pool, budget, regularisation), (seed, kind)


def test_information_is_the_sum_of_squared_roots():
    pool, _ = small_pool(3)
    z, p = pool.features.astype(np.float64), predictions(pool)
    np.testing.assert_allclose(information(z, p), sum(v.T @ v for v in roots(z, p)), atol=1e-9)


def test_many_dimensions_become_principal_components_with_a_warning():
    features = RNG(0).normal(size=(30, 50)).astype(np.float32) * np.linspace(3, 0.1, 50, dtype=np.float32)
    with pytest.warns(UserWarning, match="40 principal components"):
        z = reduced(features, 100)
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    whole = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(z, axis=0)[:29], whole[:29], rtol=1e-6)


def test_candidates_are_drawn_by_the_seed():
    pool, _ = small_pool(4)
    drawn = np.sort(RNG(5).choice(pool.unlabelled, 6, replace=False))
    assert set(Bait(candidates=6).select(pool, 2, RNG(5))) <= set(drawn)
    assert len(Bait(candidates=1).select(Pool(pool.features, pool.probabilities, pool.labels), 4, RNG(0))) == 4
