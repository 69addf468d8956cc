"""Conformance: the rules that every method is held to, a third party's as the built-in ones.

``check("mine.py")`` and ``check("pooling:gem")`` return reports; ``harness check`` prints them; ``pytest
--harness-plugin mine.py`` makes a test of each rule. docs/conformance.md lists the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.conformance.rule import NotApplicable, Rule, Violation

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


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'harness.conformance' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
