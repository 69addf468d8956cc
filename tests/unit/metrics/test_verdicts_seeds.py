from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.metrics.verdicts.paired import (
    POOLED_LEVEL,
    compare_seeds,
    paired_p,
    pooled_p,
    pools,
    shaffer_counts,
    vary_unlike,
)

RNG = np.random.default_rng


def partitions(methods):
    """All ways to say which of the methods are equal."""
    if not methods:
        yield []
        return
    first, *rest = methods
    for partition in partitions(rest):
        yield [[first], *partition]
        for position, block in enumerate(partition):
            yield [*partition[:position], [first, *block], *partition[position + 1 :]]


@pytest.mark.parametrize("m", [2, 3, 4, 5, 6])
def test_shaffers_counts_are_those_of_all_ways_to_be_equal(m):
    """Of ``k - r`` hypotheses that are left, the most that can be true at once."""
    possible = {sum(len(b) * (len(b) - 1) // 2 for b in partition) for partition in partitions(list(range(m)))}
    k = m * (m - 1) // 2
    expected = [k, *(max(x for x in possible if x <= k - rejected) for rejected in range(1, k))]
    assert shaffer_counts(m).tolist() == expected


def test_shaffers_counts_of_the_paper():
    assert shaffer_counts(4).tolist() == [6, 3, 3, 3, 2, 1]
    assert shaffer_counts(5).tolist() == [10, 6, 6, 6, 6, 4, 4, 3, 2, 1]


def adjusted(p, counts):
    """Step-down by its definition."""
    order = sorted(range(len(p)), key=lambda c: p[c])
    return {
        c: max(min(1.0, counts[earlier] * p[order[earlier]]) for earlier in range(rank + 1))
        for rank, c in enumerate(order)
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(7, 14), st.integers(3, 5))
def test_many_seeds_are_compared_by_paired_tests_step_down(seed, n, m):
    values = RNG(seed).normal(size=(n, m)) + np.arange(m) / 2
    if pools(n, m):
        return
    pairs = list(itertools.combinations(range(m), 2))
    p = [stats.ttest_rel(values[:, a], values[:, b]).pvalue for a, b in pairs]
    found = compare_seeds(values)
    assert (found.pooled, found.level) == (False, 0.05)
    expected = adjusted(p, shaffer_counts(m).tolist())
    assert found.p == pytest.approx([expected[c] for c in range(len(pairs))])
    against = compare_seeds(values, baseline=1)
    p = [stats.ttest_rel(values[:, a], values[:, 1]).pvalue for a in range(m) if a != 1]
    expected = adjusted(p, list(range(m - 1, 0, -1)))
    assert against.p == pytest.approx([expected[c] for c in range(m - 1)])


def test_few_seeds_pool_the_error_over_methods():
    """The pooled test is that of a two-way analysis of variance without interaction."""
    values = RNG(4).normal(size=(4, 6)) + RNG(5).normal(size=(4, 1)) * 9 + np.arange(6) * 3
    found = compare_seeds(values)
    assert found.pooled
    assert found.level == POOLED_LEVEL
    residuals = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    square = (residuals**2).sum() / (3 * 5)
    t = abs(values[:, 0].mean() - values[:, 3].mean()) / np.sqrt(2 * square / 4)
    first, second = np.array([0]), np.array([3])
    assert pooled_p(values, first, second)[0] == pytest.approx(2 * stats.t.sf(t, 15))


@pytest.mark.parametrize(
    ("m", "n"), [(2, 3), (3, 4), (4, 6), (6, 8), (8, 10), (10, 11), (12, 12), (14, 13), (20, 15), (24, 17)]
)
def test_from_how_many_seeds_the_test_is_paired(m, n):
    assert not pools(n, m)
    assert n == 3 or pools(n - 1, m)


def test_the_guard_is_bartletts_test_of_the_residuals():
    rng = RNG(0)
    alike = rng.normal(size=(6, 9))
    assert not vary_unlike(alike)
    unlike = alike * np.where(np.arange(9) == 0, 12.0, 1.0)
    assert vary_unlike(unlike)
    found = compare_seeds(unlike)
    assert (found.pooled, found.unlike, found.level) == (False, True, 0.05)
    residuals = alike - alike.mean(axis=1, keepdims=True) - alike.mean(axis=0) + alike.mean()
    squares = (residuals**2).sum(axis=0) * 9 / (8 * 5)
    top = 9 * 5 * np.log(squares.mean()) - 5 * np.log(squares).sum()
    p = stats.chi2.sf(top / (1 + (9 / 5 - 1 / 45) / 24), 8)
    assert vary_unlike(alike, level=p * 1.001)
    assert not vary_unlike(alike, level=p * 0.999)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 12), st.integers(2, 7))
def test_what_changes_no_verdict(seed, n, m):
    """A constant for all methods of a seed, the order of methods and seeds, the unit."""
    rng = RNG(seed)
    values = rng.normal(size=(n, m)) + np.arange(m)
    p = compare_seeds(values).p
    assert compare_seeds(values + rng.normal(size=(n, 1))).p == pytest.approx(p, rel=1e-6)
    assert compare_seeds(7 * values).p == pytest.approx(p, rel=1e-6)
    assert compare_seeds(rng.permutation(values)).p == pytest.approx(p, rel=1e-6)
    mirrored = compare_seeds(values[:, ::-1])
    by_pair = dict(zip(zip(m - 1 - mirrored.second, m - 1 - mirrored.first, strict=True), mirrored.p, strict=True))
    assert [by_pair[pair] for pair in itertools.combinations(range(m), 2)] == pytest.approx(p.tolist(), rel=1e-6)


def test_equal_differences_of_few_seeds_are_no_verdict():
    """Accuracies come in steps: three equal differences happen by chance."""
    base = np.array([0.5, 0.6, 0.7])
    first, second = np.array([0]), np.array([1])
    assert paired_p(np.stack([base, base + 0.01], axis=1), first, second) == pytest.approx([0.25])
    assert paired_p(np.stack([base, base], axis=1), first, second).tolist() == [1.0]
    assert not compare_seeds(np.stack([base, base + 0.01], axis=1)).differs.any()


def test_a_table_without_any_variation_gives_no_verdict():
    shifted = np.arange(5)[:, None] / 10 + np.arange(4) / 100
    assert not compare_seeds(shifted).differs.any()
    constant = np.repeat(np.arange(4.0)[None], 4, axis=0)
    assert not compare_seeds(constant).differs.any()


def test_two_identical_methods_do_not_differ_while_others_do():
    rng = RNG(0)
    values = rng.normal(size=(5, 5)) * 0.1 + np.arange(5)
    values[:, 4] = values[:, 3]
    found = compare_seeds(values)
    differs = {(a, b) for a, b, d in zip(found.first, found.second, found.differs, strict=True) if d}
    assert (0, 4) in differs
    assert (3, 4) not in differs


def test_fewer_than_three_seeds_are_no_verdict():
    assert compare_seeds(np.array([[0.0, 9.0], [0.1, 9.2]])).p.tolist() == [1.0]


@pytest.mark.parametrize(("n", "m"), [(3, 4), (6, 9)])
def test_equal_methods_are_called_different_in_about_five_percent_of_tables(n, m):
    """300 tables: 15 expected at 5%, more than 25 with chance 1%; the benchmark has the whole table."""
    rng = RNG(n)
    alarms = sum(compare_seeds(rng.normal(size=(n, m)) + rng.normal(size=(n, 1))).differs.any() for _ in range(300))
    assert alarms <= 25


def test_nine_methods_and_six_seeds_tell_far_ones_apart():
    """The board with 73.5 +- 1.4 and 44.1 +- 2.4: by sign flips every rank was 1 to 9."""
    rng = RNG(0)
    means = np.array([73.5, 70.0, 68.0, 65.0, 62.0, 58.0, 55.0, 50.0, 44.1])
    values = means + rng.normal(size=(6, 9)) * np.linspace(1.4, 2.4, 9)
    found = compare_seeds(values)
    worst = {(a, b): d for a, b, d in zip(found.first.tolist(), found.second.tolist(), found.differs, strict=True)}
    assert worst[0, 8]
    assert found.differs.sum() > 20
