"""The set of rules: documented, in a sensible order, listed without loading anything heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.conformance.rules import all_rules, rules_of
from harness.conformance.text import rules_markdown
from harness.plugin_api import KINDS


def test_the_page_lists_each_rule_with_its_reason():
    page = rules_markdown()
    for rule in all_rules():
        assert page.count(f"\n| `{rule.name}`") == 1
        assert f" {rule.why} |" in page


def test_each_rule_comes_after_those_that_it_builds_on():
    seen = set()
    names = {rule.name for rule in all_rules()}
    for rule in all_rules():
        assert set(rule.after) <= names
        assert set(rule.after) <= seen, rule.name
        seen.add(rule.name)
    assert len(seen) == len(all_rules())


def test_each_rule_says_why_in_a_sentence():
    for rule in all_rules():
        assert rule.why[0].isupper()
        assert rule.why.endswith(".")
        assert "\n" not in rule.why
        assert set(rule.kinds) <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_rules_of_its_own(kind):
    assert [rule for rule in rules_of(kind) if rule.kinds == (kind,)]


def test_listing_the_rules_loads_nothing_heavy():
    code = "from harness.conformance.rules import all_rules; all_rules(); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "faiss", "sklearn", "scipy", "cv2"} & set(loaded)
