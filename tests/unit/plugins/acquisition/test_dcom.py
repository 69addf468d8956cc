from __future__ import annotations

import numpy as np
import pytest
from small_pools import SEVERAL, small_pool

from harness.active import Pool
from harness.core.errors import Errors
from harness.registry import load_registry
from harness_acquisition.dcom import DCoM, minmax
from harness_evidence.coverage import slow_dcom
from harness_evidence.pools import labelled_too, sorted_pool

RNG = np.random.default_rng


def remembered(memory):
    return dict(zip(memory["positions"].tolist(), memory["radii"].tolist(), strict=True))


@SEVERAL
def test_picks_and_radii_equal_those_found_one_by_one_over_two_cycles(cases):
    for seed, kind in cases:
        pool, budget = small_pool(seed, kind) if kind else (sorted_pool(seed, n=30), 1 + seed % 7)
        budget = min(budget, len(pool.unlabelled))
        picks, memory = DCoM().select_remembering(pool, budget, RNG(0), None)
        expected, radii = slow_dcom(pool, budget, {})
        assert (picks.tolist(), remembered(memory)) == (expected, radii), (seed, kind)
        later = labelled_too(pool, picks)
        rest = min(3, len(later.unlabelled))
        again, then = DCoM().select_remembering(later, rest, RNG(0), memory)
        expected, radii_then = slow_dcom(later, rest, radii)
        assert again.tolist() == expected, (seed, kind)
        if rest:
            assert remembered(then) == radii_then
            assert {i: radius for i, radius in radii_then.items() if i in radii} == radii


def test_density_decides_while_little_is_covered_and_margins_once_most_is():
    """A dense group far from the label, whose members are certain, and one uncertain example on its own."""
    features = np.array([[1, 0], *[[0, 1]] * 8, [-1, 0]], np.float32)
    p = np.array([[1, 0], *[[1, 0]] * 8, [0.5, 0.5]])
    pool = Pool(features, p, np.array([0, *[-1] * 9]))
    assert DCoM().select(pool, 2, RNG(0)).tolist() == [1, 9]
    covering = DCoM(max_radius=2.0, centre=0.1)  # the ball of the label grows over everything predicted as it
    assert covering.select(pool, 1, RNG(0)).tolist() == [9]


def test_radii_shrink_to_what_is_predicted_alike():
    features = np.stack([np.cos(np.linspace(0, 1, 21)), np.sin(np.linspace(0, 1, 21))], axis=1)
    p = np.where(np.arange(21)[:, None] < 5, [0.9, 0.1], [0.1, 0.9])
    _, memory = DCoM(resolution=0.01).select_remembering(Pool(features, p, [0, *[-1] * 20]), 1, RNG(0), None)
    # A label, four like it and at most seven others: 5 / 12 is the last share above 0.2 * coverage + 0.4.
    share = 0.2 * (np.linalg.norm(features - features[0], axis=1) < 0.6).mean() + 0.4
    reach = int(np.floor(5 / share))
    inside, outside = (np.linalg.norm(features[j] - features[0]) for j in (reach - 1, reach))
    assert inside - 0.01 <= memory["radii"][0] <= outside + 0.01


def test_a_radius_once_found_stays_and_new_labels_are_looked_for():
    pool = sorted_pool(3)
    memory = {"positions": pool.labelled[:1], "radii": np.array([0.33])}
    _, then = DCoM().select_remembering(pool, 1, RNG(0), memory)
    assert then["radii"][0] == 0.33
    assert then["positions"].tolist() == pool.labelled.tolist()
    assert (then["radii"] > 0).all()


def test_without_a_label_it_is_density_alone():
    features = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [-1, 0], [-1, 0]], np.float32)
    pool = Pool(features, np.full((6, 2), 0.5), np.full(6, -1))
    assert DCoM().select(pool, 4, RNG(0)).tolist() == [1, 4, 0, 2]


def test_nothing_to_stretch_is_0():
    assert minmax(np.array([3.0, 3.0])).tolist() == [0, 0]
    assert minmax(np.array([1, 3, 2])).tolist() == [0, 1, 0.5]


@pytest.mark.parametrize("given_", [{"max_radius": 0}, {"centre": 2.0}, {"resolution": 0}, {"initial_radius": 3.0}])
def test_bad_parameters_are_refused(given_):
    with pytest.raises(Errors):
        load_registry().create("acquisition", "dcom", **given_)
