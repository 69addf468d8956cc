"""What the expansions take where their numbers are left to the size of the database."""

from __future__ import annotations

import numpy as np
import pytest
from searches import data, searched

from harness_expansion.alphaqe import AlphaQE
from harness_expansion.aqe import AQE
from harness_expansion.aqe_decay import AQEDecay
from harness_expansion.dba_decay import DBADecay
from harness_expansion.diffusion import Diffusion
from harness_expansion.dqe import DQE
from harness_expansion.egt import EGT
from harness_expansion.k_reciprocal import KReciprocal
from harness_expansion.regional import RegionalDiffusion
from harness_expansion.rocchio import Rocchio
from harness_expansion.sizes import alpha_of
from harness_expansion.superglobal import SuperGlobal


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(1, (5, 3, 0.0)), (100, (5, 3, 0.8)), (400, (20, 8, 0.9)), (10_000, (50, 10, 0.98)), (40_000, (50, 10, 0.99))],
)
def test_small_databases_have_fewer_neighbours_and_spread_less(n, sizes):
    assert Diffusion().sizes(n) == pytest.approx(sizes)


def test_what_is_stated_counts_and_presets_are_as_published():
    assert Diffusion(k=7, alpha=0.5).sizes(100) == (7, 3, 0.5)
    assert Diffusion(preset="thesis").sizes(100) == (50, 10, 0.99)
    assert Diffusion(preset="released-code", kq=3).sizes(100) == (50, 3, 0.99)
    assert RegionalDiffusion(preset="thesis").sizes(100) == (200, 200, 0.99)
    assert RegionalDiffusion().sizes(2000)[:2] == (100, 100)


def test_the_spread_never_falls_with_the_size():
    spreads = [alpha_of(n) for n in range(0, 50_000, 500)]
    assert spreads == sorted(spreads)


@pytest.mark.parametrize(("method", "n", "k"), [(AQE, 50, 1), (AQE, 500, 5), (AQE, 5000, 10), (AlphaQE, 500, 10)])
def test_means_over_few_images_in_small_databases(method, n, k):
    database = np.eye(n, 2, dtype=np.float32)
    assert method().fit(database).k == k
    assert method(preset="thesis").fit(database).k == (10 if method is AQE else 50)


@pytest.mark.parametrize(("method", "k"), [(AQE, 4), (AlphaQE, 9)])
def test_the_size_is_that_of_the_database_that_a_query_searches(method, k):
    """As where an expansion is fitted again without the query's own image."""
    fitted = method().fit(np.eye(500, 2, dtype=np.float32)).without(np.array([3]))
    assert fitted.k == method().fit(np.eye(499, 2, dtype=np.float32)).k == k


@pytest.mark.parametrize(
    ("method", "preset", "published"),
    [
        (AQEDecay, "released-code", {"k": 8}),
        (DBADecay, "released-code", {"k": 8}),
        (DQE, "released-code", {"k": 20}),
        (EGT, "released-code", {"k": 50, "threshold": 0.42}),
        (KReciprocal, "paper", {"k1": 20, "k2": 6}),
        (SuperGlobal, "released-code", {"k": 9}),
    ],
)
@pytest.mark.parametrize("n", [12, 60, 150])
def test_a_preset_is_its_numbers_and_the_default_has_others_on_few_images(method, preset, published, n):
    database, queries = data(n, d=8)
    ranking = searched(queries, database)

    def found(**parameters):
        ranked = method(**parameters).fit(database).expand(queries, ranking)
        return np.stack([ranked.indices, ranked.scores])

    named = found(preset=preset)
    np.testing.assert_array_equal(named, found(preset=preset, **published))
    assert (named != found()).any()


@pytest.mark.parametrize(
    ("method", "of_60", "of_400", "of_100_000"),
    [
        (AQEDecay, {"k": 2}, {"k": 8}, {"k": 8}),
        (DBADecay, {"k": 1}, {"k": 2}, {"k": 8}),
        (DQE, {"k": 1}, {"k": 1}, {"k": 20}),
        (Rocchio, {"k": 1}, {"k": 4}, {"k": 10}),
        (SuperGlobal, {"k": 0}, {"k": 0}, {"k": 9}),
        (KReciprocal, {"k1": 4, "k2": 2}, {"k1": 5, "k2": 2}, {"k1": 20, "k2": 6}),
    ],
)
def test_numbers_that_suit_the_size(method, of_60, of_400, of_100_000):
    for n, stated in ((60, of_60), (400, of_400)):
        database, queries = data(n, d=8)
        ranking = searched(queries, database)
        automatic = method().fit(database).expand(queries, ranking)
        np.testing.assert_array_equal(automatic.scores, method(**stated).fit(database).expand(queries, ranking).scores)
    of_many = method().sizes(100_000) if method is KReciprocal else (method().k_of(100_000),)
    assert of_many == tuple(of_100_000.values())
