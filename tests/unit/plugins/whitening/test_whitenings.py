"""Whitenings against their definition: covariances become identities, Gram matrices equal those of slow formulas."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from harness.core.errors import InvalidInput
from harness_evidence.whitening import gram, slow_released, slow_thesis, some_descriptors, some_pairs
from harness_whitening.pca import PCA
from harness_whitening.supervised import Supervised


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def projected(fitted, x):
    return (unit(x.astype(np.float64)) - fitted.mean) @ fitted.projection.T


@pytest.mark.parametrize("dim", [0, 1, 5])
def test_pca_gives_unit_covariance(dim):
    x = some_descriptors(300, 12)
    fitted = PCA(dim=dim, preset="thesis").fit(x)
    z = projected(fitted, x)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(z.T @ z / len(z), np.eye(dim or 12), atol=1e-7)
    assert fitted.rank == 12


def test_pca_keeps_the_directions_of_largest_variance():
    x = some_descriptors(200, 8)
    fitted = PCA(dim=3, preset="thesis").fit(x)
    values, vectors = np.linalg.eigh(np.cov(unit(x.astype(np.float64)).T, bias=True))
    slow = (unit(x.astype(np.float64)) - unit(x.astype(np.float64)).mean(0)) @ vectors[:, -3:] / np.sqrt(values[-3:])
    np.testing.assert_allclose(gram(fitted.apply(x)), gram(unit(slow)), atol=1e-5)


def test_whitened_rows_are_float32_of_norm_one():
    x = some_descriptors(10_000, 6)
    for fitted in (PCA().fit(x), Supervised().fit(x, some_pairs(10_000, 50))):
        y = fitted.apply(x)
        assert y.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1, atol=1e-6)


def test_zero_rows_stay_zero():
    x = some_descriptors(50, 6)
    x[[0, 7]] = 0
    for fitted in (PCA().fit(x), Supervised().fit(x, some_pairs(50, 40))):
        y = fitted.apply(x)
        assert not y[[0, 7]].any()
        assert np.isfinite(y).all()
        assert y[1:7].any(1).all()


@pytest.mark.parametrize(("n", "d", "rank"), [(5, 20, 4), (2, 6, 1), (40, 6, 3)])
def test_pca_of_deficient_rank_is_said_and_finite(n, d, rank):
    rng = np.random.default_rng(1)
    x = some_descriptors(n, d)
    if n > d:
        x = unit(rng.normal(size=(n, 3)) @ rng.normal(size=(3, d))).astype(np.float32)
    fitted = PCA(preset="thesis").fit(x)
    assert fitted.rank == rank
    assert fitted.report == {"rank": rank, "missing": d - rank, "shrinkage": 0.0}
    assert fitted.apply(x).shape == (n, rank)
    assert np.isfinite(fitted.apply(some_descriptors(30, d, seed=5))).all()


@pytest.mark.parametrize("n", [1, 4])
def test_pca_of_equal_descriptors(n):
    x = np.repeat(some_descriptors(1, 5), n, axis=0)
    with pytest.warns(UserWarning, match="all descriptors are equal"):
        fitted = PCA(dim=2).fit(x)
    assert fitted.rank == 0
    assert not fitted.apply(x).any()


@pytest.mark.parametrize(("n", "d"), [(5, 20), (60, 20), (400, 8)])
def test_estimated_shrinkage_is_that_of_scikit_learn(n, d):
    from sklearn.covariance import ledoit_wolf_shrinkage, oas

    x = some_descriptors(n, d)
    centred = unit(x.astype(np.float64)) - unit(x.astype(np.float64)).mean(0)
    assert PCA().fit(x).shrinkage == pytest.approx(oas(centred, assume_centered=True)[1])
    fitted = PCA(shrink="ledoit-wolf").fit(x)
    assert fitted.shrinkage == pytest.approx(ledoit_wolf_shrinkage(centred, assume_centered=True))


@pytest.mark.parametrize(("n", "d"), [(5, 20), (100, 256)])
def test_few_descriptors_stay_apart_as_they_were(n, d):
    """Whitened without shrinkage all are equally far from each other; with it, copies stay nearer than others."""
    x = some_descriptors(n, d)
    near = x + 0.05 * np.random.default_rng(2).normal(size=x.shape).astype(np.float32) / d**0.5
    both = np.concatenate([x, near])
    plain, recommended = (PCA(preset=preset).fit(both) for preset in ("thesis", "recommended"))
    assert (plain.missing, recommended.missing) == (d - 2 * n + 1, 0)
    for fitted, finds in ((plain, False), (recommended, True)):
        similar = fitted.apply(x) @ fitted.apply(near).T
        assert bool((np.diag(similar) > 0.9).all()) is finds


@pytest.mark.parametrize(
    ("n", "d", "kept"), [(100, 300, 50), (200, 300, 64), (400, 300, 100), (2000, 300, 128), (3200, 300, 200)]
)
def test_a_direction_needs_two_to_sixteen_descriptors(n, d, kept):
    x = some_descriptors(n, d) * np.linspace(2, 0.02, d, dtype=np.float32) ** 3
    assert PCA().fit(x).apply(x).shape == (n, kept)


def test_by_default_large_groups_stay_apart():
    """The variance of all divides out what tells groups apart; that between neighbours keeps it."""
    rng = np.random.default_rng(0)
    groups = np.arange(100) % 4
    x = np.hstack([3 * np.eye(4)[groups], rng.normal(size=(100, 20))]).astype(np.float32)
    same = groups[:, None] == groups

    def contrast(method):
        similar = gram(method.fit(x).apply(x))
        return similar[same].mean() - similar[~same].mean()

    assert contrast(PCA()) > 1.5 * contrast(PCA(variance="all"))
    assert contrast(PCA(preset="thesis", variance="neighbours")) > 1.5 * contrast(PCA(preset="thesis"))


def test_neighbours_are_those_of_a_slow_search():
    x = some_descriptors(40, 6)
    x[[3, 9]] = 0
    fitted = PCA(variance="neighbours", shrink=0.1).fit(x)
    rows = unit(x[x.any(1)].astype(np.float64)) - fitted.mean
    directions = fitted.projection / np.linalg.norm(fitted.projection, axis=1, keepdims=True)
    compared = rows
    for _ in range(2):
        similar = gram(unit(compared))
        np.fill_diagonal(similar, -2)
        differences = rows - rows[similar.argmax(1)]
        along = ((differences @ directions.T) ** 2).mean(0) / 2
        scales = 0.9 * along + 0.1 * (differences**2).sum() / 2 / len(rows) / 6
        compared = rows @ directions.T / np.sqrt(scales)
    np.testing.assert_allclose(1 / np.linalg.norm(fitted.projection, axis=1) ** 2, scales, rtol=1e-4)


def test_copies_alone_are_whitened_by_the_variance_of_all():
    x = np.repeat(some_descriptors(20, 4), 2, axis=0)
    copies, whitened = PCA().fit(x), PCA(variance="all").fit(x)
    np.testing.assert_array_equal(copies.projection, whitened.projection)


def test_directions_that_carry_the_variance_are_kept_however_few_the_descriptors():
    fitted = PCA().fit(some_descriptors(40, 200))
    assert 20 < len(fitted.projection) < 40


def test_all_directions_asked_for_are_kept_where_variances_are_shrunk():
    fitted = PCA(dim=20).fit(some_descriptors(5, 20))
    assert (fitted.rank, fitted.missing) == (4, 0)
    assert fitted.apply(some_descriptors(3, 20)).shape == (3, 20)


@pytest.mark.parametrize("preset", ["thesis", "released-code"])
def test_supervised_presets_that_are_published_do_not_shrink(preset):
    x, pairs = some_descriptors(60, 7), some_pairs(60, 45)
    assert Supervised(preset=preset).fit(x, pairs).shrinkage == 0
    assert Supervised().fit(x, pairs).shrinkage > 0


def test_shrinkage_reaches_no_whitening():
    x = some_descriptors(100, 6)
    fitted = PCA(shrink=1.0).fit(x)
    centred = unit(x.astype(np.float64)) - unit(x.astype(np.float64)).mean(0)
    np.testing.assert_allclose(gram(fitted.apply(x)), gram(unit(centred)), atol=1e-5)


@pytest.mark.parametrize(("preset", "slow"), [("thesis", slow_thesis), ("released-code", slow_released)])
@pytest.mark.parametrize("dim", [0, 4])
def test_supervised_equals_its_definition(preset, slow, dim):
    x = some_descriptors(60, 7)
    pairs = some_pairs(60, 45)
    if preset == "released-code":
        pairs = np.concatenate([pairs, pairs[:9]])  # there repetition counts
    fitted = Supervised(dim=dim, preset=preset).fit(x, pairs)
    others = some_descriptors(20, 7, seed=9)
    expected = slow(x, pairs, dim or 7)(others)
    np.testing.assert_allclose(gram(fitted.apply(others)), gram(expected), atol=2e-5)


def test_thesis_preset_takes_each_pair_once_in_any_order():
    x, pairs = some_descriptors(60, 7), some_pairs(60, 45)
    doubled = np.concatenate([pairs, pairs[:20, ::-1]])
    np.testing.assert_allclose(
        gram(Supervised(preset="thesis").fit(x, pairs).apply(x)),
        gram(Supervised(preset="thesis").fit(x, doubled).apply(x)),
        atol=1e-5,
    )


def test_supervised_makes_matching_differences_white():
    x, pairs = some_descriptors(200, 6), some_pairs(200, 150)
    for preset in ("thesis", "released-code"):
        fitted = Supervised(preset=preset).fit(x, pairs)
        differences = projected(fitted, x[pairs[:, 0]]) - projected(fitted, x[pairs[:, 1]])
        np.testing.assert_allclose(differences.T @ differences / len(pairs), np.eye(6), atol=1e-6)
        spread = projected(fitted, x)
        assert (np.diff(spread.var(0)) <= 1e-6 * spread.var(0)[0]).all()  # most telling directions first


@pytest.mark.parametrize("preset", ["thesis", "released-code"])
def test_supervised_with_few_pairs_is_said_and_finite(preset):
    x = some_descriptors(30, 10)
    fitted = Supervised(preset=preset).fit(x, some_pairs(30, 3))
    assert (fitted.rank, fitted.missing) == (3, 7)
    assert np.isfinite(fitted.apply(x)).all()


@pytest.mark.parametrize("preset", ["thesis", "released-code"])
def test_pairs_of_equal_descriptors(preset):
    x = np.repeat(some_descriptors(5, 4), 2, axis=0)
    fitted = Supervised(preset=preset).fit(x, np.array([[0, 1], [2, 3]]))
    assert fitted.rank == 0
    assert np.isfinite(fitted.apply(x)).all()


def test_shrinkage_repairs_the_rank():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = Supervised(shrink=0.1).fit(some_descriptors(30, 10), some_pairs(30, 3))
    assert (fitted.rank, fitted.missing) == (10, 0)


@pytest.mark.parametrize("pairs", [None, np.empty((0, 2), np.int64)])
def test_no_pairs_says_so(pairs):
    with pytest.raises(InvalidInput, match="this dataset has none"):
        Supervised().fit(some_descriptors(5, 4), pairs)


@pytest.mark.parametrize("pairs", [[[0, 5]], [[-1, 0]], [[2, 2]], [[0, 1, 2]]])
def test_wrong_pairs_are_refused(pairs):
    with pytest.raises(InvalidInput, match="pair"):
        Supervised().fit(some_descriptors(5, 4), np.array(pairs))


@pytest.mark.parametrize("method", [PCA(), Supervised()])
@pytest.mark.parametrize(
    "descriptors", [np.zeros((0, 4), np.float32), np.zeros(4, np.float32), np.full((3, 4), np.nan, np.float32)]
)
def test_wrong_descriptors_are_refused(method, descriptors):
    with pytest.raises(InvalidInput, match="descriptors"):
        method.fit(descriptors, np.array([[0, 1]]))


def test_dim_above_the_descriptors_is_refused():
    with pytest.raises(InvalidInput, match="dim = 9"):
        PCA(dim=9).fit(some_descriptors(20, 4))


def test_apply_refuses_another_dimension():
    with pytest.raises(InvalidInput, match="cannot be whitened"):
        PCA().fit(some_descriptors(20, 4)).apply(some_descriptors(3, 5))


def test_same_data_same_bytes():
    x, pairs = some_descriptors(300, 16), some_pairs(300, 200)
    for method in (PCA(dim=8), Supervised(dim=8)):
        assert method.fit(x, pairs).apply(x).tobytes() == method.fit(x, pairs).apply(x).tobytes()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([[0, 1]], "pairs name image 1, there are 1"),
        ([[-2, 0]], "pairs name image -2"),
        ([[0, 0, 0]], "are not .p, 2. ids"),
    ],
)
def test_pairs_that_name_no_images_are_said(pairs, said):
    with pytest.raises(InvalidInput, match=said):
        Supervised().fit(np.ones((1, 4), np.float32), np.array(pairs))
