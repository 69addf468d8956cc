from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.boards.statistics import (
    bootstrap_interval,
    bootstrap_intervals,
    group_intervals,
    holm,
    pair_p_values,
    paired_test,
    t_p_values,
)

RNG = np.random.default_rng


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=8))
def test_the_exact_test_equals_brute_force(pairs):
    difference = [a - b for a, b in pairs]
    sums = [
        sum(s * d for s, d in zip(signs, difference, strict=True))
        for signs in itertools.product([1, -1], repeat=len(pairs))
    ]
    brute = sum(abs(total) >= abs(sum(difference)) for total in sums) / len(sums)
    a, b = zip(*pairs, strict=True)
    assert paired_test(a, b, RNG(0)) == pytest.approx(brute, abs=1e-12)


@pytest.mark.parametrize("n", [6, 10, 40])
def test_the_test_agrees_with_scipy(n):
    from scipy import stats

    rng = RNG(n)
    a, b = rng.normal(size=n), rng.normal(0.4, size=n)
    theirs = stats.permutation_test(
        (a - b,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", n_resamples=20_000, vectorized=True
    ).pvalue
    assert paired_test(a, b, RNG(0)) == pytest.approx(theirs, abs=1e-9 if n <= 10 else 0.02)


def test_all_pairs_at_once_equal_one_pair_at_a_time():
    values = RNG(0).integers(0, 9, (9, 4)) / 8  # sums that are equal and round differently
    pairs = list(itertools.combinations(range(4), 2))
    one = [paired_test(values[:, a], values[:, b], RNG(0)) for a, b in pairs]
    assert pair_p_values(values, RNG(0)).tolist() == one


def test_the_t_distribution_of_long_tables_agrees_with_scipy_and_with_flips():
    from scipy import stats

    values = RNG(0).normal(size=(70, 3)) + [0, 0.3, 0.35]
    theirs = [stats.ttest_rel(values[:, a], values[:, b]).pvalue for a, b in ((0, 1), (0, 2), (1, 2))]
    assert t_p_values(values) == pytest.approx(theirs)
    assert pair_p_values(values, RNG(0)) == pytest.approx(theirs, abs=0.01)


@pytest.mark.parametrize("n", [6, 10, 70])
def test_the_interval_agrees_with_scipy(n):
    """Plain percentiles of scipy at the level that widens them for small samples."""
    from scipy import stats

    sample = RNG(0).normal(size=n)
    tail = stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf(0.025, n - 1))
    theirs = stats.bootstrap(
        (sample,), np.mean, method="percentile", n_resamples=50_000, confidence_level=1 - 2 * tail, rng=1
    ).confidence_interval
    assert bootstrap_interval(sample, RNG(0)) == pytest.approx((theirs.low, theirs.high), abs=0.08 if n < 20 else 0.02)


@pytest.mark.parametrize("n", [6, 10, 70])
def test_the_interval_holds_the_true_mean_about_as_often_as_it_says(n):
    rng = RNG(1)
    samples = rng.normal(size=(n, 1500))
    low, high = bootstrap_intervals(samples, rng).T
    assert 0.92 <= np.mean((low <= 0) & (high >= 0)) <= 0.97


def test_fewer_than_six_values_give_no_interval():
    assert np.isnan(bootstrap_interval(np.arange(5.0), RNG(0))).all()


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []
    assert holm([0.01, 0.002], tests=10) == pytest.approx([0.09, 0.02])


def test_groups_are_resampled_whole():
    """Two copies of every value are one group: the interval is that of the values once, not of twice as many."""
    sample = RNG(0).normal(size=12)
    once = bootstrap_interval(sample, RNG(0))
    twice = group_intervals(np.repeat(sample, 2)[:, None], np.repeat(np.arange(12), 2), RNG(0))[0]
    assert twice == pytest.approx(once, abs=1e-12)
    assert bootstrap_interval(np.repeat(sample, 2), RNG(0))[1] < once[1]
    assert np.isnan(group_intervals(np.ones((10, 1)), np.repeat(np.arange(5), 2), RNG(0))).all()
