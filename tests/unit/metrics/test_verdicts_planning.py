from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.metrics.verdicts.power import detectable, pilot_spread, seeds_needed, t_power
from harness.metrics.verdicts.sequential import SequentialRule, nominal_levels, planned_looks, progress

RNG = np.random.default_rng


def test_power_is_that_of_the_noncentral_t():
    for n, x, level in ((5, 1.2, 0.05), (12, 0.9, 0.01), (30, 0.4, 0.05)):
        critical, shift = stats.t.isf(level / 2, n - 1), x * math.sqrt(n)
        expected = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
        assert t_power(x, n, n - 1, level) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("n", "m", "baseline", "spreads"),
    [(3, 2, False, 3.26), (6, 9, False, 1.99), (12, 2, True, 0.89), (6, 9, True, 1.78), (20, 12, False, 1.11)],
)
def test_the_detectable_difference(n, m, baseline, spreads):
    assert detectable(n, m, baseline=baseline) == pytest.approx(spreads, abs=0.006)


def test_seeds_for_a_difference():
    assert [seeds_needed(x, 9, baseline=False) for x in (2, 1.5, 1, 0.5)] == [6, 10, 22, 71]
    assert [seeds_needed(x, 9, baseline=True) for x in (2, 1.5, 1, 0.5)] == [5, 9, 17, 55]
    assert seeds_needed(1e-9, 9, baseline=False) is None
    assert detectable(2, 9, baseline=False) == math.inf


def test_the_spread_of_pilots():
    values = RNG(0).normal(size=(400, 3)) + RNG(1).normal(size=(400, 1)) * 5
    spread = pilot_spread(values)
    assert spread.estimate == pytest.approx(math.sqrt(2), abs=0.08)
    assert spread.estimate < spread.upper < 1.1 * spread.estimate
    assert pilot_spread(values[:1]) is None


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0.05, [0.01, 0.00821, 0.00935, 0.0131, 0.0180, 0.0241]),
        (0.05 / 5, [0.002, 0.00148, 0.00164, 0.00229, 0.00313, 0.00413]),
        (0.05 / 36, [0.000278, 0.000187, 0.000203, 0.000285, 0.000387, 0.000505]),
    ],
)
def test_levels_of_the_looks(level, expected):
    assert nominal_levels(level, planned_looks(20)) == pytest.approx(expected, rel=0.01)


def test_the_levels_spend_no_more_than_the_whole():
    """Random walks leave the bounds at any look with the chance that was to be spent."""
    looks = planned_looks(20)
    levels = np.array(nominal_levels(0.05, looks))
    walks = RNG(0).normal(size=(40_000, 20)).cumsum(axis=1)[:, np.array(looks) - 1] / np.sqrt(looks)
    left = (2 * stats.norm.sf(np.abs(walks)) <= levels).any(axis=1).mean()
    assert left == pytest.approx(0.05, abs=0.005)


def test_looks():
    assert planned_looks(20) == (4, 6, 8, 11, 15, 20)
    assert planned_looks(5) == (4, 5)
    assert planned_looks(100) == (4, 6, 8, 11, 15, 20, 28, 38, 50, 68, 92, 100)


def slow(values, rule):
    """The rule by its text, for a family with the baseline in column 0 and nothing but differences."""
    n_methods, looks = values.shape[1], planned_looks(rule.seeds)
    state = dict.fromkeys(range(1, n_methods), "open")
    for number, n in enumerate(looks):
        p = {m: stats.ttest_rel(values[:n, m], values[:n, 0]).pvalue for m, s in state.items() if s == "open"}
        for m in sorted(p, key=p.get):
            left = sum(s != "differs" for s in state.values())
            if p[m] > nominal_levels(0.05 / left, looks)[number]:
                break
            state[m] = "differs"
        for m in p:
            if state[m] != "open":
                continue
            if n == rule.seeds:
                state[m] = "undecided"
            elif n >= rule.seeds / 2:
                left, tau = sum(s != "differs" for s in state.values()), n / rule.seeds
                t = abs(stats.ttest_rel(values[:n, m], values[:n, 0]).statistic)
                z = stats.norm.isf(nominal_levels(0.05 / left, looks)[-1] / 2)
                if stats.norm.cdf((t / math.sqrt(tau) - z) / math.sqrt(1 - tau)) < 0.1:
                    state[m] = "not to be settled"
    return list(state.values())


@pytest.mark.parametrize("seed", range(6))
def test_the_rule_equals_a_slow_one(seed):
    values = RNG(seed).normal(size=(20, 5)) + np.array([0, 0, 0.7, 1.2, 3])
    rule = SequentialRule(5, 20)
    assert [outcome.state for outcome in progress(values, rule).outcomes] == slow(values, rule)


def test_results_that_come_look_by_look_give_the_same_as_all_at_once():
    whole = RNG(3).normal(size=(20, 6)) + np.array([0, 0, 0.5, 1, 2, 4])
    rule = SequentialRule(6, 20, smallest=1.0)
    values, steps = np.full((20, 6), np.nan), []
    while not (found := progress(values, rule)).ended:
        steps.append(found.needed)
        for method, needed in enumerate(found.needed):
            values[:needed, method] = whole[:needed, method]
    assert found.outcomes == progress(whole, rule).outcomes
    assert len(set(steps)) == len(steps)
    assert steps[0] == (4,) * 6
    assert np.isnan(values[:, 5]).any()  # far from the baseline: closed early


def test_close_methods_are_within_the_smallest_difference():
    values = RNG(0).normal(size=(20, 3)) * 0.1
    found = progress(values, SequentialRule(3, 20, smallest=1.0))
    assert {outcome.state for outcome in found.outcomes} == {"within"}
    assert found.looks == (4,)


def test_a_method_that_fails_leaves_and_the_others_go_on():
    values = RNG(0).normal(size=(20, 3)) + np.array([0.0, 0.0, 5.0])
    failed = np.zeros((20, 3), bool)
    failed[2, 1] = True
    values[2, 1] = np.nan
    found = progress(values, SequentialRule(3, 20), failed)
    assert [outcome.state for outcome in found.outcomes] == ["failed", "differs"]
    assert found.ended


def test_all_pairs_keep_methods_while_any_two_are_open():
    values = RNG(1).normal(size=(20, 3)) + np.array([0.0, 0.1, 9.0])
    found = progress(values[:4], SequentialRule(3, 20, baseline=None))
    assert len(found.outcomes) == 3
    assert found.needed[:2] == (6, 6)


def test_the_p_value_of_within_is_that_of_a_one_sided_test_against_the_smallest_difference():
    values = RNG(4).normal(size=(20, 2)) * 0.1
    (outcome,) = progress(values, SequentialRule(2, 20, baseline=1, smallest=0.5)).outcomes
    assert outcome.state == "within"
    apart = values[: outcome.seeds, 0] - values[: outcome.seeds, 1]
    theirs = stats.ttest_1samp(np.abs(apart.mean()) + apart - apart.mean(), 0.5, alternative="less").pvalue
    assert outcome.p == pytest.approx(theirs)
