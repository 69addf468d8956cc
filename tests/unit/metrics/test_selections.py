from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.stats  # noqa: F401  # loaded before hypothesis looks at the clock
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.metrics.selections import (
    agreement,
    jaccard,
    overlap,
    pseudo_label_agreement,
    rank_correlation,
    weighted_accuracy,
)

rows = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3), st.floats(0, 1)), min_size=1, max_size=30)
picks = st.sets(st.integers(0, 15), max_size=12).map(sorted)


def columns(table):
    a, b, w = zip(*table, strict=True)
    return list(a), list(b), list(w)


@given(rows)
def test_weighted_accuracy_is_3_13_written_out(table):
    a, b, w = columns(table)
    total = math.fsum(w)
    if total < 1e-300:
        return
    expected = math.fsum(weight / total for x, y, weight in table if x == y)
    assert weighted_accuracy(a, b, w) == pytest.approx(expected, abs=1e-12)


@given(rows, st.floats(1e-3, 1e3))
def test_weighted_accuracy_knows_no_scale_and_no_order(table, factor):
    a, b, w = columns(table)
    if max(w) < 1e-290:
        return
    value = weighted_accuracy(a, b, w)
    assert 0 <= value <= 1
    assert weighted_accuracy(b, a, [factor * weight for weight in w]) == pytest.approx(value, abs=1e-12)
    assert weighted_accuracy(a, a, w) == 1


@given(rows)
def test_with_equal_weights_it_is_the_share_of_equal_labels(table):
    a, b, _ = columns(table)
    share = sum(x == y for x, y in zip(a, b, strict=True)) / len(a)
    assert agreement(a, b) == pytest.approx(share)
    assert weighted_accuracy(a, b, [0.3] * len(a)) == pytest.approx(share)


def test_a_subset_renormalises_the_weights():
    a, b, w = np.array([0, 1, 2, 0]), np.array([0, 1, 1, 1]), np.array([0.1, 0.3, 0.2, 0.4])
    assert weighted_accuracy(a, b, w) == pytest.approx(0.4)
    assert weighted_accuracy(a[1:3], b[1:3], w[1:3]) == pytest.approx(0.6)


def test_nothing_is_nan_and_no_weight_is_nan_with_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(weighted_accuracy([], [], []))
        assert math.isnan(agreement([], []))
        assert math.isnan(overlap([], []))
        assert math.isnan(jaccard([], []))
    with pytest.warns(UserWarning, match="weights are 0"):
        assert math.isnan(weighted_accuracy([1], [1], [0.0]))


def test_tiny_weights_are_weights():
    assert weighted_accuracy([0, 1], [0, 0], [5e-324, 5e-324]) == 0.5


@pytest.mark.parametrize(
    "arguments",
    [([1], [1, 2], [1.0]), ([1], [1], [1.0, 2.0]), ([1], [1], [-0.1]), ([1], [1], [math.nan]), ([0.5], [1], [1.0])],
)
def test_bad_labels_and_weights_are_refused(arguments):
    with pytest.raises(InvalidInput):
        weighted_accuracy(*arguments)


def brute_tau(a, b):
    """Kendall's tau-b by counting pairs."""
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    product = [np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs]
    untied = [sum(x[i] != x[j] for i, j in pairs) for x in (a, b)]
    return sum(product) / math.sqrt(untied[0] * untied[1])


def brute_rho(a, b):
    """Pearson's correlation of average ranks."""
    ranks = [[sum(y < x for y in v) + (sum(y == x for y in v) - 1) / 2 for x in v] for v in (a, b)]
    return np.corrcoef(*ranks)[0, 1]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=20))
def test_correlations_are_those_of_brute_force(table):
    a, b = map(list, zip(*table, strict=True))
    rho, tau = rank_correlation(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(rho)
        assert math.isnan(tau)
        return
    assert rho == pytest.approx(brute_rho(a, b), abs=1e-9)
    assert tau == pytest.approx(brute_tau(a, b), abs=1e-9)


def test_correlations_at_the_ends():
    assert rank_correlation(range(9), range(9)) == pytest.approx((1, 1))
    assert rank_correlation(range(9), range(9)[::-1]) == pytest.approx((-1, -1))
    assert all(map(math.isnan, rank_correlation([1], [1])))
    with pytest.raises(InvalidInput):
        rank_correlation([1, 2], [1])
    with pytest.raises(InvalidInput):
        rank_correlation([1, math.nan], [1, 2])


@given(picks, picks)
def test_jaccard_and_overlap_are_those_of_sets(a, b):
    common, either = set(a) & set(b), set(a) | set(b)
    if either:
        assert jaccard(a, b) == pytest.approx(len(common) / len(either))
    if a and len(a) == len(b):
        share = overlap(a, b)
        assert share == pytest.approx(len(common) / len(a))
        assert jaccard(a, b) == pytest.approx(share / (2 - share))
    elif len(a) != len(b):
        with pytest.raises(InvalidInput):
            overlap(a, b)


def test_picks_stand_once():
    with pytest.raises(InvalidInput, match="twice"):
        jaccard([1, 1], [2])


def test_pseudo_labels_by_hand():
    first, second, truth = [0, 1, 2, 0], [0, 1, 1, 1], [0, 2, 1, 0]
    values = pseudo_label_agreement(first, [0.2, 0.4, 0.2, 0.0], second, [0.4, 0.2, 0.0, 0.6], truth)
    # Mean weights: 0.3, 0.3, 0.1, 0.3.
    expected = {
        "agree": 0.5,
        "agree_weighted": 0.6,
        "accuracy": 0.4,
        "accuracy_reference": 0.6,
        "accuracy_equal": 0.5,
        "accuracy_unequal": 0.25,
        "accuracy_unequal_reference": 0.75,
        "weight_equal": 0.3,
        "weight_unequal": 0.2,
    }
    assert values == pytest.approx(expected)
    assert all(map(math.isnan, pseudo_label_agreement([], [], [], [], []).values()))
    with pytest.raises(InvalidInput):
        pseudo_label_agreement([1], [1], [1], [1], [1, 2])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.floats(0.1, 1)), min_size=1))
def test_the_parts_make_up_the_whole(table):
    a, b, t, w = zip(*table, strict=True)
    values = pseudo_label_agreement(a, w, b, w, t)
    equal = values["agree_weighted"]
    for suffix in ("", "_reference"):
        parts = [(equal, values["accuracy_equal"]), (1 - equal, values["accuracy_unequal" + suffix])]
        whole = sum(share * part for share, part in parts if share > 1e-9)
        assert values["accuracy" + suffix] == pytest.approx(whole, abs=1e-7)
