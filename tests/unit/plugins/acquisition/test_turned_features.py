"""Methods that look at distances or angles pick the same examples in any axes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.registry import load_registry


def pool(turned):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(160, 10)) / np.arange(1, 11)
    if turned:
        features = features @ np.linalg.qr(np.random.default_rng(7).normal(size=(10, 10)))[0]
    labels = np.where(np.arange(160) < 8, np.arange(160) % 4, -1)
    return Pool(features.astype(np.float32), np.full((160, 4), 0.25), labels)


@pytest.mark.parametrize(
    "name",
    [
        "coreset",
        "kmeans",
        "typiclust",
        "probcover",
        "jlp",
        "max-herding",
        "uncertainty-herding",
        "clue",
        "cluster-margin",
        "bait",
    ],
)
def test_turning_the_features_changes_no_pick(name):
    """Tolerance: none, as no two candidates lie within float32 rounding of each other here."""
    method = load_registry().create("acquisition", name)
    straight, moved = (method.select(pool(turned), 12, np.random.default_rng(3)).tolist() for turned in (False, True))
    assert straight == moved
