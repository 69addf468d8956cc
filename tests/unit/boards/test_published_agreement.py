from __future__ import annotations

import numpy as np
import pytest

from harness.boards import read_reference
from harness.boards.agreement import agreement_tables, published_agreement, published_tables
from harness.boards.render import render_tables
from harness.metrics.selections import Comparison

RANKS = np.empty((2, 0), np.int64)


@pytest.fixture
def reference(root):
    return read_reference(root / "leaderboards" / "thesis-table-3-4" / "reference.yaml")


def comparison(cycle, seed, agree, weight):
    values = {"agree": agree, "weight_equal": weight, "accuracy_equal": float("nan")}
    return Comparison(seed, cycle, 2000, 48000, values, RANKS, ("own picks", "own picks"))


def entry(found, **wanted):
    (only,) = [one for one in found if all(one[name] == value for name, value in wanted.items())]
    return only


def test_measured_published_and_difference(reference):
    compared = {
        "random": (comparison(1, 0, 0.80, 0.30), comparison(1, 1, 0.82, 0.32)),
        "jlp alpha=0.99": (comparison(2, 0, 0.9, 0.4),),
    }
    found = published_agreement(reference, "cifar10", compared)
    assert len(found) == 30
    agree = entry(found, cycle=1, acquisition="random", measurement="agree")
    assert agree["measured"] == pytest.approx(81.0)
    assert agree["published"] == 79.98
    assert agree["difference"] == pytest.approx(1.02)
    weight = entry(found, cycle=1, acquisition="random", measurement="weight_equal")
    assert weight["difference"] == pytest.approx(0.31 - 0.32)
    assert entry(found, cycle=2, acquisition="jlp", measurement="agree")["measured"] == pytest.approx(90.0)


def test_what_was_not_measured_stays_empty(reference):
    found = published_agreement(reference, "cifar10", {"random": (comparison(1, 0, 0.8, 0.3),)})
    assert entry(found, cycle=1, acquisition="random", measurement="accuracy_equal")["measured"] is None
    assert entry(found, cycle=2, acquisition="random", measurement="agree")["difference"] is None
    assert entry(found, cycle=1, acquisition="coreset", measurement="agree")["measured"] is None
    text = " ".join(render_tables(published_tables(reference, "cifar10", {}), "markdown").split())
    assert "| 1 | CoreSet | agree | | 80.58 | |" in text
    assert "Published: Table 3.4" in text


def test_two_settings_of_one_acquisition_are_not_mixed(reference):
    compared = {name: (comparison(1, 0, 0.8, 0.3),) for name in ("jlp k=10", "jlp k=50")}
    found = published_agreement(reference, "cifar10", compared)
    assert entry(found, cycle=1, acquisition="jlp", measurement="agree")["measured"] is None


def test_another_dataset_or_a_leaderboard_has_nothing(reference):
    assert published_tables(reference, "cifar100", {}) == []
    assert published_agreement(reference.model_copy(update={"study": "leaderboard"}), "cifar10", {}) == []


def test_what_is_not_comparable_has_no_difference(reference):
    compared = {"random": (comparison(1, 0, 0.8, 0.3),)}
    other = reference.other_setting("cifar10", {"initial": 100, "budget": 1000})
    assert other == "Not comparable with the published numbers: initial 100 (published: 1000)."
    found = published_agreement(reference, "cifar10", compared, [other])
    assert {one["difference"] for one in found} == {None}
    text = render_tables(published_tables(reference, "cifar10", compared, [other]), "markdown")
    assert "| difference" not in text
    assert "No differences: not comparable with the published numbers" in text
    above = render_tables(agreement_tables("a", "entropy", {}, warnings=[other]), "markdown")
    assert "Not comparable with the published numbers" in above
