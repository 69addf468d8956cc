from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.protocols import Ranking
from harness.registry import load_registry

REGISTRY = load_registry()
NAMES = REGISTRY.names("expansion")


def unit(x):
    return (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def data(n=60, d=8, q=5, seed=0, clusters=6, noise=0.5):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, d))
    x = unit(centres[rng.integers(0, clusters, n)] + noise * rng.normal(size=(n, d)))
    return x, unit(centres[rng.integers(0, clusters, q)] + noise * rng.normal(size=(q, d)))


def searched(queries, database, verified=None):
    scores = (queries @ database.T).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")
    return Ranking(order.astype(np.int64), np.take_along_axis(scores, order, 1), verified)


def create(name, **parameters):
    return REGISTRY.create("expansion", name, **parameters)


def dense_diffusion(database, queries, ranking, k, kq, gamma, alpha):
    """Graph, normalisation and inverse in float64, entry by entry."""
    v = database.astype(np.float64)
    n = len(v)
    s = v @ v.T
    lists = []
    for i in range(n):
        others = [j for j in np.argsort(-s[i], kind="stable") if j != i]
        lists.append(set(others[:k]))
    w = np.zeros((n, n))
    for i in range(n):
        for j in lists[i]:
            if i in lists[j]:
                w[i, j] = max(s[i, j], 0) ** gamma
    degree = w.sum(1)
    scale = np.array([1 / np.sqrt(x) if x > 0 else 0 for x in degree])
    inverse = np.linalg.inv(np.eye(n) - alpha * scale[:, None] * w * scale)
    scores = []
    for row, query in enumerate(queries):
        y = np.zeros(n)
        top = ranking.indices[row, :kq]
        y[top] = np.maximum(v[top] @ query, 0) ** gamma
        scores.append(inverse @ y)
    return np.array(scores)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 80), st.sampled_from([1, 5, 100]), st.sampled_from([0.1, 0.6, 2.0]))
def test_diffusion_equals_a_dense_solve(seed, n, k, noise):
    database, queries = data(n=n, seed=seed, noise=noise)
    ranking = searched(queries, database)
    fitted = create("diffusion", k=k, kq=3, max_iter=0, tol=1e-12).fit(database)
    scores, (report,) = fitted._scores(queries, ranking)
    expected = dense_diffusion(database, queries, ranking, min(k, n - 1), 3, 3.0, 0.99)
    np.testing.assert_allclose(scores, expected, rtol=2e-5, atol=1e-8 * expected.max())
    assert report.converged.all()


def test_diffusion_ranks_by_the_dense_scores_and_unreached_images_keep_their_order():
    database, queries = data(n=40, noise=0.2)
    ranking = searched(queries, database)
    found = create("diffusion", k=4, kq=2, max_iter=0, tol=1e-10).fit(database).expand(queries, ranking)
    expected = dense_diffusion(database, queries, ranking, 4, 2, 3.0, 0.99)
    for row in range(len(queries)):
        reached = expected[row] > 1e-12
        below = [i for i in ranking.indices[row] if not reached[i]]
        assert found.indices[row, reached.sum() :].tolist() == below
        assert (np.diff(expected[row][found.indices[row]]) <= 1e-7).all()


def test_diffusion_of_a_sum_is_the_sum_of_diffusions():
    database, queries = data()
    fitted = create("diffusion", k=10, max_iter=0, tol=1e-12).fit(database)
    a, b = np.random.default_rng(0).random((2, len(database)))
    together, _ = fitted._solver.solve(a + b, tol=1e-12)
    apart = fitted._solver.solve(a, tol=1e-12)[0] + fitted._solver.solve(b, tol=1e-12)[0]
    np.testing.assert_allclose(together, apart, rtol=1e-8)


@pytest.mark.parametrize("truncate", ["late", "early"])
def test_truncation_to_everything_changes_nothing(truncate):
    database, queries = data()
    ranking = searched(queries, database)
    whole = create("diffusion", k=10, max_iter=0).fit(database).expand(queries, ranking)
    cut = create("diffusion", k=10, max_iter=0, truncation=60, truncate=truncate).fit(database)
    assert cut.expand(queries, ranking).indices.tolist() == whole.indices.tolist()


def test_truncation_leaves_the_order_below_alone():
    database, queries = data()
    ranking = searched(queries, database)
    found = create("diffusion", k=10, truncation=20).fit(database).expand(queries, ranking)
    for row in range(len(queries)):
        assert set(found.indices[row, :20]) == set(ranking.indices[row, :20])
        assert found.indices[row, 20:].tolist() == ranking.indices[row, 20:].tolist()


def test_verified_diffusion_starts_from_verified_images():
    database, queries = data()
    plain = searched(queries, database)
    weights = np.zeros_like(plain.scores)
    weights[:, :10] = np.arange(10, 0, -1)
    ranking = Ranking(plain.indices, plain.scores, weights)
    for preset, count in (("thesis", 5), ("released-code", 4)):
        fitted = create("diffusion", preset=preset).fit(database)
        images, values = fitted._seed(queries[0], ranking, 0)
        inliers = weights[0, :10] / 10 * (database[plain.indices[0, :10]] @ queries[0])
        assert len(images) == count
        np.testing.assert_allclose(values, np.sort(inliers)[::-1][:count], rtol=1e-5)
    nothing = Ranking(plain.indices, plain.scores, np.zeros_like(weights))
    assert len(fitted._seed(queries[0], nothing, 0)[0]) == 10


def test_the_report_says_whether_it_converged():
    database, queries = data()
    fitted = create("diffusion", max_iter=2, tol=1e-12).fit(database)
    fitted.expand(queries, searched(queries, database))
    assert fitted.report["iterations"] == 2
    assert fitted.report["converged"] < 1


def test_average_expansion_by_hand():
    database = unit(np.array([[1.0, 0], [1, 1], [0, 1], [-1, 0]]))
    queries = unit(np.array([[1.0, 0.1]]))
    ranking = searched(queries, database)
    found = create("aqe", count=2).fit(database).expand(queries, ranking)
    expanded = unit(queries + database[[0, 1]].sum(0))
    np.testing.assert_allclose(found.scores, np.sort(expanded @ database.T)[:, ::-1], atol=1e-6)


def test_alpha_zero_is_average_and_count_zero_is_identity():
    database, queries = data()
    ranking = searched(queries, database)
    plain = create("aqe", count=5).fit(database).expand(queries, ranking)
    zero = create("alphaqe", count=5, alpha=0).fit(database).expand(queries, ranking)
    assert zero.indices.tolist() == plain.indices.tolist()
    for name in ("aqe", "alphaqe", "dba"):
        same = create(name, count=0).fit(database).expand(queries, ranking)
        assert same.indices.tolist() == ranking.indices.tolist()


def test_negative_similarities_weigh_nothing():
    database = unit(np.array([[1.0, 0], [-1, 0.1], [0, 1]]))
    queries = unit(np.array([[1.0, 0]]))
    found = create("alphaqe", count=3, alpha=0.5).fit(database).expand(queries, searched(queries, database))
    assert np.isfinite(found.scores).all()
    assert found.indices[0, 0] == 0


def test_augmentation_by_hand():
    database, queries = data(n=12)
    s = (database @ database.T).astype(np.float64)
    np.fill_diagonal(s, -2)
    expected = []
    for i in range(12):
        near = np.argsort(-s[i], kind="stable")[:3]
        expected.append(database[i] + (s[i, near] ** 2)[:, None].T @ database[near])
    fitted = create("dba", count=3, alpha=2).fit(database)
    clipped = (s.max(1) > 0).all()
    assert clipped
    np.testing.assert_allclose(fitted.database, unit(np.concatenate(expected)), atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_each_query_is_answered_on_its_own(name):
    database, queries = data(q=7)
    ranking = searched(queries, database)
    fitted = create(name).fit(database)
    together = fitted.expand(queries, ranking)
    for row in range(7):
        alone = fitted.expand(queries[[row]], Ranking(ranking.indices[[row]], ranking.scores[[row]]))
        assert alone.indices[0].tolist() == together.indices[row].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_renaming_the_images_renames_the_answers(name):
    database, queries = data(noise=0.8)
    permutation = np.random.default_rng(1).permutation(len(database))
    found = create(name).fit(database).expand(queries, searched(queries, database))
    again = create(name).fit(database[permutation]).expand(queries, searched(queries, database[permutation]))
    assert permutation[again.indices[:, :10]].tolist() == found.indices[:, :10].tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_tiny_databases_duplicates_and_empty_descriptors(name, n):
    database = np.zeros((n, 4), np.float32)
    database[0] = database[-1] = [1, 0, 0, 0]
    queries = np.array([[0, 1, 0, 0], [1, 0, 0, 0]], np.float32)
    found = create(name).fit(database).expand(queries, searched(queries, database))
    assert sorted(found.indices[0]) == list(range(n))
    assert np.isfinite(found.scores).all()
    assert (np.diff(found.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_ranking_stays_as_long_and_nothing_is_changed(name):
    database, queries = data()
    whole = searched(queries, database)
    ranking = Ranking(whole.indices[:, :15].copy(), whole.scores[:, :15].copy())
    before = database.copy(), queries.copy(), ranking.indices.copy()
    found = create(name).fit(database).expand(queries, ranking)
    assert found.indices.shape == (5, 15)
    for old, new in zip(before, (database, queries, ranking.indices), strict=True):
        np.testing.assert_array_equal(old, new)
