from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.search import k_means
from harness_acquisition.clue import Clue

RNG = np.random.default_rng


def test_one_centre_is_the_weighted_mean():
    points = RNG(0).normal(size=(30, 3)).astype(np.float32)
    weights = RNG(1).random(30)
    centres, _ = k_means(points, 1, 0, 20, weights)
    np.testing.assert_allclose(centres[0], np.average(points, axis=0, weights=weights), atol=1e-6)


@pytest.mark.parametrize("weights", [None, np.zeros(30)])
def test_without_weights_all_weigh_the_same(weights):
    points = RNG(0).normal(size=(30, 3)).astype(np.float32)
    centres, _ = k_means(points, 1, 0, 20, weights)
    np.testing.assert_allclose(centres[0], points.mean(axis=0), atol=1e-6)


def test_few_heavy_points_and_clusters_that_empty_come_to_an_end():
    points = np.repeat(RNG(0).normal(size=(3, 2)), 10, axis=0).astype(np.float32)
    weights = np.full(30, 1e-6)
    weights[0] = 1
    assert len(k_means(points, 12, 0, 20, weights)[0]) == 12


def test_certain_examples_draw_no_centre():
    """A cluster of certain predictions and one of uncertain ones: one centre lies among the uncertain."""
    features = np.repeat([[0.0, 0.0], [10.0, 0.0]], 20, axis=0) + RNG(0).normal(size=(40, 2)) * 0.1
    p = np.repeat([[1.0, 0.0], [0.5, 0.5]], 20, axis=0)
    assert Clue().select(Pool(features, p, np.full(40, -1)), 1, RNG(0))[0] >= 20
