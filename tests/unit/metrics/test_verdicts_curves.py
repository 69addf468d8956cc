from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.metrics.verdicts.curves import area, interpolated, label_saving, labels_to, monotone
from harness.metrics.verdicts.penalty import penalties

RNG = np.random.default_rng
BUDGETS = np.array([100.0, 200.0, 400.0])


def test_the_area_by_hand():
    accuracy = np.array([[60.0, 70.0, 74.0]])
    assert area(BUDGETS, accuracy, 100, 400) == pytest.approx([68.5])
    assert area(BUDGETS, accuracy, 100, 400, log=False) == pytest.approx([69.6667], abs=1e-4)


def test_the_area_between_other_budgets_than_its_own():
    accuracy = np.array([[60.0, 70.0, 74.0]])
    x = np.linspace(np.log2(150), np.log2(300), 100_001)
    expected = np.interp(x, np.log2(BUDGETS), accuracy[0]).mean()
    assert area(BUDGETS, accuracy, 150, 300) == pytest.approx([expected], abs=1e-3)


def test_labels_to_a_target_count_the_running_maximum():
    accuracy = np.array([[0.5, 0.9, 0.7], [0.9, 0.1, 0.1], [0.1, 0.2, 0.3], [0.8, 0.6, 0.85]])
    labels, reached = labels_to(BUDGETS, accuracy, 0.8, 400)
    assert labels == pytest.approx([100 * 2**0.75, 100, 400, 100])
    assert reached.tolist() == [True, True, False, True]
    labels, reached = labels_to(BUDGETS, accuracy[:1], 0.8, 150)
    assert (labels.tolist(), reached.tolist()) == ([150], [False])


def test_the_nearest_rising_sequence_is_that_of_scipy():
    from scipy.optimize import isotonic_regression

    for seed in range(5):
        values = RNG(seed).normal(size=8) + np.arange(8) / 2
        assert monotone(values) == pytest.approx(isotonic_regression(values).x)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 10))
def test_the_interval_of_saved_labels_is_what_the_test_accepts(seed, n):
    """Against a paired t-test at every number of labels of a fine grid."""
    rng = RNG(seed)
    budgets = np.array([50.0, 100.0, 200.0, 400.0, 800.0])
    reference = np.sort(rng.normal(size=(n, 5)) * 0.05 + np.linspace(0.5, 0.8, 5), axis=1)
    method = rng.normal(size=n) * 0.03 + 0.66
    saving = label_saving(100, method, budgets, reference)
    x = np.log2(budgets)
    grid = np.linspace(x[0], x[-1], 4001)
    curves = np.array([np.interp(grid, x, curve) for curve in reference])
    assert interpolated(x, reference, grid[777]) == pytest.approx(curves[:, 777])
    accepted = grid[stats.ttest_1samp(method[:, None] - curves, 0, axis=0).pvalue >= 0.05]
    if len(accepted) == 0:
        return
    low = -np.inf if saving.low is None else np.log2(saving.low)
    high = np.inf if saving.high is None else np.log2(saving.high)
    step = grid[1] - grid[0]
    assert (accepted[0] == grid[0]) == (saving.low is None) or abs(accepted[0] - low) <= step
    assert (accepted[-1] == grid[-1]) == (saving.high is None) or abs(accepted[-1] - high) <= step


def test_saved_labels_by_hand():
    reference = np.array([[0.5, 0.6, 0.7]] * 4) + np.array([[-0.01], [0.0], [0.0], [0.01]])
    saving = label_saving(100, np.full(4, 0.65), BUDGETS, reference)
    assert saving.equivalent == pytest.approx(200 * 2**0.5)
    assert saving.saved == pytest.approx(200 * 2**0.5 - 100)
    assert saving.low < saving.equivalent < saving.high
    above = label_saving(400, np.full(4, 0.9) + reference[:, 0] / 9, BUDGETS, reference)
    assert (above.censored, above.equivalent, above.high) == ("above", 400, None)
    below = label_saving(100, np.full(4, 0.1) + reference[:, 0] / 9, BUDGETS, reference)
    assert (below.censored, below.equivalent, below.low) == ("below", 100, None)
    assert not label_saving(100, np.full(4, 0.65), BUDGETS, reference, paired=False).has_interval


def test_the_penalty_matrix_equals_a_slow_one():
    rng = RNG(0)
    budgets = np.array([100.0, 150.0, 200.0, 300.0, 500.0, 700.0])
    settings_ = []
    for _ in range(2):
        curve = np.linspace(0.5, 0.9, 6)
        accuracy = curve + rng.normal(size=(4, 6, 6)) * 0.01 + np.array([0, 0.02, 0.0, -0.02])[:, None, None]
        settings_.append((budgets, accuracy))
    found = penalties(settings_, reference=0)
    expected = np.zeros((4, 4))
    for _, accuracy in settings_:
        mean = accuracy[0].mean(axis=0)
        positions = {100: 0, 150: 1, 200: 2, 300: 3, 500: 4}
        chosen = []
        for budget in (100, 150, 200, 300, 500):
            if mean[positions[budget]] > 0.99 * mean[-1]:
                break
            chosen.append(positions[budget])
        for at in chosen:
            for a in range(4):
                for z in range(4):
                    if a != z:
                        test = stats.ttest_rel(accuracy[a, :5, at], accuracy[z, :5, at])
                        expected[a, z] += (test.statistic > 0 and test.pvalue < 0.05) / len(chosen)
    assert found.matrix == pytest.approx(expected)
    assert found.totals == pytest.approx(expected.sum(axis=0) / 4)
    assert found.totals.argmax() == 3


def test_checkpoints_that_are_no_budget_are_counted():
    accuracy = np.linspace(0.5, 0.9, 3)[None, None] + RNG(0).normal(size=(2, 5, 3)) * 0.01
    found = penalties([(np.array([100.0, 200.0, 900.0]), accuracy)], reference=0)
    assert found.left_out == 2  # 300 and 500; 200 and 900 are budgets
