"""The rules are themselves tested: each wrong plugin is caught by the rule that it breaks, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.conformance.rules import all_rules
from harness.conformance.suite import check_one
from harness.conformance.under_test import find
from harness.plugin_api import OPTIONAL_HOOKS

FOLDER = Path(__file__).parent
WRONG = find("saboteurs")


def _marked() -> list:
    """The first saboteur of each rule; other ways to break it are slow tests."""
    rules: set[str] = set()
    marked = []
    for tested in WRONG:
        rule = tested.entry.name.partition(":")[0]
        marked.append(pytest.param(tested, marks=[pytest.mark.slow] if rule in rules else [], id=tested.label))
        rules.add(rule)
    return marked


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


@pytest.mark.parametrize("tested", _marked())
def test_exactly_the_intended_rule_catches_it(tested):
    report = check_one(tested, cost=False)
    assert [result.rule.name for result in report.failed] == [tested.entry.name.partition(":")[0]]


def test_every_rule_has_a_saboteur():
    broken = {tested.entry.name.partition(":")[0] for tested in WRONG}
    assert broken == {rule.name for rule in all_rules()}


def test_every_optional_hook_has_a_rule():
    rules = {rule.hook: rule for rule in all_rules() if rule.hook}
    assert {hook: rule.kinds for hook, rule in rules.items()} == OPTIONAL_HOOKS


def test_the_twelve_wrong_plugins_are_among_them():
    assert {tested.entry.name.partition(": ")[2] for tested in WRONG} >= set(TWELVE)


@pytest.mark.parametrize("tested", find(str(FOLDER / "honest.py")), ids=lambda tested: tested.label)
def test_what_they_are_made_from_keeps_all_rules(tested):
    report = check_one(tested, cost=False)
    assert not report.failed, report.failed
    assert not [result for result in report.results if "says nothing while" in result.text]
