"""The mixture against its formulas, on blobs whose place is known, and on maps without any."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.core.errors import InvalidInput
from harness_evidence import egm as reference
from harness_pooling.egm import Detection, Mixture, maximised
from harness_pooling.purging import kept_components


def blobs(rng, shape=(48, 64)):
    """One to six Gaussian blobs, 2.5 joint standard deviations apart along an axis: map, centres, deviations."""
    count = int(rng.integers(1, 7))
    centres, sizes = [], []
    while len(sizes) < count:
        size = rng.uniform(1.5, 5, 2) * 0.97 ** len(sizes)
        centre = rng.uniform(2.5 * size, np.array(shape) - 1 - 2.5 * size)
        if all((abs(centre - c) / (size + s)).max() >= 2.5 for c, s in zip(centres, sizes, strict=True)):
            centres, sizes = [*centres, centre], [*sizes, size]
        elif rng.random() < 0.01:
            centres, sizes = [], []
    y, x = np.indices(shape)
    heights = rng.uniform(0.5, 1, count)
    parts = [
        h * np.exp(-0.5 * (((y - c[0]) / s[0]) ** 2 + ((x - c[1]) / s[1]) ** 2))
        for h, c, s in zip(heights, centres, sizes, strict=True)
    ]
    return sum(parts), np.array(centres), np.array(sizes)


def right(regions, centres, sizes, shape=(48, 64)):
    """Whether each blob has one region whose centre and half-sides are within a cell."""
    if len(regions) != len(centres):
        return False
    found = np.array(regions, float)
    low, high = found[:, :2] - 0.5, found[:, :2] + found[:, 2:] - 0.5
    first = np.maximum(centres - 3**0.5 * sizes, -0.5)
    last = np.minimum(centres + 3**0.5 * sizes, np.array(shape) - 0.5)
    misses = np.abs((low + high)[:, None] - (first + last)).max(2) / 2
    extents = np.abs((high - low)[:, None] - (last - first)).max(2) / 2
    best = misses.argmin(0)
    column = np.arange(len(centres))
    return len(set(best)) == len(centres) and max(misses[best, column].max(), extents[best, column].max()) <= 1


def test_finds_separated_blobs():
    rng, detection = np.random.default_rng(0), Detection(exponent=1.0)
    hits = 0
    for _ in range(200):
        saliency, centres, sizes = blobs(rng)
        hits += right(detection.detect(saliency), centres, sizes)
    assert hits >= 190


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("about", ["new", "old"])
@pytest.mark.parametrize("iterations", [1, 2, 6])
def test_equals_the_formulas(weighted, about, iterations):
    rng = np.random.default_rng(iterations)
    samples = rng.uniform(0.01, 1, (9, 11)) * (rng.random((9, 11)) < 0.7)
    detection = Detection(iterations=iterations, overlap=0.6, weight_samples=weighted, variance_about=about)
    found = detection.mixture(samples)
    slow = reference.slow_mixture(samples, 2.5, 0.6, iterations, weighted, about == "new")
    for fast, part in zip(found, zip(*slow, strict=True), strict=True):
        np.testing.assert_allclose(fast, np.array(part), rtol=1e-8, atol=1e-10)


def test_cells_far_from_every_component():
    mixture = Mixture(np.array([0.6, 0.4]), np.array([[1.0, 2.0], [2.0, 5.0]]), np.full((2, 2), 0.1))
    weight = np.zeros((3, 200))
    weight[1, [2, 6, 150]] = 0.5, 0.3, 0.2
    found = maximised(mixture, weight, 0.1, True)
    cells = np.argwhere(weight > 0).astype(float)
    slow = reference.slow_step(list(zip(*mixture, strict=True)), cells, weight[weight > 0], 0.1)
    for fast, part in zip(found, zip(*slow, strict=True), strict=True):
        np.testing.assert_allclose(fast, np.array(part), rtol=1e-10)


def test_compiled_purge_equals_python():
    rng = np.random.default_rng(0)
    weights = np.round(rng.random(60), 1) + 0.1
    mixture = Mixture(weights / weights.sum(), rng.uniform(0, 12, (60, 2)), rng.uniform(0.2, 4, (60, 2)))
    plain = kept_components.py_func(np.argsort(-mixture.weights, kind="stable"), *mixture, 0.6)
    np.testing.assert_array_equal(Detection(overlap=0.6).purged(mixture).centres, mixture.centres[plain])
    assert 1 < len(plain) < 60


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (6, 8)])
def test_empty_map_gives_the_whole_map(shape):
    assert Detection().detect(np.zeros(shape)) == [(0, 0, *shape)]


@pytest.mark.parametrize("mask", ["absolute", "before", "after"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (20, 30)])
def test_constant_map_is_covered_by_regions_in_it(shape, mask):
    found = Detection(mask=mask).detect(np.full(shape, 0.7))
    assert found == Detection(mask=mask).detect(np.full(shape, 0.7))
    assert found
    assert all(
        y >= 0 and x >= 0 and h >= 1 and w >= 1 and y + h <= shape[0] and x + w <= shape[1] for y, x, h, w in found
    )


def test_a_uniform_component_gives_its_rectangle():
    cells = np.array([(y, x) for y in range(3, 9) for x in range(10, 13)], float)
    mixture = Mixture(np.ones(1), cells.mean(0)[None], cells.var(0)[None] + 1 / 12)
    assert Detection().rectangles(mixture, (20, 20)) == [(3, 10, 6, 3)]


def test_at_most_so_many_regions_the_heaviest_first():
    saliency, *_ = blobs(np.random.default_rng(3))
    every = Detection(exponent=1.0).detect(saliency)
    assert len(every) > 1
    assert Detection(exponent=1.0, regions=1).detect(saliency) == every[:1]


def test_the_evolution_ends_with_the_mixture():
    detection = Detection(exponent=1.0)
    samples = detection.samples(blobs(np.random.default_rng(3))[0])
    turns = list(detection.evolution(samples))
    assert len(turns[0].weights) == (samples > 0).sum()
    assert all(len(a.weights) >= len(b.weights) for a, b in itertools.pairwise(turns))
    for last, same in zip(turns[-1], detection.mixture(samples), strict=True):
        np.testing.assert_array_equal(last, same)


def test_regions_have_the_weights_of_their_components():
    saliency, *_ = blobs(np.random.default_rng(3))
    regions, weights = Detection(exponent=1.0, regions=2).weighed(saliency)
    assert len(regions) == len(weights) == 2
    assert weights[0] >= weights[1] > 0
    assert Detection().weighed(np.zeros((3, 4)))[1].tolist() == [1.0]


def test_scale_does_not_matter():
    saliency, *_ = blobs(np.random.default_rng(3))
    assert Detection().detect(saliency) == Detection().detect(saliency * 2.0**-40)


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((0, 4)), np.full((2, 2), np.nan), -np.ones((2, 2))])
def test_refuses_what_is_no_saliency_map(bad):
    with pytest.raises(InvalidInput):
        Detection().detect(bad)
