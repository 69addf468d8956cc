from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.boards.statistics import (
    LEVEL,
    bootstrap_interval,
    bootstrap_intervals,
    detectable_spreads,
    holm,
    pair_p_values,
    paired_test,
    pairwise_tests,
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


def test_equal_methods_share_a_rank_and_a_better_one_leads():
    rng = RNG(0)
    base = rng.normal(size=70)
    close = {name: base + rng.normal(0, 0.2, 70) for name in "abc"}
    result = pairwise_tests({**close, "best": base + 1}, RNG(1))
    assert result.ranks["best"] == (1, 1)
    assert {result.ranks[name] for name in "abc"} == {(2, 4)}


def test_ranks_make_sense_where_not_different_is_not_transitive():
    """A is better than C; B, which varies much, differs from neither: it may have any rank."""
    rng = RNG(0)
    base = rng.random(40)
    values = {
        "a": base + 0.2,
        "b": base + rng.permutation(np.linspace(-0.9, 1.1, 40)),
        "c": base + rng.normal(0, 0.01, 40),
    }
    assert pairwise_tests(values, RNG(0)).ranks == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_a_long_table_is_compared_by_t_and_at_most_300_methods():
    rng = RNG(0)
    base = rng.random(70)
    values = {f"{m:03}": base - m + rng.normal(0, 0.1, 70) for m in range(310)}
    result = pairwise_tests(values, RNG(0))
    assert (result.test, result.methods, result.tests) == ("paired t-test", 310, 310 * 309 // 2)
    assert list(result.ranks.values()) == [(place, place + 10) for place in range(1, 301)]


def test_too_few_pairs_cannot_decide_and_it_is_said():
    five = pairwise_tests({"a": np.arange(5) + 100.0, "b": np.arange(5.0)}, RNG(0))
    assert five.smallest_p == 0.0625
    assert not five.can_decide
    assert set(five.ranks.values()) == {(1, 2)}
    assert np.isinf(five.detectable)
    six = pairwise_tests({"a": np.arange(6) + 100.0, "b": np.arange(6.0)}, RNG(0))
    assert six.can_decide
    assert six.ranks == {"a": (1, 1), "b": (2, 2)}


def called_different(a, b, rng):
    return pairwise_tests({"a": a, "b": b}, rng).ranks != {"a": (1, 2), "b": (1, 2)}


def test_false_alarms_and_power_on_a_few_pairs():
    """The full simulation is tests/benchmarks/bench_statistics.py."""
    rng = RNG(1)
    base = rng.beta(1.2, 1.0, (60, 20))
    alarms = sum(called_different(q + rng.normal(0, 0.1, 20), q + rng.normal(0, 0.1, 20), rng) for q in base)
    found = sum(called_different(q + rng.normal(0.15, 0.1, 20), q + rng.normal(0, 0.1, 20), rng) for q in base)
    assert alarms <= 7  # 3 expected; more than 7 with chance 1%
    assert found >= 55


@pytest.mark.parametrize(("n", "tests"), [(6, 1), (10, 15), (12, 3), (40, 3)])
def test_the_detectable_difference_is_detected_about_as_often_as_said(n, tests):
    rng = RNG(3)
    difference = rng.normal(detectable_spreads(n, LEVEL / tests), 1, (150, n))
    found = [paired_test(sample, np.zeros(n), rng) <= LEVEL / tests for sample in difference]
    assert 0.7 < np.mean(found) < 0.9


def test_the_detectable_difference_of_a_table_is_in_its_own_units():
    noise = RNG(0).normal(0, 0.1, (3, 40))
    result = pairwise_tests(dict(zip("abc", noise, strict=True)), RNG(0))
    spread = np.median([np.std(noise[a] - noise[b], ddof=1) for a, b in ((0, 1), (0, 2), (1, 2))])
    assert result.detectable == pytest.approx(spread * detectable_spreads(40, LEVEL / 3))


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match="different numbers"):
        pairwise_tests({"a": [1.0], "b": [1.0, 2.0]}, RNG(0))
