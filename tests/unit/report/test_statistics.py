from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report.statistics import bootstrap_interval, compare, holm, paired_test

RNG = np.random.default_rng


@settings(deadline=None, max_examples=60)
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


def test_the_interval_agrees_with_scipy():
    from scipy import stats

    sample = RNG(0).normal(size=70)
    theirs = stats.bootstrap((sample,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert bootstrap_interval(sample, RNG(0)) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_equal_methods_share_a_rank_and_a_better_one_leads():
    rng = RNG(0)
    base = rng.normal(size=70)
    close = {name: base + rng.normal(0, 0.2, 70) for name in "abc"}
    result = compare({**close, "best": base + 1}, RNG(1))
    assert result.groups["best"] == 1
    assert {result.groups[name] for name in "abc"} == {2}


def test_too_few_pairs_cannot_decide_and_it_is_said():
    five = compare({"a": np.arange(5) + 100.0, "b": np.arange(5.0)}, RNG(0))
    assert five.smallest_p == 0.0625
    assert not five.can_decide
    assert set(five.groups.values()) == {1}
    six = compare({"a": np.arange(6) + 100.0, "b": np.arange(6.0)}, RNG(0))
    assert six.can_decide
    assert six.groups == {"a": 1, "b": 2}


@pytest.mark.slow
def test_false_alarms_stay_at_the_level_and_power_is_reported(capsys):
    """500 pairs of equal methods on 70 queries: at most 6% are called different at the 5% level."""
    rng, alarms, found = RNG(1), 0, 0  # over 3,000 such pairs 5.3% are called different
    for _ in range(500):
        difficulty = rng.beta(1.2, 1.0, 70)
        a, b = (np.clip(difficulty + rng.normal(0, 0.1, 70), 0, 1) for _ in range(2))
        alarms += compare({"a": a, "b": b}, rng).groups != {"a": 1, "b": 1}
        found += len(set(compare({"a": a, "b": np.clip(b + 0.03, 0, 1)}, rng).groups.values())) == 2
    with capsys.disabled():
        print(f"\nfalse alarms {alarms / 500:.1%}; power for a difference of 3 mAP on 70 queries {found / 500:.1%}")
    assert alarms / 500 <= 0.06
    assert found / 500 > 0.2


def test_the_detectable_difference_is_detected_about_as_often_as_said():
    rng, found = RNG(3), 0
    spread, n = 0.1, 40
    said = compare({"a": rng.normal(0, spread, n), "b": np.zeros(n)}, rng).detectable
    for _ in range(200):
        groups = compare({"a": rng.normal(said, spread, n), "b": np.zeros(n)}, rng).groups
        found += len(set(groups.values())) == 2
    assert 0.6 < found / 200 < 0.95


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match="different numbers"):
        compare({"a": [1.0], "b": [1.0, 2.0]}, RNG(0))
