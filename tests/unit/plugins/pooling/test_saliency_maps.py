"""Feature saliency, patches, the regression over regions, and the two poolings, against loops in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import InvalidInput
from harness_evidence.pooling import plain_maps, slow_gem, slow_pooled, slow_saliency
from harness_pooling.fs_egm import FeatureSaliencyEGM
from harness_pooling.gem import GeM
from harness_pooling.os_egm import ObjectSaliencyEGM
from harness_pooling.region_whitening import RegionWhitening
from harness_pooling.saliency import RegionIndex, feature_saliency, patches


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 5), (8, 10, 12)])
def test_feature_saliency(shape):
    maps = plain_maps(shape=shape)
    np.testing.assert_allclose(feature_saliency(maps), slow_saliency(maps.numpy(), 1e-6), rtol=1e-5, atol=1e-6)


def test_feature_saliency_of_empty_batched_and_scaled_maps():
    maps = torch.stack([plain_maps(0), torch.zeros(8, 10, 12), plain_maps(1)])
    found = feature_saliency(maps)
    assert not found[1].any()
    torch.testing.assert_close(found[2], feature_saliency(maps[2]))
    torch.testing.assert_close(feature_saliency(maps * 1e25), found)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 7, 30])
@pytest.mark.parametrize("p", [float("inf"), 3.0])
def test_patches(side, p):
    maps = plain_maps()
    found = patches(maps, side, p).numpy()
    for y in range(10):
        for x in range(12):
            top, left = max(0, y - side // 2), max(0, x - side // 2)
            part = maps.numpy()[:, top : y - side // 2 + side, left : x - side // 2 + side]
            expected = part.max((1, 2)) if p == float("inf") else slow_gem(part, p)
            np.testing.assert_allclose(found[:, y, x], expected, rtol=1e-4, atol=1e-5)


def unit(rng, n, d):
    rows = rng.normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 4, 100])
def test_regression_over_neighbours(k):
    rng = np.random.default_rng(k)
    regions, asked, worth = unit(rng, 40, 6), unit(rng, 25, 6), rng.random(40).astype(np.float32)
    similarities = asked.astype(float) @ regions.T.astype(float)
    expected = [(np.maximum(row, 0) * worth)[np.argsort(-row)[:k]].sum() for row in similarities]
    np.testing.assert_allclose(RegionIndex(regions, worth).regress(asked, k), expected, rtol=1e-5, atol=1e-6)


def test_approximate_index_finds_itself():
    rng = np.random.default_rng(0)
    regions = unit(rng, 500, 8)
    found = RegionIndex(regions, np.ones(500), "approximate").neighbours(regions, 1)[1]
    assert (found[:, 0] == np.arange(500)).mean() > 0.99
    assert RegionIndex(regions, np.ones(500)).regress(regions[:0], 3).shape == (0,)


def test_an_approximate_search_gives_the_similarities_of_what_it_finds_as_an_exact_one_does():
    rng = np.random.default_rng(0)
    regions, asked = unit(rng, 500, 8), unit(rng, 20, 8)
    similarities, positions = RegionIndex(regions, np.ones(500), "approximate").neighbours(asked, 3)
    np.testing.assert_allclose(
        similarities, (asked @ regions.T)[np.arange(20)[:, None], positions], rtol=1e-5, atol=1e-7
    )


def test_recall_is_the_share_of_nearest_regions_that_are_found():
    rng = np.random.default_rng(0)
    regions, asked = unit(rng, 2000, 8), unit(rng, 50, 8)
    index = RegionIndex(regions, np.ones(2000), "approximate")
    exact = np.argsort(-asked @ regions.T, axis=1)[:, :5]
    found = index.neighbours(asked, 5)[1]
    shares = [len({*row} & {*best}) / 5 for row, best in zip(found.tolist(), exact.tolist(), strict=True)]
    assert index.recall(asked, 5) == pytest.approx(np.mean(shares))
    assert 0 < index.recall(asked, 5) < 1
    assert RegionIndex(regions, np.ones(2000)).recall(asked, 5) == 1
    assert RegionIndex(regions[:3], np.ones(3)).recall(asked, 5) == 1


def test_an_approximate_search_reports_its_recall_on_patches_of_the_database():
    images = [plain_maps(seed) for seed in range(3)]
    parameters = {"k": 3, "threshold": 0.0}
    exact = ObjectSaliencyEGM(**parameters).fit(iter(images))
    fitted = ObjectSaliencyEGM(**parameters, search="approximate").fit(iter(images))
    assert exact.report == {}
    assert 0 < fitted.report["recall"] <= 1
    np.testing.assert_array_equal(fitted.index.descriptors, exact.index.descriptors)


def test_whitened_regions_are_white():
    rows = np.random.default_rng(0).random((300, 5)).astype(np.float32) ** 2
    whitening = RegionWhitening.learn([rows], 3)
    unit_rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(
        np.cov(whitening.projection @ (unit_rows - whitening.mean).T, bias=True), np.eye(3), atol=1e-3
    )
    whitened = whitening.apply(np.concatenate([rows[:4], np.zeros((1, 5), np.float32)]))
    np.testing.assert_allclose(np.linalg.norm(whitened, axis=1), [1, 1, 1, 1, 0], atol=1e-6)


def test_regions_that_do_not_vary_give_finite_descriptors():
    rows = np.ones((6, 4), np.float32)
    assert np.isfinite(RegionWhitening.learn([rows], 0).apply(rows)).all()


@pytest.mark.parametrize("preset", ["thesis", "recommended"])
def test_fs_egm_is_the_sum_over_its_regions(preset):
    pooling, maps = FeatureSaliencyEGM(preset=preset), torch.stack([plain_maps(i) for i in range(3)])
    for image, found in zip(maps, pooling.pool(maps), strict=True):
        regions, weights = pooling.weighed(slow_saliency(image.numpy(), 1e-6))
        assert len(regions) == len(weights)
        rows = [slow_gem(image.numpy()[:, y : y + h, x : x + w], 3.0) for y, x, h, w in regions]
        shares = weights if preset == "recommended" else np.ones(len(rows))
        total = sum(share * row / np.linalg.norm(row) for share, row in zip(shares, rows, strict=True))
        np.testing.assert_allclose(found, total, rtol=1e-4)
    assert pooling.pool(maps[None]).shape == (1, 3, 8)
    assert not pooling.pool(torch.zeros(8, 3, 4)).any()
    with pytest.raises(InvalidInput):
        pooling.pool(torch.zeros(8, 0, 4))


SHAPES = [(1, 1, 1), (3, 1, 1), (4, 1, 5), (4, 5, 1), (5, 7, 10), (8, 13, 9), (16, 24, 32)]


@pytest.mark.parametrize("fill", ["random", "zero", "constant"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("preset", ["thesis", "recommended"])
def test_both_poolings_equal_the_formula_on_every_shape(shape, fill, preset):
    """The regions are those of the saliency map, which have tests of their own; here it is what is made of them."""
    maps = {"random": plain_maps(shape=shape), "zero": torch.zeros(shape), "constant": torch.full(shape, 0.7)}[fill]
    first = FeatureSaliencyEGM(preset=preset)
    fitted = ObjectSaliencyEGM(preset=preset, k=3).fit(iter([maps, plain_maps(7, shape)]))
    for method, detection in ((first, first), (fitted, fitted.parameters)):
        regions, weights = detection.weighed(method.saliency(maps).numpy())
        shares = weights if preset == "recommended" else np.ones(len(regions))
        found = method.pool(maps)
        assert found.shape == shape[:1]
        np.testing.assert_allclose(found, slow_pooled(maps.numpy(), regions, shares), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("options", "cropped_whole", "uncropped_whole"),
    [
        ({}, True, False),
        ({"preset": "thesis"}, True, True),
        ({"query": "whole"}, True, True),
        ({"query": "regions"}, False, False),
        ({"preset": "thesis", "query": "regions"}, False, False),
    ],
)
def test_how_queries_are_pooled(options, cropped_whole, uncropped_whole):
    maps, whole = plain_maps(), GeM().pool(plain_maps())
    for method in (FeatureSaliencyEGM(**options), ObjectSaliencyEGM(**options).fit(iter([maps]))):
        regions = method.pool(maps)
        torch.testing.assert_close(method.pool_query(maps), whole if cropped_whole else regions)
        torch.testing.assert_close(method.pool_uncropped_query(maps), whole if uncropped_whole else regions)


def test_the_exponent_is_that_of_the_preset_where_none_is_stated():
    methods = (FeatureSaliencyEGM, ObjectSaliencyEGM)
    assert [method(preset="thesis").contrast for method in methods] == [7, 2]  # thesis 5.4.2
    assert [method().contrast for method in methods] == [7, 1]
    assert [method(exponent=3.0).contrast for method in methods] == [3, 3]
    assert ObjectSaliencyEGM().first_pass.contrast == 7


@pytest.mark.parametrize("patch_pooling", ["max", "gem"])
def test_object_saliency_is_the_formula(patch_pooling):
    images = [plain_maps(i) for i in range(12)]
    fitted = ObjectSaliencyEGM(dim=4, k=5, neighbours=3, threshold=0.0, patch_pooling=patch_pooling).fit(iter(images))
    descriptors, worth = fitted.index.descriptors.astype(float), fitted.index.worth
    found = fitted.saliency(images[0]).numpy()
    own = slow_saliency(images[0].numpy(), 1e-6) ** 3
    rows = patches(images[0], 5, float("inf") if patch_pooling == "max" else 3.0)
    for y, x in [(0, 0), (4, 7), (9, 11), (2, 3)]:
        similarities = descriptors @ fitted.whitening.apply(rows[:, y, x].numpy()[None])[0]
        nearest = np.argsort(-similarities)[:3]
        expected = own[y, x] * (np.maximum(similarities[nearest], 0) * worth[nearest]).sum()
        np.testing.assert_allclose(found[y, x], expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("kind", ["degree", "eigenvector", "pagerank", "katz", "betweenness", "closeness"])
def test_os_egm_end_to_end(kind):
    images = [plain_maps(i) for i in range(6)] + [torch.zeros(8, 4, 5)]
    fitted = ObjectSaliencyEGM(k=5, neighbours=3, centrality=kind).fit(iter(images))
    for image in images:
        assert torch.isfinite(fitted.pool(image)).all()
    assert not fitted.pool(images[-1]).any()
    both = torch.stack(images[:2])
    torch.testing.assert_close(fitted.pool(both), torch.stack([fitted.pool(image) for image in both]))
    again = ObjectSaliencyEGM(k=5, neighbours=3, centrality=kind).fit(iter(images))
    assert torch.equal(again.pool(both), fitted.pool(both))


def test_fit_keeps_no_maps():
    import weakref

    alive = []

    def stream():
        for i in range(8):
            maps = plain_maps(i)
            alive.append(weakref.ref(maps))
            yield maps
            del maps
            assert sum(ref() is not None for ref in alive) <= 2

    ObjectSaliencyEGM().fit(stream())
    assert not any(ref() is not None for ref in alive)


def test_os_egm_needs_a_database():
    with pytest.raises(InvalidInput):
        ObjectSaliencyEGM().pool(plain_maps())
    with pytest.raises(InvalidInput):
        ObjectSaliencyEGM().fit(iter([]))
