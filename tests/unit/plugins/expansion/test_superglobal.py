"""SuperGlobal re-ranking against loops in float64, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from searches import data, searched, unit

from harness.core.errors import Errors
from harness.plugin_api import Ranking
from harness.registry import load_registry
from harness_evidence.expansion import loop_superglobal

REGISTRY = load_registry()
SEEDS = pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 220), marks=pytest.mark.slow)], ids=str)


def create(**parameters):
    return REGISTRY.create("expansion", "superglobal", **parameters)


@SEEDS
def test_equals_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        n, top, k = int(rng.integers(1, 40)), int(rng.choice([1, 5, 400])), int(rng.choice([0, 1, 3, 60]))
        beta, depth = rng.choice([0.0, 0.15, 2.0]), [None, 7][seed % 2]
        database, queries = data(n, seed=seed)
        ranking = searched(queries, database, depth)
        found = create(top=top, k=k, beta=beta).fit(database).expand(queries, ranking)
        for row, query in enumerate(queries):
            ids, scores = loop_superglobal(query, database, ranking.indices[row], top, k, beta)
            m = len(ids)
            gaps = np.abs(np.diff(scores)) > 1e-6
            clear = np.concatenate([[True], gaps]) & np.concatenate([gaps, [True]])
            assert (found.indices[row][:m][clear] == np.array(ids)[clear]).all()
            np.testing.assert_allclose(found.scores[row][:m] - found.scores[row][m - 1], scores - scores[-1], atol=2e-6)
            assert (found.indices[row][m:] == ranking.indices[row][m:]).all()
            assert (found.scores[row][m:] == ranking.scores[row][m:]).all()
            assert (np.diff(found.scores[row]) <= 0).all()


def test_negative_neighbours_weigh_negatively_and_a_mean_without_weight_is_the_image():
    database = unit([[1, 0], [-1, 0], [-1, 0.2]])
    ranking = searched(database[:1], database)
    found = create(k=2, beta=2.0).fit(database).expand(database[:1], ranking)  # 1 - 2 - 1.96 < 0: left as it is
    ids, scores = loop_superglobal(database[0], database, ranking.indices[0], 400, 2, 2.0)
    assert found.indices[0].tolist() == ids
    np.testing.assert_allclose(found.scores[0] - found.scores[0][-1], scores - scores[-1], atol=1e-6)


def test_beta_zero_keeps_the_direction_of_the_query_and_adds_what_the_best_share():
    database, queries = data(30)
    found = create(k=0, beta=0.0).fit(database).expand(queries, searched(queries, database))
    for row, query in enumerate(queries):
        best = database[np.argmax(database @ query)]
        expected = database @ (query + best) / 2
        np.testing.assert_allclose(
            found.scores[row] - found.scores[row][-1], expected[found.indices[row]] - expected.min(), atol=2e-6
        )


def test_images_without_descriptor_stay_without_and_change_nothing():
    database, _ = data(12)
    blank = np.vstack([database, np.zeros((2, 6), np.float32)])
    query = unit([np.abs(database).mean(axis=0)])
    ranking = Ranking(np.array([[12, *range(12), 13]]), np.zeros((1, 14), np.float32))
    found = create(k=3).fit(blank).expand(query, ranking)
    plain = create(k=3).fit(database).expand(query, Ranking(np.arange(12)[None], np.zeros((1, 12), np.float32)))
    assert [i for i in found.indices[0] if i < 12] == plain.indices[0].tolist()


def test_twins_are_tied_where_they_were_and_keep_their_order():
    database, queries = data(8)
    twice = np.repeat(database, 2, axis=0)
    found = create(k=3).fit(twice).expand(queries, searched(queries, twice))
    for ids, ties in zip(found.indices, found.tied, strict=True):
        assert (ids[::2] // 2 == ids[1::2] // 2).all()
        assert (ids[::2] < ids[1::2]).all()
        assert (ties[::2] == ties[1::2]).all()


def test_a_query_alone_gets_the_same_bits_as_among_others():
    database, queries = data(50, q=9)
    ranking, fitted = searched(queries, database), create(top=20).fit(database)
    together = fitted.expand(queries, ranking)
    alone = fitted.expand(queries[[4]], Ranking(ranking.indices[[4]], ranking.scores[[4]]))
    assert (alone.indices[0] == together.indices[4]).all()
    assert (alone.scores[0] == together.scores[4]).all()


@pytest.mark.parametrize("given_", [{"top": 0}, {"k": -1}, {"beta": -0.1}])
def test_bad_parameters_are_refused(given_):
    with pytest.raises(Errors):
        create(**given_)
