"""What the expansions take where their numbers are left to the size of the database."""

from __future__ import annotations

import pytest

from harness_expansion.alphaqe import AlphaQE
from harness_expansion.aqe import AQE
from harness_expansion.diffusion import Diffusion
from harness_expansion.regional import RegionalDiffusion
from harness_expansion.sizes import alpha_of


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(1, (5, 3, 0.0)), (100, (5, 3, 0.8)), (400, (20, 8, 0.9)), (10_000, (50, 10, 0.98)), (40_000, (50, 10, 0.99))],
)
def test_small_databases_have_fewer_neighbours_and_spread_less(n, sizes):
    assert Diffusion().sizes(n) == pytest.approx(sizes)


def test_what_is_stated_counts_and_presets_are_as_published():
    assert Diffusion(k=7, alpha=0.5).sizes(100) == (7, 3, 0.5)
    assert Diffusion(preset="thesis").sizes(100) == (50, 10, 0.99)
    assert Diffusion(preset="released-code", kq=3).sizes(100) == (50, 3, 0.99)
    assert RegionalDiffusion(preset="thesis").sizes(100) == (200, 200, 0.99)
    assert RegionalDiffusion().sizes(2000)[:2] == (100, 100)


def test_the_spread_never_falls_with_the_size():
    spreads = [alpha_of(n) for n in range(0, 50_000, 500)]
    assert spreads == sorted(spreads)


@pytest.mark.parametrize(("method", "n", "k"), [(AQE, 50, 1), (AQE, 500, 5), (AQE, 5000, 10), (AlphaQE, 500, 10)])
def test_means_over_few_images_in_small_databases(method, n, k):
    import numpy as np

    database = np.eye(n, 2, dtype=np.float32)
    assert method().fit(database).k == k
    assert method(preset="thesis").fit(database).k == (10 if method is AQE else 50)
