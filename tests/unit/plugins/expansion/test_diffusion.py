"""Diffusion against dense float64 inverses, its modes against each other, and its edges."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.core.errors import Errors
from harness.graph import affinity
from harness.plugin_api import Ranking
from harness.registry import load_registry
from harness_evidence.diffusion import dense_affinity, dense_seed, normalised, solved

REGISTRY = load_registry()
EXACT = {"max_iter": 0, "tol": 1e-12}
MODES = {
    "whole": {},
    "late": {"truncation": 25},
    "early": {"truncation": 25, "truncate": "early"},
    "offline": {"truncation": 25, "offline": True},
    "transductive": {"transductive": True},
}


def create(**parameters):
    return REGISTRY.create("expansion", "diffusion", **{"preset": "thesis", **parameters})


def unit(x):
    x = np.asarray(x, np.float64)
    return (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def data(n=60, d=8, q=5, seed=0, noise=0.5, duplicates=0):
    """Clusters, far from each other for little noise; ``duplicates`` copies of the first image; queries like them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, d))
    database, queries = (unit(centres[rng.integers(0, 6, m)] + noise * rng.normal(size=(m, d))) for m in (n, q))
    database[n - min(duplicates, n) :] = database[0]
    return database, queries


def searched(queries, database, verified=None, depth=None):
    scores = queries @ database.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return Ranking(order.astype(np.int64), np.take_along_axis(scores, order, 1), verified)


def cut(w, kept, early):
    """The normalised matrix of a part, with zeros outside it."""
    part = np.ix_(kept, kept)
    s = np.zeros_like(w)
    s[part] = normalised(w[part]) if early else normalised(w)[part]
    return s


def scores_of(fitted, queries, ranking):
    """Diffused similarities (q, n) float64 before they become a ranking."""
    seeds = [fitted.seed(query, ranking, row) for row, query in enumerate(queries)]
    return fitted._solver.scores(queries, seeds, ranking.indices)[0]


def assert_ranks_by(found, scores, ranking):
    """The order of the dense scores; what they leave at 0 stays in the order of the ranking before."""
    for row, expected in enumerate(scores):
        in_order = expected[found.indices[row]]
        reached = int((expected > 0).sum())
        assert (np.diff(in_order) <= 1e-6 * np.abs(in_order[:-1]) + 1e-14).all()
        assert found.indices[row, reached:].tolist() == [i for i in ranking.indices[row] if not expected[i] > 0]
        np.testing.assert_allclose(found.scores[row], in_order, rtol=1e-6, atol=1e-10)


graphs = st.tuples(
    st.integers(0, 9999), st.integers(1, 150), st.sampled_from([0.05, 0.5, 2.0]), st.sampled_from([0, 4, 30])
)


@settings(max_examples=25)
@given(graphs, st.sampled_from([1, 5, 50, 500]), st.integers(1, 12))
def test_scores_equal_a_dense_solve_to_1e_8(graph, k, kq):
    seed, n, noise, duplicates = graph
    database, queries = data(n=n, seed=seed, noise=noise, duplicates=duplicates)
    ranking = searched(queries, database)
    fitted = create(k=k, kq=kq, **EXACT).fit(database)
    s = normalised(affinity(database, k).toarray().astype(np.float64))
    y = np.array([dense_seed(query, database, row, kq) for query, row in zip(queries, ranking.indices, strict=True)])
    expected = solved(s, y.T).T
    np.testing.assert_allclose(scores_of(fitted, queries, ranking), expected, rtol=1e-8, atol=1e-10 * y.max(initial=0))
    found = fitted.expand(queries, ranking)
    assert_ranks_by(found, np.where(scores_of(fitted, queries, ranking) > 0, expected, 0), ranking)
    assert fitted.report["converged"] == 1


@settings(max_examples=15)
@given(st.integers(0, 9999), st.integers(2, 60), st.sampled_from([1, 5, 100]), st.sampled_from([0.1, 0.6, 2.0]))
def test_graph_and_solve_equal_loops_over_pairs(seed, n, k, noise):
    """From the descriptors on: similarities in float32 against float64."""
    database, queries = data(n=n, seed=seed, noise=noise)
    ranking = searched(queries, database)
    found = scores_of(create(k=k, kq=3, **EXACT).fit(database), queries, ranking)
    y = np.array([dense_seed(query, database, row, 3) for query, row in zip(queries, ranking.indices, strict=True)])
    expected = solved(normalised(dense_affinity(database, k)), y.T).T
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max())


@settings(max_examples=15)
@given(graphs, st.sampled_from([1, 10, 60, 1000]), st.booleans())
def test_truncated_scores_equal_a_dense_solve_of_the_part(graph, top, early):
    seed, n, noise, duplicates = graph
    database, queries = data(n=n, seed=seed, noise=noise, duplicates=duplicates)
    ranking = searched(queries, database)
    how = "early" if early else "late"
    fitted = create(k=8, kq=5, truncation=top, truncate=how, **EXACT).fit(database)
    w = affinity(database, 8).toarray().astype(np.float64)
    found = scores_of(fitted, queries, ranking)
    for row, query in enumerate(queries):
        kept = ranking.indices[row, :top]
        y = dense_seed(query, database, kept, 5)
        expected = np.zeros(n)
        expected[kept] = solved(cut(w, kept, early), y)[kept]
        np.testing.assert_allclose(found[row], expected, rtol=1e-8, atol=1e-10)
    # At 1e-12 some systems stop at the rounding of float64, with scores that are right all the same.
    fitted = create(k=8, kq=5, truncation=top, truncate=how, **{**EXACT, "tol": 1e-9}).fit(database)
    fitted.expand(queries, ranking)
    assert fitted.report["converged"] == 1


@settings(max_examples=25)
@given(graphs, st.sampled_from([1, 10, 60, 1000]), st.booleans())
def test_offline_rows_equal_dense_columns(graph, top, early):
    seed, n, noise, _ = graph
    database, queries = data(n=n, seed=seed, noise=noise)
    ranking = searched(queries, database)
    how = "early" if early else "late"
    fitted = create(k=8, kq=5, truncation=top, truncate=how, offline=True, **EXACT).fit(database)
    w = affinity(database, 8).toarray().astype(np.float64)
    order = np.argsort(-(database.astype(np.float64) @ database.T.astype(np.float64)), axis=1, kind="stable")
    expected = np.zeros((len(queries), n))
    for row, query in enumerate(queries):
        for image, value in enumerate(dense_seed(query, database, ranking.indices[row], 5)):
            if value:
                kept = np.array([image, *(j for j in order[image] if j != image)])[:top]
                column = np.zeros(n)
                column[kept] = solved(cut(w, kept, early), np.eye(n)[image])[kept]
                expected[row] += value * column
    found = scores_of(fitted, queries, ranking)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-9)
    assert fitted.report["solves"] == n
    # As above: at 1e-12 some systems stop at the rounding of float64.
    fitted = create(k=8, kq=5, truncation=top, truncate=how, offline=True, **{**EXACT, "tol": 1e-9}).fit(database)
    fitted.expand(queries, ranking)
    assert fitted.report["converged"] == 1


@settings(max_examples=12)
@given(st.integers(0, 9999), st.integers(1, 60), st.sampled_from([1, 5, 100]), st.sampled_from([0.3, 2.0]))
def test_transductive_equals_a_dense_graph_of_database_and_one_query(seed, n, k, noise):
    database, queries = data(n=n, seed=seed, noise=noise)
    ranking = searched(queries, database)
    fitted = create(k=k, transductive=True, **EXACT).fit(database)
    for row, query in enumerate(queries):
        joined = dense_affinity(np.concatenate([database, query[None]]), k)
        expected = solved(normalised(joined), np.eye(n + 1)[n])[:n]
        one = Ranking(ranking.indices[[row]], ranking.scores[[row]])
        found = scores_of(fitted, queries[[row]], one)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * max(expected.max(initial=0), 1e-3))


def test_truncation_to_everything_is_the_whole_diffusion():
    database, queries = data()
    ranking = searched(queries, database)
    whole = create(k=10, **EXACT).fit(database).expand(queries, ranking)
    for how in ("late", "early"):
        for offline in (False, True):
            fitted = create(k=10, truncation=60, truncate=how, offline=offline, **EXACT).fit(database)
            np.testing.assert_allclose(fitted.expand(queries, ranking).scores, whole.scores, rtol=1e-5)


def test_truncation_leaves_the_order_below_alone():
    database, queries = data()
    ranking = searched(queries, database)
    found = create(k=10, truncation=20).fit(database).expand(queries, ranking)
    for row in range(5):
        assert set(found.indices[row, :20]) == set(ranking.indices[row, :20])
        assert found.indices[row, 20:].tolist() == ranking.indices[row, 20:].tolist()


def test_twenty_iterations_are_the_default_and_the_report_says_whether_they_were_enough():
    database, queries = data(n=400, noise=1.5)
    ranking = searched(queries, database)
    for mode in ({}, {"truncation": 400}):
        capped = create(k=5, max_iter=3, **mode).fit(database)
        capped.expand(queries, ranking)
        report = capped.report
        assert (report["iterations"], report["converged"], report["queries"]) == (3, 0.0, 5)
        assert report["residual"] > 1e-6
        assert report["edges"] == affinity(database, 5).nnz
        assert json.loads(json.dumps(report)) == report
        enough = create(k=5, max_iter=0, **mode).fit(database)
        enough.expand(queries, ranking)
        assert enough.report["iterations"] > 20
        assert enough.report["converged"] == 1
        assert enough.report["residual"] <= 1e-6
    assert create().max_iter == 20


def test_a_capped_solve_is_the_same_whole_and_in_parts():
    database, queries = data(n=300, noise=1.5)
    ranking = searched(queries, database)
    whole, parts = (create(k=5, max_iter=7, truncation=top).fit(database) for top in (0, 300))
    np.testing.assert_allclose(
        scores_of(whole, queries, ranking), scores_of(parts, queries, ranking), rtol=1e-9, atol=1e-12
    )


def test_diffusion_of_a_sum_is_the_sum_of_diffusions():
    database, queries = data()
    a, b = np.random.default_rng(0).random((2, 60))
    ranking, images = searched(queries, database), np.arange(60)
    for mode in ("whole", "late", "early", "offline"):
        solver = create(k=10, **EXACT, **MODES[mode]).fit(database)._solver
        seeds = [(images, a), (images, b), (images, a + b)]
        one = np.tile(ranking.indices[0], (3, 1))
        of_a, of_b, of_sum = solver.scores(queries[:3], seeds, one)[0]
        np.testing.assert_allclose(of_sum, of_a + of_b, rtol=1e-8)


@pytest.mark.parametrize("mode", MODES)
def test_a_query_alone_gets_the_same_answer_as_among_others(mode):
    database, queries = data(n=150, q=70, noise=1.0)
    ranking = searched(queries, database)
    fitted = create(k=6, **MODES[mode]).fit(database)
    together = fitted.expand(queries, ranking)
    for row in (0, 33, 69):
        alone = fitted.expand(queries[[row]], Ranking(ranking.indices[[row]], ranking.scores[[row]]))
        assert (alone.indices[0] == together.indices[row]).all()
        assert (alone.scores[0] == together.scores[row]).all()


@pytest.mark.parametrize("mode", MODES)
def test_renaming_the_images_renames_the_answers(mode):
    database, queries = data(noise=0.8)
    p = np.random.default_rng(1).permutation(60)
    found = create(k=6, **MODES[mode]).fit(database).expand(queries, searched(queries, database))
    again = create(k=6, **MODES[mode]).fit(database[p]).expand(queries, searched(queries, database[p]))
    assert (p[again.indices] == found.indices).all()
    np.testing.assert_allclose(again.scores, found.scores, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("mode", MODES)
def test_scaling_descriptors_before_they_are_normalised_changes_nothing(mode):
    rng = np.random.default_rng(0)
    raw, asked = rng.normal(size=(60, 8)), rng.normal(size=(5, 8))
    ways = []
    for scale in (1.0, 2.0**-20, 2.0**30):
        database, queries = unit(raw * scale), unit(asked * scale)
        ways.append(create(k=6, **MODES[mode]).fit(database).expand(queries, searched(queries, database)))
    for other in ways[1:]:
        assert (other.indices == ways[0].indices).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_tiny_databases_duplicates_isolated_and_empty_descriptors(mode, n):
    database = np.zeros((n, 4), np.float32)
    database[0] = database[-1] = [1, 0, 0, 0]
    database[n // 2] = [0, 0, 0, 1]
    queries = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    ranking = searched(queries, database)
    fitted = create(**MODES[mode]).fit(database)
    found = fitted.expand(queries, ranking)
    assert (np.sort(found.indices) == np.arange(n)).all()
    assert np.isfinite(found.scores).all()
    assert (np.diff(found.scores) <= 0).all()
    # The first, third and fourth query are similar to nothing: nothing moves.
    for row in (0, 2, 3):
        assert (found.indices[row] == ranking.indices[row]).all()
    assert fitted.report["converged"] == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", [1, 15])
def test_a_short_ranking_stays_as_short_and_nothing_is_changed(mode, depth):
    database, queries = data()
    ranking = searched(queries, database, depth=depth)
    before = [array.copy() for array in (database, queries, ranking.indices, ranking.scores)]
    fitted = create(k=8, **MODES[mode]).fit(database)
    found = fitted.expand(queries, ranking)
    assert found.indices.shape == (5, depth)
    assert (found.indices.dtype, found.scores.dtype) == (np.int64, np.float32)
    for old, new in zip(before, (database, queries, ranking.indices, ranking.scores), strict=True):
        np.testing.assert_array_equal(old, new)
    assert fitted.expand(queries[:0], searched(queries[:0], database)).indices.shape == (0, 60)


def dense_verified_seed(query, database, ranked, inliers, keep):
    """Specification 1.15, over the whole database as in the released code."""
    y = np.zeros(len(database))
    y[ranked[:10]] = inliers[:10] / inliers.max()
    weighted = y * (database.astype(np.float64) @ query.astype(np.float64))
    weighted = weighted if weighted.any() else y
    weighted[np.argsort(-weighted, kind="stable")[keep:]] = 0
    return weighted


@settings(max_examples=60)
@example(0, 11, "thesis", 2)
@given(st.integers(0, 9999), st.integers(1, 40), st.sampled_from(["thesis", "released-code"]), st.sampled_from([2, 12]))
def test_verified_seed_equals_the_released_procedure(seed, n, preset, d):
    database, queries = data(n=n, d=d, seed=seed, noise=2.0)
    rng = np.random.default_rng(seed)
    ranking = searched(queries, database)
    inliers = rng.integers(0, 30, ranking.indices.shape).astype(np.float32) * rng.integers(0, 2, (5, 1))
    ranking = Ranking(ranking.indices, ranking.scores, inliers)
    fitted = create(preset=preset).fit(database)
    missed = 0
    for row, query in enumerate(queries):
        images, values = fitted.seed(query, ranking, row)
        found, expected = np.zeros(n), np.zeros(n)
        found[images] = values
        if inliers[row, :10].any():
            top = np.where(np.arange(n) < 10, inliers[row], 0)
            expected = dense_verified_seed(query, database, ranking.indices[row], top, 5 - (preset != "thesis"))
        if not expected.any():
            missed += 1
            expected = dense_seed(query, database, ranking.indices[row])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    assert fitted.report["unverified"] == missed


def test_verified_images_lead_and_can_be_ignored():
    database, queries = data(noise=0.3)
    plain = searched(queries, database)
    weights = np.zeros_like(plain.scores)
    weights[:, 9] = 7
    ranking = Ranking(plain.indices, plain.scores, weights)
    found = create(k=5).fit(database).expand(queries, ranking)
    assert (found.indices[:, 0] != plain.indices[:, 0]).any()
    ignored = create(k=5, verified=False).fit(database).expand(queries, ranking)
    assert (ignored.indices == create(k=5).fit(database).expand(queries, plain).indices).all()


@pytest.mark.parametrize(
    "given_",
    [
        {"offline": True},
        {"transductive": True, "truncation": 5},
        {"transductive": True, "offline": True, "truncation": 5},
        {"alpha": 1.0},
        {"k": 0},
        {"truncate": "middle"},
        {"preset": "printed"},
    ],
)
def test_bad_parameters_are_refused(given_):
    with pytest.raises(Errors):
        create(**given_)
