from __future__ import annotations

import pytest

from harness.core.errors import Errors
from harness.data.folders import data_folders
from harness.runs.design import Design, read_design
from harness.runs.plan import make_plan
from harness.runs.spec import read_spec

SPEC = {"name": "s", "datasets": "digits", "methods": {"acquisition": "random", "learning": "supervised"}}


@pytest.mark.parametrize(
    ("stated", "measure"),
    [
        (None, ""),
        ("area", "area"),
        ("area-linear", "area-linear"),
        ("accuracy@100", "accuracy@100"),
        ({"labels-to": 90}, "labels-to@90"),
        ("labels-to@87.5", "labels-to@87.5"),
    ],
)
def test_a_spec_chooses_the_measure(stated, measure):
    spec, errors = read_spec({**SPEC, "task": "active-learning", "measure": stated, "baseline": "random"})
    assert not errors
    assert spec.design == Design(measure, "random")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"measure": "aera"}, '(?s)unknown measure "aera".*did you mean'),
        ({"measure": "map_medium"}, "unknown measure"),
        ({"measure": {"labels-to": 900}}, "no accuracy between 0 and 100"),
        ({"smallest_difference": 0}, "no number above 0"),
        ({"smallest_difference": True}, "no number above 0"),
        ({"baseline": ["a"]}, "name one method"),
    ],
)
def test_mistakes_of_a_design_are_named_with_their_key(given, message):
    _, errors = read_design(given, "active-learning")
    assert len(errors) == 1
    error, key = errors[0]
    assert key == next(iter(given))
    with pytest.raises(type(error), match=message):
        raise error


def test_retrieval_has_its_own_measures():
    assert read_design({"measure": "map_hard"}, "retrieval") == (Design("map_hard"), [])
    assert read_design({"measure": "mAP@100(gldv2)"}, "retrieval") == (Design("gldv2-map@100"), [])
    assert read_design({"measure": "area"}, "retrieval")[1]


def test_a_baseline_that_no_run_has_is_found_when_planning(tmp_path):
    content = {
        **SPEC,
        "task": "active-learning",
        "methods": {"acquisition": ["random", "margin"], "learning": "supervised"},
    }
    plan = make_plan({**content, "baseline": "margin"}, data_folders(tmp_path))
    assert plan.spec.design.baseline == "margin"
    with pytest.raises(Errors, match='baseline "coreset" is no method of this spec'):
        make_plan({**content, "baseline": "coreset"}, data_folders(tmp_path))
