"""Regional diffusion against a dense reference, and its pooling by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.plugin_api import Ranking
from harness_evidence.diffusion import dense_regional
from harness_expansion.regional import RegionalDiffusion, pooling_weights


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def regions_of(n_images, seed, d=6):
    """1 to 5 regions an image, in no order; image 0 has none."""
    rng = np.random.default_rng(seed)
    images = np.repeat(np.arange(1, n_images), rng.integers(1, 6, n_images - 1))
    images = rng.permutation(images)
    return unit(rng.normal(size=(len(images), d))), images


def by_image(regions, images, n_images):
    return [regions[images == image] for image in range(n_images)]


def whole(q, n):
    return Ranking(np.tile(np.arange(n), (q, 1)), np.zeros((q, n), np.float32))


@settings(max_examples=25)
@given(st.integers(0, 9999), st.integers(2, 40), st.sampled_from([3, 20, 200]), st.sampled_from([2, 10, 200]))
def test_equals_the_dense_reference(seed, n_images, k, kq):
    regions, images = regions_of(n_images, seed)
    rng = np.random.default_rng(seed + 1)
    queries = [unit(rng.normal(size=(m, 6))) for m in (1, 3, 5)]
    fitted = RegionalDiffusion(preset="thesis", k=k, kq=kq, max_iter=0, tol=1e-12).fit_regions(
        by_image(regions, images, n_images)
    )
    expected = dense_regional(regions, images, n_images, queries, k, kq)
    np.testing.assert_allclose(fitted.scores(queries), expected, rtol=1e-5, atol=1e-6 * expected.max())
    found = fitted.expand_regions(queries, whole(3, n_images))
    for row, values in enumerate(expected):
        assert sorted(found.indices[row]) == list(range(n_images))
        assert (np.diff(values[found.indices[row]]) <= 1e-5 * values.max()).all()
    short = Ranking(whole(3, n_images).indices[:, :2], np.zeros((3, 2), np.float32))
    assert (fitted.expand_regions(queries, short).indices == found.indices[:, :2]).all()


def test_pooling_weights_by_hand():
    regions = unit(np.array([[1.0, 0], [1, 0], [0, 1], [1, 0]]))
    # Two equal regions share what one alone has: (V^T V + I)^-1 1 is 1/3 each against 1/2.
    np.testing.assert_allclose(pooling_weights(regions, np.array([0, 0, 0, 1])), [1 / 3, 1 / 3, 1 / 2, 1 / 2])


def test_an_image_without_regions_scores_zero():
    regions, images = regions_of(10, 0)
    fitted = RegionalDiffusion(k=5, kq=5).fit_regions(by_image(regions, images, 10))
    assert fitted.scores([regions[:2]])[0, 0] == 0


def test_images_that_nothing_reaches_keep_their_order():
    database = [unit(np.eye(4)[[i]]) for i in (0, 1, 2, 3)]
    before = Ranking(np.array([[3, 0, 2, 1]]), np.zeros((1, 4), np.float32))
    found = RegionalDiffusion(k=2, kq=1).fit_regions(database).expand_regions([unit(np.eye(4)[[2]])], before)
    assert found.indices.tolist() == [[2, 3, 0, 1]]


def test_global_descriptors_are_images_of_one_region():
    database, queries = unit(np.random.default_rng(0).normal(size=(30, 5))), unit(np.ones((2, 5)))
    one = RegionalDiffusion(k=4, kq=6)
    found = one.fit(database).expand(queries, whole(2, 30))
    regional = one.fit_regions(list(database[:, None])).expand_regions(list(queries[:, None]), whole(2, 30))
    assert np.array_equal(found.indices, regional.indices)
    assert one.fit(database).report["edges"] > 0
