from __future__ import annotations

import numpy as np
import pytest

from harness.active.split import annotated, balanced_labels, long_tail, random_labels
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


@pytest.mark.parametrize(("total", "match"), [(44, "class 3, which has 10")])
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


def test_fewer_labels_than_classes_go_to_some_of_them():
    picks = split(3)
    assert len(set(LABELS[picks].tolist())) == len(picks) == 3
    assert {frozenset(LABELS[split(3, seed)].tolist()) for seed in range(20)} > {frozenset(LABELS[picks].tolist())}


def test_random_labels_are_drawn_whatever_their_class():
    picks = random_labels(110, 20, np.random.default_rng(0))
    assert len(np.unique(picks)) == 20
    with pytest.raises(InvalidInput, match="111 initial labels of a pool of 110"):
        random_labels(110, 111, np.random.default_rng(0))


def test_an_annotator_is_wrong_as_often_as_asked_and_never_by_the_right_class():
    labels = np.arange(20_000) % 5
    answers = annotated(labels, 5, 0.3, np.random.default_rng(0))
    wrong = answers != labels
    assert 0.28 < wrong.mean() < 0.32
    assert np.bincount((answers - labels)[wrong] % 5, minlength=5)[1:].min() > 1000
    assert np.array_equal(annotated(labels, 5, 0.0, np.random.default_rng(0)), labels)
