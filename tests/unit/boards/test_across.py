"""Methods over several boards: Friedman's test and Nemenyi's critical difference against scipy."""

from __future__ import annotations

import json

import numpy as np
import pytest

import harness
from harness.boards import boards
from harness.boards.across import across, critical_difference, friedman, indistinct, ranks_within
from harness.boards.joint import compare_datasets


def test_ranks_and_friedman_agree_with_scipy():
    from scipy import stats

    scores = np.random.default_rng(0).integers(0, 6, (12, 5)).astype(float)  # with ties
    assert np.array_equal(ranks_within(scores), stats.rankdata(-scores, axis=1))
    chi2 = stats.friedmanchisquare(*scores.T).statistic
    n, m = scores.shape
    expected = stats.f.sf((n - 1) * chi2 / (n * (m - 1) - chi2), m - 1, (m - 1) * (n - 1))
    assert friedman(scores) == pytest.approx(expected)
    assert friedman(np.ones((5, 3))) == 1.0
    assert friedman(np.tile(np.arange(3.0), (5, 1))) == 0.0


@pytest.mark.parametrize("m", [3, 10, 40])
def test_the_critical_difference_agrees_with_scipy(m):
    from scipy import stats

    q = stats.studentized_range.ppf(0.95, m, np.inf) / np.sqrt(2)
    assert critical_difference(12, m) == pytest.approx(q * np.sqrt(m * (m + 1) / 72), rel=1e-4)


def test_runs_of_ranks_that_are_not_significantly_different():
    assert indistinct([1.0, 1.5, 3.0, 3.4, 9.0], 1.7) == [(0, 1), (1, 2), (2, 3)]
    assert indistinct([1.0, 1.5, 3.0], 5) == [(0, 2)]
    assert indistinct([1.0, 9.0], 5) == []


@pytest.fixture
def settings(record):
    def of(n, datasets=1, methods=4):
        rng = np.random.default_rng(0)
        return [
            record(f"m{m}", m / 10 + rng.normal(0, 0.01), protocol={"image_size": size}, id=f"{m}{size}").model_copy(
                update={"dataset": record().dataset.model_copy(update={"fingerprint": str(size % datasets)})}
            )
            for size in range(n)
            for m in range(methods)
        ]

    return of


def test_too_few_settings_say_so(settings):
    (found,) = across(boards(settings(4)))
    assert (found.p, found.critical) == (None, None)
    assert "No test over settings: 4 are too few, it takes at least 5." in harness.leaderboard(settings(4))
    assert "at least 3 methods" in harness.leaderboard(settings(6, methods=2))
    assert across(boards(settings(1))) == []


def test_enough_settings_give_a_critical_difference(settings):
    (found,) = across(boards(settings(8)))
    assert found.methods == tuple(f"tiny · m{m}" for m in (3, 2, 1, 0))
    assert found.mean.tolist() == [1, 2, 3, 4]
    assert found.critical == pytest.approx(critical_difference(8, 4))
    text = harness.leaderboard(settings(8))
    assert f"differ by at least {found.critical:.2f}. The 8 settings are of 1 dataset(s)" in text
    assert "dataset(s)" not in harness.leaderboard(settings(8, datasets=8))


def test_a_method_that_a_setting_lacks_is_left_out_and_counted(settings):
    (found,) = across(boards(settings(6)[1:]))
    assert (len(found.methods), found.left_out) == (3, 1)
    assert "1 methods that a setting lacks are left out" in harness.leaderboard(settings(6)[1:])


def test_a_method_is_one_over_boards_only_with_the_same_parameters(record):
    def at(size, p):
        same = [record(f"m{m}", m / 10, protocol={"image_size": size}, id=f"{m}{size}") for m in range(2)]
        return [*same, record("gem", 0.9, parameters={"p": p}, protocol={"image_size": size}, id=f"gem{size}")]

    (alike,) = across(boards([*at(1, 3.0), *at(2, 3.0)]))
    assert alike.methods == ("tiny · gem", "tiny · m1", "tiny · m0")
    (apart,) = across(boards([*at(1, 3.0), *at(2, 4.0)]))
    assert apart.methods == ("tiny · m1", "tiny · m0")
    assert apart.left_out == 2


def of_dataset(record, fingerprint, quality, groups):
    """One record a method; groups of queries share what they gain."""
    dataset = record().dataset.model_copy(update={"fingerprint": fingerprint, "name": fingerprint})
    made = []
    for name, values in quality.items():
        details = {"ap_medium": values.tolist(), "groups": list(groups)}
        metrics = {"map_medium": float(values.mean())}
        made.append(record(name, details=details, metrics=metrics, id=f"{name}{fingerprint}", dataset=dataset))
    return made


def test_the_mean_over_data_sets_is_tested_by_flips_of_the_groups_of_all(record):
    """Two data sets of 6 and 7 groups, against all 2^13 sign flips."""
    rng = np.random.default_rng(0)
    records, sums = [], []
    for fingerprint, groups in (("a" * 64, [0, 0, 1, 2, 3, 4, 5]), ("b" * 64, [0, 1, 1, 1, 2, 3, 4, 5, 6])):
        n = len(groups)
        base = rng.random(n) * 0.5
        quality = {"gem": base + 0.08 + 0.05 * rng.normal(size=n), "mac": base}
        records += of_dataset(record, fingerprint, quality, groups)
        apart = (quality["gem"] - quality["mac"]) / n / 2
        sums += [apart[np.array(groups) == group].sum() for group in dict.fromkeys(groups)]
    (found,) = across(boards(records))
    assert found.joint.groups == 13
    assert found.joint.datasets == 2
    assert found.joint.means[0] - found.joint.means[1] == pytest.approx(100 * sum(sums), abs=1e-4)
    signs = 1 - 2 * ((np.arange(2**13)[:, None] >> np.arange(13)) & 1)
    p = np.mean(np.abs(signs @ sums) >= abs(sum(sums)) - 1e-12)
    assert p < 0.04
    assert found.joint.ranks == ((1, 1), (2, 2))
    text = harness.leaderboard(records)
    assert "mean mAP Medium" in text
    assert "(2 data sets; joint sign flips of 13 groups of queries, 5% level)" in text
    content = json.loads(harness.leaderboard(records, format="json"))
    assert content["across"][0]["joint"]["groups"] == 13


def test_the_mean_over_data_sets_of_active_learning_adds_the_variances_of_the_data_sets():
    """Two methods are one comparison: Welch's test of scipy on d_1 and -d_2, whose means differ by their sum."""
    from scipy import stats

    rng = np.random.default_rng(1)
    tables = [rng.normal(0.7, 0.01, (n, 2)) + [0.0, shift] for n, shift in ((4, 0.01), (6, 0.02))]
    apart = [table[:, 0] - table[:, 1] for table in tables]
    found = compare_datasets(tables)
    assert found.p[0] == pytest.approx(stats.ttest_ind(apart[0], -apart[1], equal_var=False).pvalue)
    assert found.difference[0] == pytest.approx(np.mean([d.mean() for d in apart]))
    three = compare_datasets([np.column_stack([table, table[:, 0] - 0.3]) for table in tables])
    assert three.differs.tolist()[1:] == [False, True]  # equal differences in every seed say little
    same = compare_datasets([table[:, [0, 0]] for table in tables])
    assert same.p.tolist() == [1.0]


def test_boards_of_several_data_sets_of_active_learning_have_the_mean(record):
    rng = np.random.default_rng(2)

    def runs(name, fingerprint, level):
        dataset = record().dataset.model_copy(update={"fingerprint": fingerprint, "name": fingerprint})
        return [
            record(name, seed=seed, kind="acquisition", task="active-learning", dataset=dataset, details={},
                   id=f"{name}{fingerprint}{seed}", metrics={"accuracy": level + rng.normal(0, 0.01)} | {
                       f"accuracy@{n}": level + n / 1000 + rng.normal(0, 0.01) for n in (10, 20)})
            for seed in range(6)
        ]  # fmt: skip

    records = [*runs("a", "x", 0.6), *runs("b", "x", 0.7), *runs("a", "y", 0.7), *runs("b", "y", 0.8)]
    (found,) = across(boards(records))
    assert (found.joint.ranks, found.joint.groups) == (((1, 1), (2, 2)), None)
    assert "seeds paired within each data set" in harness.leaderboard(records)


def test_settings_of_one_data_set_have_no_joint_test(settings):
    (found,) = across(boards(settings(4)))
    assert found.joint is None
