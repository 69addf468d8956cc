"""jLP's presets and graph against what they say, written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import cg

from harness.active.pool import Pool
from harness.graph import affinity, normalise
from harness_acquisition.jlp import JointLabelPropagation
from harness_evidence.graphs import slow_jlp


def pool(n=300, labelled=12, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((12, 16))[rng.integers(12, size=n)] + 0.6 * rng.standard_normal((n, 16))
    labels = np.full(n, -1)
    labels[rng.choice(n, labelled, replace=False)] = np.arange(labelled) % 3
    return Pool(features.astype(np.float32), np.full((n, 3), 1 / 3, np.float32), labels)


def by_scipy(pool, budget, **settings):
    """One solve a pick on the graph of all neighbours, as the released code does it."""
    s = normalise(affinity(pool.features, 50, 3, mode="union")).astype(np.float64)
    system = csr_array(eye_array(s.shape[0], format="csr") - 0.99 * s)
    known, picks = (pool.labels >= 0).astype(float), []
    for _ in range(budget):
        u = cg(system, known, atol=0, **settings)[0]
        u[known > 0] = np.inf
        picks.append(int(np.argmin(u)))
        known[picks[-1]] = 1
    return picks


def test_released_code_cuts_each_solve_short():
    given = pool()
    found = JointLabelPropagation(preset="released-code").select(given, 25, np.random.default_rng(0))
    assert found.tolist() == by_scipy(given, 25, rtol=1e-6, maxiter=20)


def test_presets_pick_differently():
    given = pool()
    picks = {
        preset: JointLabelPropagation(preset=preset).select(given, 40, np.random.default_rng(0)).tolist()
        for preset in ("recommended", "thesis", "released-code")
    }
    assert picks["recommended"] == picks["thesis"] != picks["released-code"]


@pytest.mark.parametrize(("k", "gamma"), [(50, 3.0), (8, 3.0), (50, 1.0)])
def test_k_and_gamma_are_those_of_the_graph(k, gamma):
    given = pool()
    graph = normalise(affinity(given.features, k, gamma)).toarray().astype(np.float64)
    found = JointLabelPropagation(k=k, gamma=gamma).select(given, 15, np.random.default_rng(0))
    assert found.tolist() == slow_jlp(graph, given.labelled, 15)
