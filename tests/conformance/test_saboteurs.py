"""The rules are themselves tested: each wrong plugin is caught by the rule that it breaks, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.conformance.rules import all_rules
from harness.conformance.subject import find
from harness.conformance.suite import check_one

FOLDER = Path(__file__).parent
WRONG = find(str(FOLDER / "saboteurs.py"))
TWELVE = (
    "wrong shape",
    "wrong dtype",
    "changes its input",
    "not deterministic",
    "returns labelled indices",
    "duplicates",
    "ignores the budget",
    "NaN scores",
    "global random state",
    "wrong ranking length",
    "crashes on empty maps",
    "keeps state between calls",
)


@pytest.mark.parametrize("subject", WRONG, ids=lambda subject: subject.label)
def test_exactly_the_intended_rule_catches_it(subject):
    report = check_one(subject, cost=False)
    assert [result.rule.name for result in report.failed] == [subject.entry.name.partition(":")[0]]


def test_every_rule_has_a_saboteur():
    broken = {subject.entry.name.partition(":")[0] for subject in WRONG}
    assert broken == {rule.name for rule in all_rules()}


def test_the_twelve_wrong_plugins_are_among_them():
    assert {subject.entry.name.partition(": ")[2] for subject in WRONG} >= set(TWELVE)


@pytest.mark.parametrize("subject", find(str(FOLDER / "honest.py")), ids=lambda subject: subject.label)
def test_what_they_are_made_from_keeps_all_rules(subject):
    report = check_one(subject, cost=False)
    assert not report.failed, report.failed
    assert not [result for result in report.results if "says nothing while" in result.text]
