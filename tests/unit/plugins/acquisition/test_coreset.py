from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.active import Pool
from harness_acquisition import coreset
from harness_acquisition.coreset import CoreSet
from harness_evidence.coverage import slow_coreset

RNG = np.random.default_rng


def pool_of(features, labels):
    return Pool(features, np.full((len(features), 2), 0.5), labels)


@settings(max_examples=150)
@given(st.data())
def test_picks_equal_brute_force(data):
    """Small integers make ties and duplicates the rule; a small front makes every path run."""
    n, d = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 3))
    features = data.draw(arrays.arrays(np.float32, (n, d), elements=st.integers(-3, 3).map(float)))
    labels = np.array(data.draw(st.lists(st.sampled_from([-1, -1, 0, 1]), min_size=n, max_size=n)))
    budget = data.draw(st.integers(0, int((labels < 0).sum())))
    front = data.draw(st.sampled_from([1, 3, 1024]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coreset, "_FRONT", front)
        patch.setattr(coreset, "_ROWS", 7)
        patch.setattr(coreset, "_CENTRES", 5)
        picks = CoreSet().select(pool_of(features, labels), budget, RNG(0))
    assert picks.tolist() == slow_coreset(features, labels, budget)
    assert picks.dtype == np.int64


@pytest.mark.parametrize("front", [8, 1024])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_picks_equal_brute_force_on_clusters(monkeypatch, front, scale):
    monkeypatch.setattr(coreset, "_FRONT", front)
    rng = RNG(1)
    features = rng.normal(size=(300, 16)) + 4 * rng.normal(size=(8, 16))[rng.integers(0, 8, 300)]
    features = np.concatenate([features, features[:40]]) * scale
    labels = np.where(rng.random(340) < 0.05, 0, -1)
    picks = CoreSet().select(pool_of(features, labels), 120, RNG(0))
    assert picks.tolist() == slow_coreset(features, labels, 120)


def test_rows_of_very_different_scale():
    rng = RNG(2)
    features = rng.normal(size=(60, 4)) * 10.0 ** rng.integers(-3, 4, (60, 1))
    labels = np.full(60, -1)
    labels[:3] = 0
    picks = CoreSet().select(pool_of(features, labels), 57, RNG(0))
    assert picks.tolist() == slow_coreset(features, labels, 57)


def test_all_examples_alike_are_taken_in_order():
    labels = np.full(3000, -1)
    labels[5] = 1
    picks = CoreSet().select(pool_of(np.ones((3000, 8)), labels), 10, RNG(0))
    assert picks.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]


def test_without_labels_the_first_pick_is_nearest_to_the_mean():
    features = np.array([[0.0], [4.0], [10.0]])
    assert CoreSet().select(pool_of(features, np.full(3, -1)), 3, RNG(0)).tolist() == [1, 2, 0]


@pytest.mark.parametrize("features", [[[1.0]] * 6, [[1.0], [0.0], [2.0], [1.0]]])
def test_without_labels_no_duplicate_is_picked_twice(features):
    labels = np.full(len(features), -1)
    picks = CoreSet().select(pool_of(np.array(features), labels), len(features), RNG(0))
    assert picks.tolist() == slow_coreset(features, labels, len(features))


@pytest.mark.parametrize("front", [8, 1024])
@pytest.mark.parametrize(("scale", "offset"), [(1e-24, 0), (1e18, 0), (1.0, 1e3), (1.0, 1e6)])
def test_where_float32_has_no_digits_left(monkeypatch, front, scale, offset):
    monkeypatch.setattr(coreset, "_FRONT", front)
    rng = RNG(3)
    features = rng.normal(size=(300, 16)) * scale + offset
    labels = np.where(rng.random(300) < 0.05, 0, -1)
    picks = CoreSet().select(pool_of(features, labels), 60, RNG(0))
    assert picks.tolist() == slow_coreset(features, labels, 60)
