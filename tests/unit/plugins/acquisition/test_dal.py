from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness_acquisition.dal import DiscriminativeActiveLearning as Dal
from harness_acquisition.dal import standardised
from harness_evidence.gradients import slow_dal, unevenly_labelled

RNG = np.random.default_rng


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rounds", "ratio", "c"), [(1, 10, 1.0), (4, 3, 1.0), (10, 10, 0.1)])
def test_picks_equal_a_plain_solver(seed, rounds, ratio, c):
    pool = unevenly_labelled(seed)
    picks = Dal(rounds=rounds, ratio=ratio, c=c).select(pool, 15, RNG(seed))
    assert picks.tolist() == slow_dal(pool, 15, rounds, ratio, c, RNG(seed))


@pytest.mark.parametrize("hidden", [0, 16])
def test_what_lies_beside_the_labelled_examples_comes_last(hidden):
    rng = RNG(0)
    near = np.arange(200) < 100
    features = rng.normal(size=(200, 3)) + np.where(near, 0, 8)[:, None]
    labels = np.where(np.arange(200) < 20, 1, -1)
    pool = Pool(features, np.full((200, 2), 0.5), labels)
    # One round: later ones know that the other side is labelled too.
    picks = Dal(rounds=1, hidden=hidden).select(pool, 100, RNG(0))
    assert near[picks].sum() <= 5
    later = Dal(rounds=10, hidden=hidden).select(pool, 100, RNG(0))
    assert near[later].sum() > 5


def test_a_hidden_layer_finds_what_no_plane_separates():
    rng = RNG(1)
    features = rng.normal(size=(600, 2))
    outside = np.linalg.norm(features, axis=1) > 1.2
    labels = np.full(600, -1)
    labels[np.flatnonzero(~outside)[:150]] = 1
    pool = Pool(features, np.full((600, 2), 0.5), labels)
    shares = {h: outside[Dal(rounds=1, hidden=h).select(pool, 100, RNG(0))].mean() for h in (0, 64)}
    assert shares[64] > 0.95
    assert shares[64] >= shares[0]


def test_standardised_by_hand_and_a_constant_column_is_zero():
    x = np.array([[1.0, 7.3, -2.0], [3.0, 7.3, 2.0]], dtype=np.float32)
    np.testing.assert_array_equal(standardised(x), [[-1, 0, -1], [1, 0, 1]])
