from __future__ import annotations

import numpy as np
import pytest
from small_pools import small_pool

from harness.active import Pool
from harness_acquisition.bait import Bait, information, reduced
from harness_evidence.gradients import fisher_roots, float64_predictions

RNG = np.random.default_rng


def test_information_is_the_sum_of_squared_roots():
    pool, _ = small_pool(3)
    z, p = pool.features.astype(np.float64), float64_predictions(pool)
    np.testing.assert_allclose(information(z, p), sum(v.T @ v for v in fisher_roots(z, p)), atol=1e-9)


def test_many_dimensions_become_principal_components_with_a_warning():
    features = RNG(0).normal(size=(30, 50)).astype(np.float32) * np.linspace(3, 0.1, 50, dtype=np.float32)
    with pytest.warns(UserWarning, match="40 principal components"):
        z = reduced(features, 100)
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    whole = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(z, axis=0)[:29], whole[:29], rtol=1e-6)


def test_candidates_are_drawn_by_the_seed():
    pool, _ = small_pool(4)
    drawn = np.sort(RNG(5).choice(pool.unlabelled, 6, replace=False))
    assert set(Bait(candidates=6).select(pool, 2, RNG(5))) <= set(drawn)
    assert len(Bait(candidates=1).select(Pool(pool.features, pool.probabilities, pool.labels), 4, RNG(0))) == 4
