"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.conformance.violation import NotApplicable as NotApplicable
from harness.conformance.violation import Violation as Violation
from harness.plugin_api import OPTIONAL_HOOKS

if TYPE_CHECKING:
    from harness.conformance.trial import Answered, Trial

Check = Callable[["Trial"], None]
CheckOfAnswer = Callable[["Trial", "Answered"], None]
SOUND: Final = ("shape", "device", "finite", "deterministic", "inputs-unchanged", "no-state", "ignores-global-random")
"""Rules that rules about what a method computes build on."""


_NAMES: dict[str, set[str]] = {}


def rule_names(kind: str) -> frozenset[str]:
    """Names of the rules of a kind, once the modules of rules are loaded (``harness.conformance.rules.all_rules``)."""
    return frozenset(_NAMES.get(kind, ()))


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: how the rule is called on the command line and in ``deviations``.
        kinds: kinds of method that it holds for.
        why: one sentence: what goes wrong where it is broken.
        check: returns, or raises ``Violation`` or ``NotApplicable``.
        after: rules without which this one says nothing: it is not tried if one of them is broken.
        hook: the protocol of an optional hook that it tests.
    """

    name: str
    kinds: tuple[str, ...]
    why: str
    check: Check
    after: tuple[str, ...] = ()
    hook: type | None = None

    def __post_init__(self) -> None:
        for kind in self.kinds:
            _NAMES.setdefault(kind, set()).add(self.name)


class RuleSet(list[Rule]):
    """The rules of a module in the order in which they are written, each as a decorated function.

    Args:
        kinds: kinds of method that they hold for.
    """

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.kinds = kinds

    def rule(
        self, name: str, why: str, after: tuple[str, ...] = (), *, hook: type | None = None
    ) -> Callable[[Check], Check]:
        """The decorated function is the check of a rule; a rule of a hook holds for the kinds that may offer it."""

        def add(check: Check) -> Check:
            self.append(Rule(name, OPTIONAL_HOOKS[hook] if hook else self.kinds, why, check, after, hook))
            return check

        return add

    def each(
        self, name: str, why: str, after: tuple[str, ...] = (), *, hook: type | None = None, some: bool = False
    ) -> Callable[[CheckOfAnswer], CheckOfAnswer]:
        """As ``rule``, for a check of one answer: of all of them, or with ``some`` of the first and the last plain one.

        The inputs of the answer are those of the violation, where that has none of its own.
        """

        def add(check: CheckOfAnswer) -> CheckOfAnswer:
            def check_all(trial: Trial) -> None:
                for answered in trial.some if some else trial.answers:
                    try:
                        check(trial, answered)
                    except Violation as violation:
                        violation.inputs = answered.inputs if violation.inputs is None else violation.inputs
                        raise

            self.rule(name, why, after, hook=hook)(check_all)
            return check

        return add
