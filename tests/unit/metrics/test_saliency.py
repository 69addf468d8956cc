"""Saliency precision: area shares at the border of the box, and maps without saliency."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.metrics.saliency import saliency_precision, saliency_precisions


def test_cells_count_by_their_share_in_the_box():
    saliency = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert saliency_precision(saliency, (0, 0, 16, 16), 8) == 1
    assert saliency_precision(saliency, (8, 0, 16, 8), 8) == pytest.approx(0.2)
    assert saliency_precision(saliency, (4, 0, 16, 8), 8) == pytest.approx(0.25)
    assert saliency_precision(saliency, (-50, 8, 99, 12), 8) == pytest.approx(0.35)
    assert saliency_precision(saliency, (20, 20, 30, 30), 8) == 0


@given(st.integers(0, 10_000))
def test_a_uniform_map_gives_the_share_of_the_area(seed):
    rng = np.random.default_rng(seed)
    (x0, x1), (y0, y1) = np.sort(rng.uniform(0, 64, (2, 2)), axis=1) + [[0, 1e-3]]
    found = saliency_precision(np.ones((8, 8)), (x0, y0, x1, y1), 8)
    assert found == pytest.approx((min(x1, 64) - x0) * (min(y1, 64) - y0) / 64**2, abs=1e-9)


def test_maps_without_saliency_are_counted_apart():
    box = (0.0, 0.0, 8.0, 16.0)
    assert math.isnan(saliency_precision(np.zeros((2, 2)), box, 8))
    found = saliency_precisions([np.ones((2, 2)), np.zeros((2, 2)), np.array([[1, 0], [0, 0]])], [box] * 3, 8)
    assert (found.mean, found.excluded) == (0.75, 1)
    assert math.isnan(saliency_precisions([np.zeros((1, 1))], [box], 8).mean)
    with pytest.raises(ValueError, match="argument"):
        saliency_precisions([np.ones((2, 2))], [], 8)


@pytest.mark.parametrize(
    ("saliency", "box", "stride"),
    [
        (np.ones(3), (0, 0, 1, 1), 8),
        (-np.ones((2, 2)), (0, 0, 1, 1), 8),
        (np.full((2, 2), np.nan), (0, 0, 1, 1), 8),
        (np.ones((2, 2)), (1, 0, 1, 1), 8),
        (np.ones((2, 2)), (0, 0, 1, 1), 0),
    ],
)
def test_refuses_nonsense(saliency, box, stride):
    with pytest.raises(InvalidInput):
        saliency_precision(saliency, box, stride)
