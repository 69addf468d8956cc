"""A pytest plugin: ``pytest --harness-plugin mine.py`` makes a test of each rule of each method of a plugin.

Installed packages get it by an entry point; elsewhere ``pytest -p harness.conformance.pytest_plugin``. Without the
option it does nothing and imports nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.conformance.rule import Rule
    from harness.conformance.suite import Result
    from harness.conformance.trial import Trial


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``--harness-plugin``."""
    parser.getgroup("harness").addoption(
        "--harness-plugin",
        action="append",
        default=[],
        metavar="TARGET",
        help="check a plugin: a file, an installed plugin, or KIND:NAME; may be repeated",
    )


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the tests of the plugins that the option names."""
    for target in config.getoption("--harness-plugin"):
        items.extend(_items(session, target))


def _items(session: pytest.Session, target: str) -> Iterator[pytest.Item]:
    from harness.conformance.rules import rules_of
    from harness.conformance.trial import Trial
    from harness.conformance.under_test import find
    from harness.core.errors import HarnessError

    try:
        for tested in find(target):
            # One folder and one trial a method: its answers are found once for all rules.
            folder = tempfile.TemporaryDirectory(prefix="harness-check-")
            session.config.add_cleanup(folder.cleanup)
            trial = Trial(tested, Path(folder.name))
            broken: dict[str, str] = {}
            for rule in rules_of(tested.entry.kind):
                name = f"{tested.label}::{rule.name}"
                yield RuleItem.from_parent(session, name=name, rule=rule, trial=trial, broken=broken)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None


class RuleItem(pytest.Item):
    """One rule of one method."""

    def __init__(self, *, rule: Rule, trial: Trial, broken: dict[str, str], **others: Any) -> None:
        super().__init__(**others)
        self._rule, self._trial, self._broken = rule, trial, broken

    def runtest(self) -> None:
        """Try the rule; skipped where it does not apply, expected to fail where a deviation is declared."""
        from harness.conformance.suite import next_result

        result = next_result(self._rule, self._trial, self._broken)
        if result.status == "skipped":
            pytest.skip(result.text)
        if result.status == "declared":
            pytest.xfail(f"{result.text}; declared: {result.reason}")
        if result.status != "passed":
            raise RuleBroken(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The rule, why it exists, the smallest input, and what would be right; no traceback."""
        if isinstance(excinfo.value, RuleBroken):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """What stands above a failure."""
        return Path(self._trial.tested.label), None, self.name


class RuleBroken(Exception):
    """A rule that is broken, or declared to be and is not."""

    def __init__(self, result: Result) -> None:
        facts = [("why", result.rule.why), ("input", result.inputs), ("right", result.right)]
        lines = [f"  {name + ':':<6} {value}" for name, value in facts if value]
        super().__init__("\n".join([f"{result.rule.name}: {result.text}", *lines]))
