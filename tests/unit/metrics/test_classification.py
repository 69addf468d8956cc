from __future__ import annotations

import math

import pytest

from harness.core.errors import InvalidInput
from harness.metrics.classification import accuracy, area_under_curve, labels_needed


def test_accuracy():
    assert accuracy([1, 2, 3, 3], [1, 2, 3, 4]) == 0.75
    with pytest.raises(InvalidInput):
        accuracy([], [])
    with pytest.raises(InvalidInput):
        accuracy([1], [1, 2])


def test_area_is_the_mean_over_the_number_of_labels():
    assert area_under_curve([10, 20, 40], [0.2, 0.4, 0.4]) == pytest.approx((0.3 * 10 + 0.4 * 20) / 30)
    assert area_under_curve([10], [0.3]) == 0.3
    assert area_under_curve([10, 20], [0.7, 0.7]) == pytest.approx(0.7)
    with pytest.raises(InvalidInput, match="rise"):
        area_under_curve([10, 10], [0.1, 0.2])


def test_labels_needed_is_linear_between_cycles():
    assert labels_needed([10, 20, 30], [0.2, 0.4, 0.8], 0.6) == pytest.approx(25)
    assert labels_needed([10, 20], [0.5, 0.6], 0.5) == 10
    assert math.isnan(labels_needed([10, 20], [0.5, 0.6], 0.7))
