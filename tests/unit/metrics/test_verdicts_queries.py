from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.verdicts.flips import compare_groups, correlation_within, group_sums, query_groups

RNG = np.random.default_rng


def brute_force(sums):
    """Adjusted p of every pair by the definition: all signs, the largest statistic of the pairs from each rank on."""
    groups, m = sums.shape
    pairs = list(itertools.combinations(range(m), 2))
    apart = {(a, b): sums[:, a] - sums[:, b] for a, b in pairs}
    scale = {pair: np.sqrt((d**2).sum()) for pair, d in apart.items()}

    def statistic(pair, signs):
        return abs((signs * apart[pair]).sum()) / scale[pair] if scale[pair] > 0 else 0.0

    observed = {pair: statistic(pair, np.ones(groups)) for pair in pairs}
    order = sorted(pairs, key=lambda pair: -observed[pair])
    everything = [np.array(signs) for signs in itertools.product([1, -1], repeat=groups)]
    shares = [
        np.mean([max(statistic(p, s) for p in order[rank:]) >= observed[pair] - 1e-12 for s in everything])
        for rank, pair in enumerate(order)
    ]
    running = np.maximum.accumulate(shares)
    return [running[order.index(pair)] for pair in pairs]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 8), st.integers(2, 4))
def test_joint_flips_equal_brute_force(seed, groups, m):
    rng = RNG(seed)
    sums = rng.integers(0, 5, (groups, m)) / 8 + np.arange(m) / 4  # ties and zeros
    assert compare_groups(sums, RNG(0)).p == pytest.approx(brute_force(sums), abs=1e-12)


def test_many_groups_take_random_flips_with_the_observed_one():
    sums = RNG(0).normal(size=(24, 4)) / 24
    exact = compare_groups(sums[:13], RNG(0)).p
    several = np.array([compare_groups(sums, RNG(seed)).p for seed in range(3)])
    assert np.ptp(several, axis=0).max() < 0.03
    assert several.min() > 0
    assert exact.min() >= 2.0**-12
    far = np.column_stack([np.linspace(1, 2, 30), np.zeros(30)])
    assert compare_groups(far, RNG(0)).p[0] == pytest.approx(1 / 20_001)


@pytest.mark.parametrize(("groups", "m", "flips"), [(5, 3, 0), (8, 3, 128), (24, 4, 20_001), (24, 50, 8_164)])
def test_it_says_how_many_flips_it_tried(groups, m, flips):
    """All of few groups up to a common sign; of long tables fewer random ones, with the observed signs."""
    assert compare_groups(RNG(0).normal(size=(groups, m)), RNG(0)).flips == flips


def test_the_smallest_p_does_not_grow_with_the_number_of_methods():
    sums = np.abs(RNG(0).normal(size=(24, 1))) + np.arange(12) * 5
    assert compare_groups(sums, RNG(0)).differs.all()


def test_against_a_baseline_only_its_pairs_count():
    sums = RNG(1).normal(size=(9, 5)) / 9 + np.arange(5) / 20
    found = compare_groups(sums, RNG(0), baseline=2)
    assert found.first.tolist() == [0, 1, 3, 4]
    assert (found.p <= [compare_groups(sums, RNG(0)).p[c] for c in (1, 4, 7, 8)]).all()


def test_fewer_than_six_groups_decide_nothing():
    assert compare_groups(np.arange(10.0).reshape(5, 2), RNG(0)).p.tolist() == [1.0]


def test_sums_of_groups_add_up_to_the_means():
    values, groups = RNG(0).random((10, 3)), np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 5])
    assert group_sums(values, groups).sum(axis=0) == pytest.approx(values.mean(axis=0))
    assert group_sums(values, groups)[2] == pytest.approx(values[3:6].sum(axis=0) / 10)


def test_groups_are_stated_or_share_their_relevant_images():
    truth = [
        {"easy": [1, 2], "hard": [3], "junk": [9]},
        {"easy": [3], "hard": [2, 1], "junk": []},
        {"easy": [1, 2], "hard": []},
        {"easy": [], "hard": []},
        {"easy": [], "hard": []},
    ]
    assert query_groups(truth) == [0, 0, 1, 2, 3]
    assert query_groups(truth, ["tower", None, "tower", None, None]) == [0, 1, 0, 2, 3]


def test_the_correlation_inside_groups_is_found_again():
    rng = RNG(0)
    groups = np.repeat(np.arange(200), 5)
    shared = rng.normal(size=(200, 2))[groups] * np.sqrt(0.3)
    values = shared + rng.normal(size=(1000, 2)) * np.sqrt(0.7)
    assert correlation_within(values, groups) == pytest.approx(0.3, abs=0.06)
    assert np.isnan(correlation_within(values, np.arange(1000)))


def test_equal_methods_with_correlated_queries_hold_the_level():
    """300 tables of 4 equal methods at a correlation of 0.4: 15 expected at 5%, more than 25 with chance 1%."""
    rng, sizes = RNG(5), [7, 6, 5, 5, 5, 4, 4, 2, 1, 1]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    alarms = 0
    for _ in range(300):
        shared = rng.normal(size=(len(sizes), 4))[groups] * np.sqrt(0.4)
        values = shared + rng.normal(size=(len(groups), 4)) * np.sqrt(0.6)
        alarms += compare_groups(group_sums(values, groups)[:, :4], RNG(0)).differs.any()
    assert alarms <= 25
