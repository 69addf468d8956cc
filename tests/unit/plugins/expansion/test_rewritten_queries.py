"""Queries made of a ranking's ends, and a database augmented by rank, against loops in float64; and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from searches import data, searched, unit

from harness.core.errors import Errors
from harness.plugin_api import Ranking
from harness.registry import load_registry
from harness_evidence.expansion import loop_decayed, loop_decayed_database, loop_rocchio, smo

REGISTRY = load_registry()
SEEDS = pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 220), marks=pytest.mark.slow)], ids=str)
NEW = ("aqe-decay", "dba-decay", "rocchio", "dqe")


def create(name, **parameters):
    return REGISTRY.create("expansion", name, **parameters)


def assert_ranks_by(found, vectors, database, atol=3e-6):
    """The scores are those of these vectors (q, d), and none is out of order by more than rounding."""
    for row, vector in enumerate(vectors):
        expected = database.astype(np.float64) @ (vector / (np.linalg.norm(vector) or 1))
        in_order = expected[found.indices[row]]
        assert len(set(found.indices[row])) == found.indices.shape[1]
        np.testing.assert_allclose(found.scores[row], in_order, atol=atol)
        assert (np.diff(in_order) <= 2 * atol).all()


@SEEDS
def test_aqe_with_decay_equals_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        k, depth = int(rng.choice([0, 1, 4, 60])), [None, 3][seed % 2]
        database, queries = data(int(rng.integers(1, 30)), seed=seed)
        ranking = searched(queries, database, depth)
        found = create("aqe-decay", k=k).fit(database).expand(queries, ranking)
        rows = [loop_decayed(q, database, ids, k) for q, ids in zip(queries, ranking.indices, strict=True)]
        assert found.indices.shape == ranking.indices.shape
        assert_ranks_by(found, rows, database)


@SEEDS
def test_dba_with_decay_equals_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        k = int(rng.choice([0, 1, 2, 5, 60]))
        database, queries = data(int(rng.integers(1, 30)), seed=seed)
        found = create("dba-decay", k=k).fit(database).expand(queries, searched(queries, database))
        assert_ranks_by(found, queries, loop_decayed_database(database, k))


@SEEDS
def test_rocchio_equals_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        k, m, depth = int(rng.choice([0, 1, 4, 60])), int(rng.choice([0, 1, 4, 60])), [None, 5][seed % 2]
        database, queries = data(int(rng.integers(1, 30)), seed=seed)
        found = create("rocchio", k=k, m=m).fit(database).expand(queries, searched(queries, database, depth))
        whole = searched(queries, database).indices
        rows = [loop_rocchio(q, database, ids[:depth], ids, k, m) for q, ids in zip(queries, whole, strict=True)]
        assert_ranks_by(found, rows, database)


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, 205), marks=pytest.mark.slow)], ids=str)
def test_dqe_equals_a_slow_solver(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        k, m, n = (int(rng.integers(low, high)) for low, high in ((0, 5), (1, 5), (10, 25)))
        database, queries = data(n, d=12, q=1, seed=seed)
        ranking = searched(queries, database)
        ids = ranking.indices[0]
        rows = np.vstack([queries[0], database[ids[:k]], database[ids[-m:]]]).astype(np.float64)
        normal = smo(rows, np.r_[np.ones(k + 1), -np.ones(m)], 1e3)
        normal /= np.linalg.norm(normal)
        for preset, vector in (("released-code", normal), ("recommended", normal + queries[0] / 1000)):
            found = create("dqe", k=k, m=m, preset=preset).fit(database).expand(queries, ranking)
            assert_ranks_by(found, [vector], database, atol=2e-5)


def test_dqe_leaves_images_on_the_margin_in_their_order():
    """In many dimensions nearly all positives lie on the margin: rounding alone would order them."""
    axes = np.eye(60)
    near = np.linspace(0.5, 0.45, 10)[:, None]
    database = unit(np.vstack([near * axes[0] + np.sqrt(1 - near**2) * axes[1:11], axes[20:60]]))
    shuffled = database[np.random.default_rng(0).permutation(50)]
    query = unit(axes[:1])
    ranking = searched(query, shuffled)
    released = create("dqe", k=10, m=20, preset="released-code").fit(shuffled).expand(query, ranking)
    assert np.ptp(released.scores[0, :10]) < 1e-6
    found = create("dqe", k=10, m=20).fit(shuffled).expand(query, ranking)
    np.testing.assert_array_equal(found.indices[:, :10], ranking.indices[:, :10])


def test_dqe_of_two_points_is_their_difference():
    database, query = unit([[1, 0.1], [0, 1], [-1, 0.5]]), unit([[1, 0]])
    found = create("dqe", k=0, m=1, preset="released-code").fit(database).expand(query, searched(query, database))
    assert_ranks_by(found, [query[0].astype(np.float64) - database[2]], database)


def test_dqe_has_an_answer_where_no_plane_separates():
    """One point of each class between two of the other: a hard margin has no solution."""
    database = unit([[1, 0.0], [1, 0.2], [1, 0.1], [0, 1]])
    query = unit([[1, 0.1]])
    ranking = Ranking(np.array([[0, 1, 3, 2]]), np.array([[0.9, 0.8, 0.7, 0.6]], np.float32))
    found = create("dqe", k=2, m=1).fit(database).expand(query, ranking)
    assert np.isfinite(found.scores).all()
    assert sorted(found.indices[0]) == [0, 1, 2, 3]


def test_dqe_ends_where_the_classifier_would_take_minutes(monkeypatch):
    """A query without descriptor, in few dimensions: nothing tells its first images from the last ones."""
    from harness_expansion import dqe

    monkeypatch.setattr(dqe, "_MOST_STEPS", 1000)
    database, query = unit(np.random.default_rng(0).normal(size=(22, 8))), np.zeros((1, 8), np.float32)
    found = create("dqe").fit(database).expand(query, searched(query, database))
    assert sorted(found.indices[0].tolist()) == list(range(22))
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("name", ["rocchio", "dqe"])
def test_first_images_are_not_counted_among_the_last(name):
    database, queries = data(6)
    ranking = searched(queries, database)
    found = create(name, k=6, m=6).fit(database).expand(queries, ranking)
    few = create(name, k=6, m=2).fit(database).expand(queries, ranking)
    np.testing.assert_array_equal(found.scores, few.scores)


def test_dqe_with_nothing_to_separate_is_the_search_of_before():
    database, queries = data(5)
    ranking = searched(queries, database)
    found = create("dqe", k=5, m=5).fit(database).expand(queries, ranking)
    np.testing.assert_array_equal(found.indices, ranking.indices)
    alike = np.tile(database[:1], (5, 1))
    found = create("dqe", k=2, m=2).fit(alike).expand(alike[:1], searched(alike[:1], alike))
    assert found.indices[0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["rocchio", "dqe"])
def test_the_end_of_a_cut_ranking_is_that_of_the_whole(name):
    database, queries = data(40)
    database[-1] = database[-2] = database[0]
    fitted = create(name, k=3, m=3).fit(database)
    whole = fitted.expand(queries, searched(queries, database))
    head = fitted.expand(queries, searched(queries, database, 8))
    np.testing.assert_array_equal(head.indices, whole.indices[:, :8])
    np.testing.assert_array_equal(head.scores, whole.scores[:, :8])


@pytest.mark.parametrize("name", NEW)
def test_nothing_is_drawn_and_no_query_is_no_answer(name):
    database, queries = data(30)
    fitted = create(name).fit(database)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    fitted.expand(queries, searched(queries, database))
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert fitted.expand(queries[:0], searched(queries[:0], database)).indices.shape == (0, 30)


def test_an_empty_descriptor_learns_nothing_from_its_neighbours():
    database, _ = data(20)
    database[3] = 0
    assert not create("dba-decay").fit(database).database[3].any()


@pytest.mark.parametrize(
    ("name", "given_"),
    [
        ("aqe-decay", {"k": -1}),
        ("dba-decay", {"k": 1.5}),
        ("dqe", {"m": 0}),
        ("dqe", {"c": 0.0}),
        ("rocchio", {"gamma": -1.0}),
    ],
)
def test_bad_parameters_are_refused(name, given_):
    with pytest.raises(Errors):
        create(name, **given_)
