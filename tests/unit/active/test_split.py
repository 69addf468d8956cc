from __future__ import annotations

import numpy as np
import pytest

from harness.active.split import balanced_labels, long_tail
from harness.core.errors import InvalidInput

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


@pytest.mark.parametrize(("ratio", "smallest", "largest"), [(1, 100, 100), (10, 10, 100), (1000, 1, 100)])
def test_a_long_tail_has_its_ratio(ratio, smallest, largest):
    labels = np.repeat(np.arange(5), [100, 120, 300, 100, 110])
    kept = long_tail(labels, 5, ratio, np.random.default_rng(0))
    sizes = np.sort(np.bincount(labels[kept], minlength=5))
    assert (sizes[0], sizes[-1]) == (smallest, largest)
    assert len(np.unique(kept)) == len(kept)
    if ratio == 10:
        assert np.allclose(sizes[1:] / sizes[:-1], 10**0.25, atol=0.12)
    assert np.array_equal(kept, long_tail(labels, 5, ratio, np.random.default_rng(0)))


def test_the_order_of_the_classes_is_drawn():
    labels = np.repeat(np.arange(5), 100)
    orders = {tuple(np.bincount(labels[long_tail(labels, 5, 10, np.random.default_rng(seed))])) for seed in range(8)}
    assert len(orders) > 3


def test_a_class_without_examples_has_no_tail():
    with pytest.raises(InvalidInput, match="class 1 has no example"):
        long_tail(np.array([0, 2]), 3, 2, np.random.default_rng(0))
