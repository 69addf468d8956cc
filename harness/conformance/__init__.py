"""Conformance: the rules that every method is held to, a third party's as the built-in ones.

``check("mine.py")`` and ``check("pooling:gem")`` return reports; ``harness check`` prints them; ``pytest
--harness-plugin mine.py`` makes a test of each rule. ``harness check --list`` prints the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.conformance.rule import NotApplicable, Rule, Violation
from harness.core.lazy import lazy_names

if TYPE_CHECKING:
    from harness.conformance.rules import all_rules, rules_of
    from harness.conformance.suite import Report, Result, check

__all__ = ["NotApplicable", "Report", "Result", "Rule", "Violation", "all_rules", "check", "rules_of"]

_HOMES = {
    "Report": "harness.conformance.suite",
    "Result": "harness.conformance.suite",
    "check": "harness.conformance.suite",
    "all_rules": "harness.conformance.rules",
    "rules_of": "harness.conformance.rules",
}

__getattr__, _ = lazy_names(__name__, _HOMES)
