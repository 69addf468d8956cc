from __future__ import annotations

import numpy as np
import pytest

from harness.boards.statistics import bootstrap_interval, bootstrap_intervals, group_intervals

RNG = np.random.default_rng


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


def test_groups_are_resampled_whole():
    """Two copies of every value are one group: the interval is that of the values once, not of twice as many."""
    sample = RNG(0).normal(size=12)
    once = bootstrap_interval(sample, RNG(0))
    twice = group_intervals(np.repeat(sample, 2)[:, None], np.repeat(np.arange(12), 2), RNG(0))[0]
    assert twice == pytest.approx(once, abs=1e-12)
    assert bootstrap_interval(np.repeat(sample, 2), RNG(0))[1] < once[1]
    assert np.isnan(group_intervals(np.ones((10, 1)), np.repeat(np.arange(5), 2), RNG(0))).all()
