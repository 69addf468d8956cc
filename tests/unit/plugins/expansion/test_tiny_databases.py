"""Expansions of no image, of one and of two: a ranking, never an error of numpy."""

from __future__ import annotations

import numpy as np
import pytest
from searches import unit

from harness.plugin_api import Ranking
from harness.registry import load_registry

METHODS = [(name, {}) for name in load_registry(()).names("expansion")]
METHODS += [("diffusion", {"truncation": 3, "truncate": truncate}) for truncate in ("early", "late")]
METHODS += [("diffusion", {"offline": True, "truncation": 3}), ("diffusion", {"transductive": True})]
METHODS += [("k-reciprocal", {"top": 3})]


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize(("name", "parameters"), METHODS)
def test_an_expansion_of_a_tiny_database_ranks_what_there_is(name, parameters, n):
    rng = np.random.default_rng(0)
    database, queries = unit(rng.normal(size=(n, 8))), unit(rng.normal(size=(2, 8)))
    scores = queries @ database.T
    order = np.argsort(-scores, axis=1, kind="stable").astype(np.int64)
    ranking = Ranking(order, np.take_along_axis(scores, order, axis=1))
    fitted = load_registry(()).create("expansion", name, **parameters).fit(database)
    expanded = fitted.expand(queries, ranking)
    assert expanded.indices.shape == (2, n)
    assert (np.sort(expanded.indices, axis=1) == np.arange(n)).all()
    assert np.isfinite(expanded.scores).all()
