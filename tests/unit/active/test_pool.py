from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.core.errors import ContractError, InvalidInput
from harness.plugin_api.contract import require_picks


def arrays(**changes):
    values = {"features": np.ones((4, 2)), "probabilities": np.full((4, 3), 1 / 3), "labels": [0, -1, 2, -1]}
    return {**values, **changes}


def test_what_an_acquisition_sees():
    pool = Pool(**arrays())
    assert pool.labelled.tolist() == [0, 2]
    assert pool.unlabelled.tolist() == [1, 3]
    assert pool.features.dtype == pool.probabilities.dtype == np.float32
    for name in ("features", "probabilities", "labels", "labelled", "unlabelled"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(pool, name)[0] = 0


def test_the_callers_arrays_stay_writable_and_are_not_shared():
    given = arrays()
    pool = Pool(**given)
    given["features"][0] = 7
    assert pool.features[0, 0] == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": np.ones((3, 2))}, "features has 3 rows, labels has 4"),
        ({"features": np.ones(4)}, "shape"),
        ({"features": np.array([[0, 1], [np.nan, 1], [0, 0], [0, 0]])}, "not finite in row 1"),
        ({"probabilities": -np.ones((4, 3))}, "negative value in row 0"),
        ({"labels": [0, -1, 3, -1]}, "labels[2] = 3"),
        ({"labels": [0, -2, 1, -1]}, "labels[1] = -2"),
        ({"labels": [0.5, -1, 1, -1]}, "integers"),
    ],
)
def test_wrong_arrays_are_refused(changes, words):
    with pytest.raises(InvalidInput) as caught:
        Pool(**arrays(**changes))
    assert words in str(caught.value)


def test_images_and_dropout_only_where_they_are_given():
    with pytest.raises(InvalidInput, match="no images"):
        Pool(**arrays()).images(np.array([0]))
    with pytest.raises(InvalidInput, match="no model"):
        Pool(**arrays()).dropout_probabilities(3)
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    pool = Pool(**arrays(), images=images, dropout=lambda t: np.zeros((t, 4, 3), np.float32))
    assert pool.images(np.array([2])).tolist() == [[[[2]]]]
    assert pool.dropout_probabilities(5).shape == (5, 4, 3)


@pytest.mark.parametrize(
    ("picks", "words"),
    [
        ([1], "1 picks for a budget of 2"),
        ([1, 1], "picked example 1 twice"),
        ([0, 1], "example 0, which is labelled"),
        ([1, 9], "example 9"),
        ([1.0, 3.0], "float64"),
        ([[1, 3]], "(1, 2)"),
        (None, "object"),
    ],
)
def test_a_selection_that_breaks_the_rules_is_an_error_with_the_methods_name(picks, words):
    with pytest.raises(ContractError, match="mine") as caught:
        require_picks("mine", picks, Pool(**arrays()), 2)
    assert words in str(caught.value)


def test_a_good_selection_keeps_its_order():
    picks = require_picks("mine", np.array([3, 1], dtype=np.int32), Pool(**arrays()), 2)
    assert picks.dtype == np.int64
    assert picks.tolist() == [3, 1]
