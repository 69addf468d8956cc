from __future__ import annotations

import numpy as np
import pytest

from harness.active.split import balanced_labels
from harness.errors import InvalidInput

LABELS = np.repeat(np.arange(4), [50, 30, 20, 10])


def split(total, seed=0):
    return balanced_labels(LABELS, 4, total, np.random.default_rng(seed))


def test_every_class_has_its_share():
    picks = split(12)
    assert picks.dtype == np.int64
    assert np.bincount(LABELS[picks]).tolist() == [3, 3, 3, 3]
    assert (np.diff(picks) > 0).all()


def test_a_remainder_goes_to_different_classes():
    counts = np.bincount(LABELS[split(14)])
    assert sorted(counts.tolist()) == [3, 3, 4, 4]


def test_a_seed_decides():
    assert np.array_equal(split(12, seed=1), split(12, seed=1))
    assert not np.array_equal(split(12, seed=1), split(12, seed=2))


def test_fewer_labels_are_a_subset_of_more():
    assert set(split(8)) <= set(split(20))


@pytest.mark.parametrize(("total", "match"), [(3, "at least one a class"), (44, "class 3, which has 10")])
def test_what_cannot_be_balanced_is_refused(total, match):
    with pytest.raises(InvalidInput, match=match):
        split(total)
