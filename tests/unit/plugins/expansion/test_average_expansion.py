"""AQE, alphaQE and DBA against loops in float64, and their edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import Errors
from harness.plugin_api import Ranking
from harness.registry import load_registry
from harness_evidence.expansion import loop_augmented, loop_expanded, searched

REGISTRY = load_registry()
AVERAGES = ("aqe", "alphaqe", "dba")


def create(name, **parameters):
    return REGISTRY.create("expansion", name, **parameters)


def unit(x):
    x = np.asarray(x, np.float64)
    return (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def data(n=60, d=8, q=5, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, d))
    return [unit(centres[rng.integers(0, 6, m)] + noise * rng.normal(size=(m, d))) for m in (n, q)]


def assert_ranks_by(found, scores):
    """Every image once, the scores returned are these, and none of them is out of order by more than rounding."""
    for row, expected in enumerate(scores):
        in_order = expected[found.indices[row]]
        assert len(set(found.indices[row])) == found.indices.shape[1]
        np.testing.assert_allclose(found.scores[row], in_order, atol=3e-6)
        assert (np.diff(in_order) <= 1e-6).all()
        assert (np.diff(found.scores[row]) <= 0).all()
        assert np.setdiff1d(expected, in_order).max(initial=-9) <= in_order.min(initial=9) + 1e-6


@settings(max_examples=40)
@given(
    st.integers(0, 9999),
    st.integers(1, 40),
    st.sampled_from([1, 3, 100]),
    st.sampled_from([0.0, 0.5, 3.0]),
    st.sampled_from([1, 7, None]),
)
def test_weighted_expansion_equals_a_loop(seed, n, k, alpha, depth):
    database, queries = data(n=n, seed=seed, noise=2.0)
    ranking = searched(queries, database, depth)
    found = create("alphaqe", k=k, alpha=alpha).fit(database).expand(queries, ranking)
    expanded = np.array(
        [loop_expanded(*pair, k, alpha) for pair in zip(queries, [database] * 5, ranking.indices, strict=True)]
    )
    assert found.indices.shape == ranking.indices.shape
    assert_ranks_by(found, expanded @ database.T)


@settings(max_examples=30)
@given(st.integers(0, 9999), st.integers(2, 40), st.sampled_from([1, 3, 100]), st.sampled_from([0.0, 0.5, 3.0]))
def test_augmentation_equals_a_loop(seed, n, k, alpha):
    database, queries = data(n=n, seed=seed, noise=2.0)
    fitted = create("dba", k=k, alpha=alpha).fit(database)
    expected = loop_augmented(database, k, alpha)
    np.testing.assert_allclose(fitted.database, expected, atol=1e-5)
    assert_ranks_by(fitted.expand(queries, searched(queries, database)), queries @ expected.T)


def test_by_hand():
    database, query = unit([[1, 0], [1, 1], [0, 1], [-1, 0]]), unit([[1, 0.1]])
    found = create("aqe", k=2).fit(database).expand(query, searched(query, database))
    expanded = unit(query + database[:2].sum(0))
    np.testing.assert_allclose(found.scores, -np.sort(-(expanded @ database.T)), atol=1e-6)


def test_the_images_are_those_of_the_ranking_and_the_weights_those_of_the_descriptors():
    database, queries = data()
    reranked = Ranking(np.tile(np.arange(60)[::-1], (5, 1)), np.tile(np.arange(60.0, 0, -1), (5, 1)).astype(np.float32))
    found = create("alphaqe", k=4, alpha=2).fit(database).expand(queries, reranked)
    expanded = np.array([loop_expanded(query, database, range(59, 0, -1), 4, 2) for query in queries])
    assert_ranks_by(found, expanded @ database.T)


def test_alpha_zero_is_aqe():
    database, queries = data()
    ranking = searched(queries, database)
    plain = create("aqe", k=5).fit(database).expand(queries, ranking)
    zero = create("alphaqe", k=5, alpha=0.0).fit(database).expand(queries, ranking)
    assert (zero.indices == plain.indices).all()
    assert (zero.scores == plain.scores).all()


@pytest.mark.parametrize("name", AVERAGES)
def test_k_zero_is_the_identity(name):
    database, queries = data()
    ranking = searched(queries, database)
    found = create(name, k=0).fit(database).expand(queries, ranking)
    assert (found.indices == ranking.indices).all()
    assert (found.scores == ranking.scores).all()


def test_negative_similarities_weigh_nothing():
    database, query = unit([[1, 0], [-1, 0.1], [-1, -0.1]]), unit([[1, 0]])
    found = create("alphaqe", k=3, alpha=0.5).fit(database).expand(query, searched(query, database))
    alone = create("alphaqe", k=1, alpha=0.5).fit(database).expand(query, searched(query, database))
    assert (found.scores == alone.scores).all()


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("depth", [None, 9])
def test_a_query_alone_gets_the_same_bits_as_among_others(name, depth):
    database, queries = data(q=40)
    ranking, fitted = searched(queries, database, depth), create(name).fit(database)
    together = fitted.expand(queries, ranking)
    for row in (0, 7, 39):
        alone = fitted.expand(queries[[row]], Ranking(ranking.indices[[row]], ranking.scores[[row]]))
        assert (alone.indices[0] == together.indices[row]).all()
        assert (alone.scores[0] == together.scores[row]).all()


@pytest.mark.parametrize("name", AVERAGES)
def test_duplicates_rank_by_the_lowest_id_also_at_the_cut(name):
    database = unit(np.repeat(data(n=4, noise=1)[0], 5, axis=0))
    queries = data()[1]
    for depth in (None, 7):
        found = create(name, k=3).fit(database).expand(queries, searched(queries, database, depth))
        for ids, scores in zip(found.indices, found.scores, strict=True):
            for value in np.unique(scores):
                same = ids[scores == value]
                assert (same == same[0] + np.arange(len(same))).all()
                assert same[0] % 5 == 0


@pytest.mark.parametrize("name", AVERAGES)
def test_renaming_the_images_renames_the_answers(name):
    database, queries = data(noise=1.0)
    p = np.random.default_rng(1).permutation(60)
    found = create(name, k=4).fit(database).expand(queries, searched(queries, database))
    again = create(name, k=4).fit(database[p]).expand(queries, searched(queries, database[p]))
    # By image: two that are each other's neighbours can have one augmented descriptor, and their order is that of ids.
    of_image, of_renamed = np.zeros((2, 5, 60))
    np.put_along_axis(of_image, found.indices, found.scores, axis=1)
    np.put_along_axis(of_renamed, p[again.indices], again.scores, axis=1)
    np.testing.assert_allclose(of_renamed, of_image, atol=1e-6)
    assert (again.scores == found.scores).mean() > 0.9


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_tiny_databases_and_empty_descriptors(name, n):
    database = np.zeros((n, 4), np.float32)
    database[0] = database[-1] = [1, 0, 0, 0]
    queries = np.array([[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    found = create(name).fit(database).expand(queries, searched(queries, database))
    assert (np.sort(found.indices) == np.arange(n)).all()
    assert np.isfinite(found.scores).all()
    assert (np.diff(found.scores) <= 0).all()


def test_an_empty_descriptor_learns_nothing_from_its_neighbours():
    database, _ = data(n=20)
    database[3] = 0
    fitted = create("dba", k=5).fit(database)
    assert not fitted.database[3].any()


@pytest.mark.parametrize("name", AVERAGES)
def test_nothing_is_changed_and_no_query_is_no_answer(name):
    database, queries = data()
    ranking = searched(queries, database)
    before = [array.copy() for array in (database, queries, ranking.indices, ranking.scores)]
    fitted = create(name).fit(database)
    fitted.expand(queries, ranking)
    for old, new in zip(before, (database, queries, ranking.indices, ranking.scores), strict=True):
        np.testing.assert_array_equal(old, new)
    assert fitted.expand(queries[:0], searched(queries[:0], database)).indices.shape == (0, 60)


@pytest.mark.parametrize(("name", "given_"), [("aqe", {"k": -1}), ("alphaqe", {"alpha": -1.0}), ("dba", {"k": 1.5})])
def test_bad_parameters_are_refused(name, given_):
    with pytest.raises(Errors):
        create(name, **given_)
