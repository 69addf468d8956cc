"""k-reciprocal encoding against dense matrices and sets in float64, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from searches import searched, unit

from harness.core.errors import Errors, InvalidInput
from harness.registry import load_registry
from harness_evidence.diffusion import dense_k_reciprocal

REGISTRY = load_registry()
SEEDS = pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 220), marks=pytest.mark.slow)], ids=str)


def create(**parameters):
    return REGISTRY.create("expansion", "k-reciprocal", **parameters)


def case(seed):
    """A small database and a query: clusters, some with empty descriptors, twins, or a query that is an image."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 40)), int(rng.integers(2, 9))
    x, q = rng.normal(size=(n, d)), rng.normal(size=(1, d))
    if seed % 3 == 0:
        x += 3 * np.eye(d)[rng.integers(0, d, n)]
    if seed % 7 == 0 and n > 4:
        x[3] = 0
    if seed % 11 == 0 and n > 4:
        x[1], q[0] = x[2], x[0]
    parameters = {"k1": int(rng.integers(1, 25)), "k2": int(rng.integers(1, 10)), "weight": rng.choice([0, 0.3, 1.0])}
    return unit(x), unit(q), parameters


def distances(found, n):
    table = np.empty(n)
    table[found.indices[0]] = 1 - found.scores[0]
    return table


@SEEDS
def test_equals_the_dense_form(seeds):
    for seed in seeds:
        database, query, parameters = case(seed)
        found = create(**parameters).fit(database).expand(query, searched(query, database))
        expected = dense_k_reciprocal(query[0], database, **parameters)
        np.testing.assert_allclose(distances(found, len(database)), expected, atol=2e-6, err_msg=str(seed))
        assert (np.diff(expected[found.indices[0]]) >= -1e-6).all()


@pytest.mark.parametrize("k1", [5, 7])
def test_half_is_rounded_to_even(k1):
    """2 of 5 and 4 of 7: what the reference does with Python's ``round``, which a division by 2 would not."""
    rng = np.random.default_rng(k1)
    database, query = unit(rng.normal(size=(40, 3))), unit(rng.normal(size=(1, 3)))
    found = create(k1=k1, k2=6).fit(database).expand(query, searched(query, database))
    np.testing.assert_allclose(distances(found, 40), dense_k_reciprocal(query[0], database, k1, 6, 0.3), atol=2e-6)


def test_weight_one_is_the_order_of_distances():
    database, query, _ = case(1)
    ranking = searched(query, database)
    found = create(weight=1.0).fit(database).expand(query, ranking)
    np.testing.assert_array_equal(found.indices, ranking.indices)


def test_a_part_of_the_ranking_has_a_graph_of_its_own():
    rng = np.random.default_rng(3)
    database, queries = unit(rng.normal(size=(50, 4))), unit(rng.normal(size=(2, 4)))
    ranking = searched(queries, database)
    found = create(k1=4, k2=2, top=20).fit(database).expand(queries, ranking)
    for row, query in enumerate(queries):
        top = ranking.indices[row][:20]
        expected = dense_k_reciprocal(query, database[top], 4, 2, 0.3)
        np.testing.assert_array_equal(found.indices[row][:20], top[np.argsort(expected, kind="stable")])
        np.testing.assert_array_equal(found.indices[row][20:], ranking.indices[row][20:])
        assert (np.diff(found.scores[row]) <= 0).all()


def test_the_numbers_are_those_of_the_graph_also_where_the_ranking_ends_above_top():
    rng = np.random.default_rng(4)
    database, queries = unit(rng.normal(size=(1000, 4))), unit(rng.normal(size=(2, 4)))
    ranking = searched(queries, database, 100)
    found = create(top=900).fit(database).expand(queries, ranking)
    stated = create(top=900, k1=4, k2=2).fit(database).expand(queries, ranking)
    np.testing.assert_array_equal(found.indices, stated.indices)
    np.testing.assert_array_equal(found.scores, stated.scores)


def test_a_cut_ranking_gives_the_head_of_the_whole():
    rng = np.random.default_rng(5)
    database, queries = unit(rng.normal(size=(60, 4))), unit(rng.normal(size=(3, 4)))
    fitted = create(k1=5).fit(database)
    whole = fitted.expand(queries, searched(queries, database))
    head = fitted.expand(queries, searched(queries, database, 10))
    np.testing.assert_array_equal(head.indices, whole.indices[:, :10])


def test_more_images_than_a_graph_holds_are_refused():
    with pytest.raises(InvalidInput, match="at most 50,000"):
        create().fit(np.zeros((50_001, 1), np.float32))


@pytest.mark.parametrize("given_", [{"k1": 0}, {"k2": 0}, {"weight": 1.5}, {"top": -1}])
def test_bad_parameters_are_refused(given_):
    with pytest.raises(Errors):
        create(**given_)
