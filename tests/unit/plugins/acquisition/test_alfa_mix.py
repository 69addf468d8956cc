from __future__ import annotations

import numpy as np
import pytest
from small_pools import small_pool

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness.plugin_api import LinearHead
from harness_acquisition.alfa_mix import AlfaMix, anchors, least_caps
from harness_evidence.mixtures import mixture_changes

RNG = np.random.default_rng


def two_classes(z, labels, weight=((1.0, 0.0), (-1.0, 0.0)), bias=(0.0, 0.0)):
    """Class 0 to the right of the middle, class 1 to its left."""
    head = LinearHead(np.array(weight, np.float32), np.array(bias, np.float32))
    return Pool(z, head(np.asarray(z, np.float32)), labels, head=lambda: head)


def test_the_least_cap_by_hand():
    """From 0.5 to the border at 0 along the gradient (-1, 0): cap / sqrt(2) times the distance of 2.5 to the anchor."""
    pool = two_classes([[-1.0, 2.0], [0.5, 0.0]], [1, -1])
    least = least_caps(pool.head, pool.features[1:], anchors(pool))
    np.testing.assert_allclose(least, 0.5 * np.sqrt(2) / 2.5, rtol=1e-7)
    changes = mixture_changes(pool, 1)
    assert not changes(least[0] - 1e-6)
    assert changes(least[0] + 1e-6)


def test_a_feature_that_the_anchor_shares_is_not_mixed():
    """The anchor differs only in the feature that decides nothing."""
    pool = two_classes([[0.5, 2.0], [0.5, 0.0]], [1, -1])
    assert least_caps(pool.head, pool.features[1:], anchors(pool))[0] > 1e6


def test_a_class_without_a_label_is_anchored_at_the_mean_of_all():
    pool = two_classes([[1.0, 0.0], [3.0, 2.0], [0.0, 0.0]], [0, 0, -1])
    np.testing.assert_array_equal(anchors(pool), [[2, 1], [2, 1]])


def test_the_cap_grows_until_there_are_more_candidates_than_picks():
    """Examples ever farther from the border: the budget decides how far the candidates reach."""
    z = np.stack([np.linspace(0.05, 3, 30), np.zeros(30)], axis=1)
    pool = two_classes(np.vstack([[-4.0, 1.0], z]), [1, *[-1] * 30])
    for budget in (1, 3, 8):
        assert AlfaMix().select(pool, budget, RNG(0)).max() < 3 * budget + 8
    far = two_classes([[-1.0, 0.0], *([9.0, float(y)] for y in range(10))], [1, *[-1] * 10])
    assert np.isfinite(least_caps(far.head, far.features[1:], anchors(far))).all()  # however certain


def test_nothing_changes_a_head_that_knows_one_answer():
    pool = two_classes([[-1.0, 0.0], [1.0, 0.0], [2.0, 0.0]], [1, -1, -1], weight=((1.0, 1.0), (1.0, 1.0)))
    assert np.isinf(least_caps(pool.head, pool.features[1:], anchors(pool))).all()
    assert sorted(AlfaMix().select(pool, 2, RNG(0))) == [1, 2]


def test_what_it_needs():
    pool, _ = small_pool(0, "no label")
    with pytest.raises(InvalidInput, match="at least one labelled"):
        AlfaMix().select(pool, 1, RNG(0))
    with pytest.raises(InvalidInput, match="no linear last layer"):
        AlfaMix().select(Pool(np.zeros((3, 2)), np.full((3, 2), 0.5), np.array([0, -1, -1])), 1, RNG(0))
