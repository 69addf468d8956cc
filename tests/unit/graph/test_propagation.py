"""Label propagation against its equations, written densely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.graph import affinity, normalise, propagate
from harness_evidence.learning import dense_propagation


def clusters(seed, n, *, isolated=0, classes=3):
    """A normalised graph with isolated points, and labels of which most are hidden."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=n)
    x = rng.standard_normal((classes, 5))[truth] + 0.5 * rng.standard_normal((n, 5))
    x[rng.integers(n, size=isolated)] = 0
    labels = np.where(rng.random(n) < 0.15, truth, -1)
    return normalise(affinity(x, 5).astype(np.float64)), labels


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.integers(1, 120),
    st.integers(1, 5),
    st.integers(0, 15),
    st.sampled_from(["recommended", "thesis", "released-code"]),
)
def test_equals_the_equations(seed, n, classes, isolated, preset):
    s, labels = clusters(seed, n, isolated=isolated, classes=classes)
    found = propagate(s, labels, classes, preset=preset, tol=1e-13, max_iter=1000)
    labels_, probabilities, weights = dense_propagation(s.toarray(), labels, classes, preset)
    # Far from every label the scores are below what double precision can tell from zero.
    clear = np.abs(found.probabilities - probabilities).max(axis=1) < 1e-6
    assert clear.mean() > 0.95
    np.testing.assert_allclose(found.weights[clear], weights[clear], atol=1e-5)
    ordered = np.sort(probabilities, axis=1)
    margin = ordered[:, -1] - ordered[:, -2] > 1e-6 if classes > 1 else np.ones(n, bool)
    assert np.array_equal(found.labels[clear & margin], labels_[clear & margin])
    assert np.array_equal(found.labels == -1, labels_ == -1)
    assert found.unreached == (labels_ == -1).sum()
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.probabilities).all()
    assert ((found.weights >= 0) & (found.weights <= 1)).all()


def test_probabilities_to_1e_8_on_2000_nodes():
    s, labels = clusters(3, 2000, isolated=40, classes=10)
    found = propagate(s, labels, 10, tol=1e-13)
    expected = dense_propagation(s.toarray(), labels, 10, "recommended")
    np.testing.assert_allclose(found.probabilities, expected[1], atol=1e-8)
    np.testing.assert_allclose(found.weights, expected[2], atol=1e-8)
    assert np.array_equal(found.labels, expected[0])
    assert found.report.all_converged


def test_row_that_no_label_reaches():
    s = normalise(np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], float))
    for preset in ("recommended", "thesis", "released-code"):
        found = propagate(s, [0, -1, -1, -1], 3, preset=preset)
        assert found.labels.tolist() == [0, 0, -1, -1]
        assert found.weights.tolist() == [1, 1, 0, 0]
        assert (found.probabilities[2:] == 0).all()
        assert (found.unreached, found.empty_classes) == (2, (1, 2))


def test_nothing_labelled():
    found = propagate(normalise(np.ones((3, 3)) - np.eye(3)), [-1, -1, -1], 2)
    assert found.labels.tolist() == [-1, -1, -1]
    assert found.weights.tolist() == [0, 0, 0]
    assert found.empty_classes == (0, 1)


def test_class_sizes_count_in_the_thesis_preset_only():
    """A bridge row between two labels of class 0 and one of class 1 leans to the larger class only by (3.8)."""
    w = np.zeros((4, 4))
    for i in (0, 1, 2):
        w[i, 3] = w[3, i] = 1
    s, labels = normalise(w), [0, 0, 1, -1]
    assert propagate(s, labels, 2, preset="thesis").weights[3] > 0.05
    assert propagate(s, labels, 2, preset="recommended").weights[3] == pytest.approx(0, abs=1e-6)


def test_released_code_is_cut_at_20_iterations_and_divides_by_the_largest_weight():
    s, labels = clusters(1, 1500, classes=4)
    cut = propagate(s, labels, 4, preset="released-code", tol=1e-12)
    full = propagate(s, labels, 4, preset="recommended", tol=1e-12)
    assert (cut.report.max_iter, cut.report.iterations.max()) == (20, 20)
    assert full.report.all_converged
    assert not cut.report.all_converged
    equal = propagate(s, labels, 4, preset="released-code", tol=1e-12, max_iter=1000)
    hidden = labels < 0
    ratio = equal.weights[hidden & (full.weights > 0.01)] / full.weights[hidden & (full.weights > 0.01)]
    assert np.ptp(ratio) < 1e-6
    assert ratio[0] >= 1


def test_permuting_the_nodes_permutes_the_result():
    s, labels = clusters(5, 200)
    order = np.random.default_rng(0).permutation(200)
    plain, moved = propagate(s, labels, 3, tol=1e-12), propagate(s[order][:, order], labels[order], 3, tol=1e-12)
    np.testing.assert_allclose(moved.probabilities, plain.probabilities[order], atol=1e-8)
    assert np.array_equal(moved.labels, plain.labels[order])


def test_float32_agrees():
    s, labels = clusters(6, 500)
    wide, narrow = propagate(s, labels, 3), propagate(s, labels, 3, dtype=np.float32)
    assert narrow.probabilities.dtype == np.float32
    assert np.mean(wide.labels == narrow.labels) > 0.99
    assert np.isfinite(narrow.weights).all()


@pytest.mark.parametrize(
    ("labels", "classes", "preset"),
    [
        ([0, 1], 2, "thesis"),
        ([0, 2, -1], 2, "thesis"),
        ([0, -2, -1], 2, "thesis"),
        ([0.0, 1.0, -1.0], 2, "thesis"),
        ([[0], [1], [-1]], 2, "thesis"),
        ([0, 0, -1], 0, "thesis"),
        ([0, 1, -1], 2, "best"),
    ],
)
def test_bad_input_is_refused(labels, classes, preset):
    with pytest.raises(InvalidInput):
        propagate(np.zeros((3, 3)), labels, classes, preset=preset)
