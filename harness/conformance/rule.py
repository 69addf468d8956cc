"""What a rule is, and the two ways in which it does not pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.conformance.trial import Trial


class Violation(Exception):
    """A method breaks a rule.

    Args:
        found: what it did, one clause.
        given: the smallest input found with which it does so; None where no input is needed.
        right: what would be right.
    """

    def __init__(self, found: str, *, given: Any = None, right: str = "") -> None:
        super().__init__(found)
        self.found, self.given, self.right = found, given, right


class NotApplicable(Exception):
    """A rule that cannot be tried on this method or this machine; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: how the rule is called on the command line and in ``deviations``.
        kinds: kinds of method that it holds for.
        why: one sentence: what goes wrong where it is broken.
        check: returns, or raises ``Violation`` or ``NotApplicable``.
        after: rules without which this one says nothing: it is not tried if one of them is broken.
    """

    name: str
    kinds: tuple[str, ...]
    why: str
    check: Callable[[Trial], None]
    after: tuple[str, ...] = ()
