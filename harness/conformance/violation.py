"""The two ways in which a rule does not pass."""

from __future__ import annotations

from typing import Any


class Violation(Exception):
    """A method breaks a rule.

    Args:
        found: what it did, one clause.
        inputs: the smallest input found with which it does so; None where no input is needed.
        right: what would be right.
    """

    def __init__(self, found: str, *, inputs: Any = None, right: str = "") -> None:
        super().__init__(found)
        self.found, self.inputs, self.right = found, inputs, right


class NotApplicable(Exception):
    """A rule that cannot be tried on this method or this machine; the message says why."""
