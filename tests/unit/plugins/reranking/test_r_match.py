"""Cross-matching of regions against loops in float64, and the reduction of regions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import InvalidInput
from harness.retrieval.reranking import packed, stored_bytes, unpacked
from harness_pooling.regions import region_grid
from harness_reranking.r_match import RMatch, reduced
from harness_whitening.pca import PCA


def some_maps(seed=0, shape=(8, 10, 12)):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.maximum(rng.normal(size=shape) - 0.3, 0).astype(np.float32))


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_regions_are_those_of_the_grid_at_every_scale():
    maps = [some_maps(0), some_maps(1, (8, 5, 6))]
    found = RMatch(levels=2).describe(maps, "database")
    expected = []
    for part in maps:
        a = part.numpy().astype(float)
        for y, x, h, w in region_grid(*a.shape[1:], 2):
            expected.append(unit((a[:, y : y + h, x : x + w] ** 3).mean((1, 2)) ** (1 / 3)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert stored_bytes(found) == 4 * 8 * len(expected)


def test_score_is_the_sum_of_the_best_cosines():
    rng = np.random.default_rng(0)
    query, *images = (unit(rng.normal(size=(n, 6))).astype(np.float32) for n in (4, 3, 1, 7))
    images.insert(1, np.empty((0, 6), np.float32))
    found = RMatch().score(query, images)
    slow = [sum(max(float(q @ x) for x in image) for q in query) if len(image) else -np.inf for image in images]
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert list(np.argsort(-found)) == list(np.argsort(-np.array(slow)))
    np.testing.assert_allclose(np.delete(found, 1), np.delete(slow, 1), rtol=1e-5)
    assert found[1] < -len(query)


def test_an_image_matches_itself_best():
    method = RMatch()
    features = [method.describe([some_maps(i)], "database") for i in range(5)]
    assert method.score(method.describe([some_maps(3)], "query"), features).argmax() == 3


@pytest.mark.parametrize("soft", [True, False])
def test_reduction_finds_separated_groups(soft):
    rng = np.random.default_rng(0)
    centres = np.eye(6)[:3]
    rows = unit(np.repeat(centres, 7, axis=0) + 0.02 * rng.normal(size=(21, 6))).astype(np.float32)
    found = reduced(rows, 3, soft)
    assert found.shape == (3, 6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert sorted((found @ centres.T).argmax(1).tolist()) == [0, 1, 2]
    assert (found @ centres.T).max(1).min() > 0.99
    np.testing.assert_array_equal(reduced(rows, 3, soft), found)


@pytest.mark.parametrize("soft", [True, False])
def test_reduction_of_equal_vectors_is_finite(soft):
    rows = np.ones((5, 4), np.float32) / 2
    np.testing.assert_allclose(reduced(rows, 2, soft), rows[:2], rtol=1e-6)


@pytest.mark.parametrize("reduction", ["gmm", "k-means"])
def test_only_database_images_are_reduced(reduction):
    method = RMatch(keep=3, reduction=reduction)
    assert method.describe([some_maps()], "database").shape == (3, 8)
    assert len(method.describe([some_maps()], "query")) == len(region_grid(10, 12, 3))
    assert method.describe([torch.zeros(8, 3, 4)], "database").any() == np.False_


def test_regions_of_feature_saliency():
    method = RMatch(regions="egm")
    assert len(method.describe([some_maps()], "database")) < len(method.describe([some_maps()], "query"))


def test_what_is_stored_goes_through_the_cache_unchanged():
    method = RMatch()
    features = [method.describe([some_maps(i, (8, 4 + i, 5))], "database") for i in range(3)]
    again = [method.unpack(arrays) for arrays in unpacked(packed([method.pack(one) for one in features]), 3)]
    assert all(np.array_equal(a, b) for a, b in zip(features, again, strict=True))


def test_regions_are_whitened_by_what_the_database_shows():
    rng = np.random.default_rng(0)
    scales = np.array([5, 5, 1, 1, 1, 1])
    images = [unit(rng.normal(size=(7, 6)) * scales + 1).astype(np.float32) for _ in range(12)]
    learnt = RMatch().fit(iter(images))
    whitening = PCA().fit(np.concatenate(images))
    query, candidates = images[0], images[1:]
    expected = [(whitening.apply(query) @ whitening.apply(image).T).max(1).sum() for image in candidates]
    prepared = [learnt.prepared(image) for image in candidates]
    np.testing.assert_allclose(learnt.score(learnt.prepared(query), prepared), expected, rtol=1e-4)
    assert learnt.report["regions"] == "whitened"


@pytest.mark.parametrize(
    ("parameters", "learns"),
    [
        ({}, True),
        ({"preset": "thesis"}, False),
        ({"whiten": False}, False),
        ({"preset": "thesis", "whiten": True}, True),
    ],
)
def test_the_preset_says_whether_regions_are_whitened(parameters, learns):
    assert RMatch(**parameters).learns is learns


def test_regions_of_no_image_teach_no_whitening():
    with pytest.raises(InvalidInput, match="cannot be learnt from"):
        RMatch().fit(iter(()))
