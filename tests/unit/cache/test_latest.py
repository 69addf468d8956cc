"""What was computed last, known by the content of what it was computed from."""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.cache.latest import Latest
from harness.core.cost import measured


def test_equal_arrays_in_turn_are_computed_once():
    asked = []
    latest = Latest(lambda array: asked.append(1) or array.sum())
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert latest.of(x) == latest.of(x.copy()) == latest.of(np.asfortranarray(x)) == 66
    assert len(asked) == 1


def test_another_content_shape_or_type_is_computed_again():
    asked = []
    latest = Latest(lambda array: asked.append(1))
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    changed = x.copy()
    changed[2, 3] = 0
    others = (x, changed, x[::-1], x[:, ::-1], x[:2], x.reshape(4, 3), x.view(np.int32), x)
    for other in others:
        latest.of(other)
    assert len(asked) == len(others)


def test_what_was_found_counts_with_what_it_took():
    def slow(array):
        for _ in range(200):
            array = array @ array
        return array

    latest, x = Latest(slow), np.eye(50)
    with measured() as first:
        latest.of(x)
    with measured() as second:
        latest.of(x)
    assert not first.cached
    assert second.cached
    assert second.wall_s > 0


def test_its_memory_counts_as_well():
    def large(array):
        held = np.ones(8 << 20)  # 64 MB, long enough to be sampled on a busy machine
        time.sleep(0.3)
        return held.sum()

    latest = Latest(large)
    peaks = []
    for _ in range(2):
        with measured() as cost:
            latest.of(np.zeros(2))
        peaks.append(cost.peak_bytes)
    assert peaks[1] == pytest.approx(peaks[0], rel=0.5)
    assert peaks[1] > 1 << 24


def test_what_is_forgotten_is_computed_again():
    asked = []
    latest = Latest(lambda array: asked.append(1))
    for _ in range(2):
        latest.of(np.zeros(2))
        latest.forget()
    assert len(asked) == 2


def test_other_numbers_are_another_question():
    asked = []
    latest = Latest(lambda array, *numbers: asked.append(numbers))
    for numbers in ((), (1,), (1,), (1, 2)):
        latest.of(np.arange(3), *numbers)
    assert asked == [(), (1,), (1, 2)]
