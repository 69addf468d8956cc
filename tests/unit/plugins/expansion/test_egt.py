"""Explore-exploit traversal against a loop over all edges, and its edges in the other sense."""

from __future__ import annotations

import numpy as np
import pytest
from searches import data, searched, unit

from harness.core.errors import Errors
from harness.registry import load_registry
from harness_evidence.diffusion import loop_egt

REGISTRY = load_registry()
SEEDS = pytest.mark.parametrize("seeds", [range(12), pytest.param(range(200), marks=pytest.mark.slow)], ids=str)


def create(**parameters):
    return REGISTRY.create("expansion", "egt", **parameters)


def angles(*degrees):
    return unit(np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1))


@SEEDS
def test_the_order_equals_that_of_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        n, k, top = int(rng.integers(1, 40)), int(rng.choice([1, 2, 5, 60])), int(rng.choice([1, 5, 1000]))
        threshold = float(rng.choice([-1.0, 0.2, 0.42, 0.9, 1.0]))
        database, queries = data(n, seed=seed)
        whole = searched(queries, database)
        depth = [None, 7][seed % 2]
        found = (
            create(k=k, threshold=threshold, top=top).fit(database).expand(queries, searched(queries, database, depth))
        )
        for row, query in enumerate(queries):
            expected = loop_egt(query, database, whole.indices[row], k, threshold, top, depth)
            assert found.indices[row].tolist() == expected[:depth], seed
            assert (np.diff(found.scores[row]) <= 0).all()


def test_a_chain_is_followed_to_its_end_before_a_weaker_edge():
    """From 0 degrees over 20 to 60; the image at -35 is nearer to the query than that at 60."""
    database = angles(20, 40, 60, -35)
    query = angles(0)
    fitted = create(k=2, threshold=0.5).fit(database)
    ranking = searched(query, database)
    assert ranking.indices[0].tolist() == [0, 3, 1, 2]
    assert create(k=1, threshold=0.7).fit(database).expand(query, ranking).indices[0].tolist() == [0, 1, 2, 3]
    # With two edges of the query both are above the threshold, and followed at once.
    assert fitted.expand(query, ranking).indices[0].tolist() == [0, 3, 1, 2]
    # Above it nothing is followed but the strongest edge of what is known by then.
    assert create(k=2, threshold=0.99).fit(database).expand(query, ranking).indices[0].tolist() == [0, 1, 2, 3]


def test_what_is_not_reached_keeps_its_order_and_has_score_0():
    database = angles(0, 1, 90, 91, 180, 181)
    ranking = searched(angles(10), database)
    found = create(k=1).fit(database).expand(angles(10), ranking)
    assert found.indices[0].tolist() == [1, 0, 2, 3, 4, 5]
    assert found.scores[0].tolist() == [2, 1, 0, 0, 0, 0]
    assert len(set(found.tied[0].tolist())) == 6


def test_no_more_images_than_asked_for_are_moved():
    database, queries = data(30)
    ranking = searched(queries, database)
    found = create(k=3, top=4).fit(database).expand(queries, ranking)
    assert ((found.scores > 0).sum(axis=1) == 4).all()


def test_twins_are_tied_where_they_were():
    database, queries = data(8)
    twice = np.repeat(database, 2, axis=0)
    found = create(k=4, threshold=0.42).fit(twice).expand(queries, searched(queries, twice))
    assert (found.indices[:, 0] // 2 == found.indices[:, 1] // 2).all()
    assert (found.tied[:, 0] == found.tied[:, 1]).all()


def test_which_of_equal_edges_is_followed_does_not_depend_on_where_a_ranking_is_cut():
    """Points of a grid: many edges equal others, and rankings of 6 list few of their ends."""
    compared = 0
    for seed in (3, 5, 7, 9, 17):
        rng = np.random.default_rng(seed)
        points = dict.fromkeys(map(tuple, rng.integers(-1, 2, (60, 3)).tolist()))
        database = unit(np.array([*points]) + np.array([2.5, 0, 0]))
        queries = unit(rng.normal(size=(8, 3)) + np.array([2.5, 0, 0]))
        fitted = create(k=2, threshold=0.999).fit(database)
        whole = fitted.expand(queries, searched(queries, database))
        cut = fitted.expand(queries, searched(queries, database, 6))
        for all_of_it, tied, some in zip(whole.indices, whole.tied, cut.indices, strict=True):
            end = next(m for m in range(6, -1, -1) if m == 0 or tied[m - 1] != tied[m])  # no tie goes on after it
            assert set(some[:end].tolist()) == set(all_of_it[:end].tolist()), seed
            compared += end
    assert compared > 100


def test_a_query_alone_gets_the_same_order_as_among_others_and_no_query_is_no_answer():
    database, queries = data(50, q=9)
    ranking, fitted = searched(queries, database), create(k=5).fit(database)
    together = fitted.expand(queries, ranking)
    alone = fitted.expand(queries[[4]], searched(queries[[4]], database))
    assert (alone.indices[0] == together.indices[4]).all()
    assert fitted.expand(queries[:0], searched(queries[:0], database)).indices.shape == (0, 50)


def test_an_empty_database_and_one_image():
    database, queries = data(1)
    assert create().fit(database).expand(queries, searched(queries, database)).indices.tolist() == [[0]] * 3
    empty = database[:0]
    assert create().fit(empty).expand(queries, searched(queries, empty)).indices.shape == (3, 0)


def test_the_threshold_is_read_off_the_edges_unless_it_is_stated_or_published():
    database = data(80)[0]
    fitted = create().fit(database)
    assert fitted.k == 5
    assert (fitted.edges.weights <= fitted.threshold).mean() == pytest.approx(0.1, abs=0.01)
    assert create(threshold=0.2).fit(database).threshold == 0.2
    assert (create(preset="released-code").fit(database).k, create(preset="released-code").fit(database).threshold) == (
        50,
        0.42,
    )


@pytest.mark.parametrize("given_", [{"k": 0}, {"top": 0}, {"threshold": 1.5}])
def test_bad_parameters_are_refused(given_):
    with pytest.raises(Errors):
        create(**given_)
