from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness.plugin_api import LinearHead
from harness_acquisition.dropquery import DropQuery

RNG = np.random.default_rng


def test_candidates_are_those_that_lost_features_change():
    """One feature decides the class of the first half; the other half has all features alike."""
    features = np.zeros((40, 40), np.float32)
    features[:20, 0] = 0.01
    features[20:] = 5
    head = LinearHead(np.array([[0.0] * 40, [1.0] * 40], np.float32), np.array([0.005, 0], np.float32))
    pool = Pool(features, np.full((40, 2), 0.5), np.full(40, -1), head=lambda: head)
    assert (DropQuery().select(pool, 5, RNG(0)) < 20).all()


def test_without_a_linear_last_layer_it_says_so():
    with pytest.raises(InvalidInput, match="no linear last layer"):
        DropQuery().select(Pool(np.zeros((3, 2)), np.full((3, 2), 0.5), np.full(3, -1)), 1, RNG(0))
