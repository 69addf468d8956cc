"""When the gate closes: worse, fine, and nothing to judge by."""

from __future__ import annotations

import numpy as np
import pytest
from measurements import active, retrieval

import harness
from harness.boards.comparison.gate import judge
from harness.core.errors import BadParameter
from harness.runs.tolerances import parse_tolerances

APS = np.random.default_rng(0).random(60)
NOISE = np.random.default_rng(1).normal(0, 0.05, 60)


def verdict(before, after, tolerance=None, **options):
    return judge(harness.compare(before, after), tolerance=tolerance, **options)


def test_worse_is_5_and_noise_and_better_are_0():
    before = [retrieval(aps=APS)]
    worse = verdict(before, [retrieval(aps=APS - 0.05 + NOISE)])
    assert worse.exit_code == 5
    assert worse.worse[0].startswith("set · tiny · gem: map_medium 5")
    assert verdict(before, [retrieval(aps=APS + NOISE - NOISE.mean() - 0.001)]).exit_code == 0
    assert verdict(before, [retrieval(aps=APS + 0.05)]).exit_code == 0
    same = verdict(before, before)
    assert (same.exit_code, same.worse, same.unknown) == (0, (), ())
    assert "1 numbers are identical" in same.summary


def test_a_tolerated_loss_passes():
    before, after = [retrieval(aps=APS)], [retrieval(aps=APS - 0.01)]
    assert verdict(before, after).exit_code == 5
    assert verdict(before, after, {"": 1.5}).exit_code == 0
    assert verdict(before, after, {"": 1.5, "map_medium": 0.5}).exit_code == 5
    assert verdict(before, after, {"": 0.5}).exit_code == 5


def test_too_few_seeds_are_6_unless_a_tolerance_decides():
    before, after = active([0.8, 0.8, 0.8]), active([0.7, 0.75, 0.72])
    none = verdict(before, after)
    assert none.exit_code == 6
    assert "3 pairs are too few" in none.unknown[0]
    assert verdict(before, after, {"": 1.0}).exit_code == 5
    assert verdict(before, after, {"": 20.0}).exit_code == 0
    assert verdict(after, before).exit_code == 0  # better, whether by chance or not


def test_runs_that_fail_now_are_worse():
    before = [retrieval(), retrieval("mac")]
    now = verdict(before, [retrieval(), retrieval("mac", status="failed")])
    assert now.exit_code == 5
    assert "1 of 1 runs gave a result, now 0 of 1; failed: no memory" in now.worse[0]
    failed = [retrieval(status="failed"), retrieval("mac")]
    assert verdict(failed, failed).exit_code == 6


def test_what_is_not_measured_any_more_is_6_unless_allowed():
    before, after = [retrieval(), retrieval("mac")], [retrieval()]
    assert verdict(before, after).exit_code == 6
    assert verdict(before, after, allow_missing=True).exit_code == 0
    assert verdict(after, before).exit_code == 0  # a new method
    assert verdict([retrieval()], [retrieval("mac")], allow_missing=True).exit_code == 6
    assert verdict([retrieval()], [retrieval(status="missing")]).exit_code == 6


def test_worse_comes_before_unknown():
    before = [retrieval(aps=APS), retrieval("mac")]
    assert verdict(before, [retrieval(aps=APS - 0.1)]).exit_code == 5


def test_tolerances_are_read_and_checked():
    assert parse_tolerances(["0.5", "map_hard=1", "labels_to@0.8=5"]) == {"": 0.5, "map_hard": 1, "labels_to@0.8": 5}
    for bad in ("x", "map=", "-1", "nan", "inf", "map=-2"):
        with pytest.raises(BadParameter, match="bad tolerance"):
            parse_tolerances([bad])
