from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness_acquisition import bald
from harness_acquisition.bald import Bald
from harness_evidence.uncertainty import mutual_information

RNG = np.random.default_rng


def pool_of(passes, labels=None):
    n, c = passes.shape[1:]
    labels = np.full(n, -1) if labels is None else labels
    return Pool(np.zeros((n, 1)), np.full((n, c), 1 / c), labels, None, lambda t: passes[:t].astype(np.float32))


@pytest.mark.parametrize("rows", [7, 1024])
def test_order_is_that_of_the_formula(monkeypatch, rows):
    monkeypatch.setattr(bald, "_ROWS", rows)
    rng = RNG(0)
    passes = rng.dirichlet(np.full(4, 0.3), (10, 100)).astype(np.float32)
    passes[passes < 0.05] = 0
    labels = np.where(rng.random(100) < 0.2, 1, -1)
    free = np.flatnonzero(labels < 0).tolist()
    expected = sorted(free, key=lambda i: (-mutual_information(passes, i), i))
    assert Bald().select(pool_of(passes, labels), len(free), RNG(0)).tolist() == expected
    assert Bald().select(pool_of(passes, labels), 9, RNG(0)).tolist() == expected[:9]
    few = sorted(free, key=lambda i: (-mutual_information(passes[:3], i), i))
    assert Bald(t=3).select(pool_of(passes, labels), 9, RNG(0)).tolist() == few[:9]


def test_passes_that_agree_score_nothing_however_unsure():
    same = np.repeat(RNG(1).dirichlet(np.ones(3), 50)[None], 10, axis=0)
    assert Bald().select(pool_of(same), 5, RNG(0)).tolist() == [0, 1, 2, 3, 4]
    same[5:, 20] = np.roll(same[5:, 20], 1, axis=1)
    assert Bald().select(pool_of(same), 2, RNG(0)).tolist() == [20, 0]


def test_certain_passes_that_contradict_come_first():
    passes = np.zeros((2, 3, 2))
    passes[:, 0] = 0.5
    passes[0, 1], passes[1, 1] = [1, 0], [0, 1]
    passes[:, 2] = [1, 0]
    assert Bald(t=2).select(pool_of(passes), 3, RNG(0)).tolist() == [1, 0, 2]


def test_passes_of_the_wrong_shape_are_named():
    with pytest.raises(InvalidInput, match=r"\(3, 5, 2\); should be \(10, 5, 2\)"):
        Bald().select(pool_of(np.full((3, 5, 2), 0.5)), 1, RNG(0))


def test_a_pool_without_a_model_says_so():
    with pytest.raises(InvalidInput, match="no model"):
        Bald().select(Pool(np.zeros((3, 1)), np.ones((3, 1)), np.full(3, -1)), 1, RNG(0))
