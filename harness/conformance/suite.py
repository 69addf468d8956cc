"""Runs the rules over a method and says how each went."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.conformance.cost import Measured, measure
from harness.conformance.rule import NotApplicable, Rule, Violation
from harness.conformance.rules import all_rules, rules_of
from harness.conformance.trial import Trial, first_line
from harness.conformance.under_test import MethodUnderTest, find
from harness.conformance.values import shown
from harness.conformance.worker import worker
from harness.core.errors import HarnessError, PluginError, UnknownName, nearest
from harness.registry.composition import deviations_of

Status = Literal["passed", "failed", "declared", "unneeded", "skipped"]


@dataclass(frozen=True)
class Result:
    """How one rule went.

    Attributes:
        rule: the rule.
        status: ``declared`` is a violation that the author declares; ``unneeded`` a declared one that does not occur.
        text: what was found, or why the rule was skipped.
        inputs: the smallest input found that breaks the rule.
        right: what would be right.
        reason: the author's, where the deviation is declared.
    """

    rule: Rule
    status: Status
    text: str = ""
    inputs: str = ""
    right: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """How all rules went for one method, and what it costs on a standard case."""

    kind: str
    name: str
    plugin: str
    results: tuple[Result, ...]
    cost: Measured | None = None

    @property
    def failed(self) -> tuple[Result, ...]:
        """The rules that are broken and not excused."""
        return tuple(result for result in self.results if result.status == "failed")


def check(
    target: str, *, rules: Collection[str] = (), plugins: Iterable[str] = (), cost: bool = True
) -> tuple[Report, ...]:
    """Hold methods to the rules of their kind.

    Args:
        target: a plugin file, the name of an installed distribution or module, ``kind:name``, or ``--all``.
        rules: names of the rules to try; all by default.
        plugins: files or modules to load besides.
        cost: measure time and memory on a standard case.

    Returns:
        One report a method. A broken rule is no exception: see ``Report.failed``.

    Raises:
        UnknownName: no such target or rule.
        PluginError: a plugin cannot be loaded.
    """
    require_rules(rules)
    worker()  # it starts while this process loads what it needs
    return tuple(check_one(tested, rules=rules, cost=cost) for tested in find(target, tuple(map(str, plugins))))


def check_one(tested: MethodUnderTest, *, rules: Collection[str] = (), cost: bool = True) -> Report:
    """Hold one method to the rules of its kind."""
    entry = tested.entry
    try:
        entry.load()
    except PluginError as error:
        broken_class = Result(all_rules()[0], "failed", error.headline, right=error.fix)
        return Report(entry.kind, entry.name, entry.origin.plugin, (broken_class,))
    # What a plugin prints must not get into the report.
    with tempfile.TemporaryDirectory(prefix="harness-check-") as folder, redirect_stdout(sys.stderr):
        trial = Trial(tested, Path(folder))
        results = try_rules(trial, rules)
        broken = {result.rule.name for result in results if result.status == "failed"}
        usable = not broken & {"parameters", "frozen-dataclass", "protocol", "plain-inputs"}
        measured = measure(trial) if cost and usable else None
    return Report(entry.kind, entry.name, entry.origin.plugin, results, measured)


def try_rules(trial: Trial, only: Collection[str] = ()) -> tuple[Result, ...]:
    """Every rule of the kind, or those named ``only``; a rule is skipped if one that it builds on is broken."""
    broken: dict[str, str] = {}
    rules = [rule for rule in rules_of(trial.tested.entry.kind) if not only or rule.name in only]
    return tuple(next_result(rule, trial, broken) for rule in rules)


def next_result(rule: Rule, trial: Trial, broken: dict[str, str]) -> Result:
    """One rule after others; ``broken`` holds the rules that say nothing any more, with the rule to blame."""
    cause = next((broken[name] for name in rule.after if name in broken), "")
    if cause:
        broken[rule.name] = cause
        return Result(rule, "skipped", f"says nothing while {cause} is broken")
    result = try_rule(rule, trial, deviations_of(trial.tested.entry.load()).get(rule.name, ""))
    if result.status in ("failed", "declared"):
        broken[rule.name] = rule.name
    return result


def try_rule(rule: Rule, trial: Trial, declared: str = "") -> Result:
    """One rule."""
    try:
        rule.check(trial)
    except NotApplicable as reason:
        return Result(rule, "skipped", str(reason))
    except Violation as violation:
        inputs = shown(violation.inputs) if violation.inputs is not None else ""
        status: Status = "declared" if declared else "failed"
        return Result(rule, status, violation.found, inputs, violation.right, declared)
    except HarnessError as error:
        return Result(rule, "skipped", f"it refuses an input of this rule: {error.headline}")
    except (Exception, SystemExit) as error:
        text = f"{type(error).__name__}: {error}"
        return Result(rule, "failed", first_line(text), right="no error here", reason=declared)
    if declared:
        return Result(rule, "unneeded", "declared, but it does not occur: take it out of deviations", reason=declared)
    return Result(rule, "passed")


def require_rules(names: Collection[str]) -> None:
    """Raises ``UnknownName`` for the first name that is no rule."""
    known = [rule.name for rule in all_rules()]
    for name in names:
        if name not in known:
            raise UnknownName(f'unknown rule "{name}"', fix=f"{nearest(name, known)} (harness check --list)".strip())
