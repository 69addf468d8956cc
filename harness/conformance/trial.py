"""One method being tried: its answers to all inputs of its kind, found once and shared by the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.conformance.case import Case, Inputs, Kind
from harness.conformance.guards import isolated
from harness.conformance.kinds import kind_of
from harness.conformance.under_test import MethodUnderTest
from harness.conformance.values import Plain, plain, snapshot
from harness.conformance.violation import NotApplicable
from harness.core.errors import HarnessError
from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class Answered:
    """An input that a method answered."""

    case: Case
    inputs: Inputs
    raw: Any
    plain: Plain
    changed: tuple[str, ...]
    """Names of the inputs that were not as before afterwards."""


@dataclass(frozen=True)
class Refused:
    """An input that it did not answer."""

    case: Case
    inputs: Inputs
    error: BaseException

    @property
    def excused(self) -> bool:
        """Whether the input may be refused, and was with a sentence."""
        return self.case.may_refuse and isinstance(self.error, HarnessError)

    @property
    def wrote(self) -> bool:
        """Whether it failed because it tried to change an input that is read-only."""
        return isinstance(self.error, ValueError) and "read-only" in str(self.error)


class Trial:
    """A method and what is known of it.

    Args:
        tested: what is checked.
        folder: a new folder, for what the method needs and writes.
        parameters: those to try; by default those that the plugin registered for its check.
    """

    def __init__(self, tested: MethodUnderTest, folder: Path, parameters: Mapping[str, Any] | None = None) -> None:
        self.tested, self.folder = tested, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.parameters = tested.parameters(folder) if parameters is None else parameters
        self.kind: Kind = kind_of(tested.entry.kind)

    def method(self) -> Any:
        """A new instance."""
        return self.tested.create(self.parameters)

    @cached_property
    def folders(self) -> DataFolders:
        """Where a dataset looks and writes."""
        return self.tested.folders(self.folder)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """The inputs, from small to large."""
        kind: Any = self.kind
        return tuple(kind.cases(self.folders if kind.name == "dataset" else self.method()))

    def answer(self, case: Case, method: Any = None, *, seed: int = 0, globals_seed: int = 0) -> Any:
        """What a method (a new one by default) answers; the caller's global generators are left as they were."""
        return self.of(case.make(), method, seed=seed, globals_seed=globals_seed)

    def of(self, inputs: Inputs, method: Any = None, *, seed: int = 0, globals_seed: int = 0) -> Any:
        """What a method answers to these inputs."""
        method = self.method() if method is None else method
        rng = np.random.default_rng(seed)
        with isolated(globals_seed):
            return self.kind.apply(self.kind.prepare(method, inputs, rng), inputs, rng)

    def prepared(self, inputs: Inputs, method: Any = None) -> Any:
        """What a method (a new one by default) learns from these inputs."""
        with isolated(0):
            return self.kind.prepare(self.method() if method is None else method, inputs, np.random.default_rng(0))

    @cached_property
    def attempts(self) -> tuple[Answered | Refused, ...]:
        """Every input with its answer or the error that came instead."""
        found: list[Answered | Refused] = []
        for case in self.cases:
            used, inputs = case.make(), case.make()
            try:
                raw = self.of(used)
            except (Exception, SystemExit) as error:
                found.append(Refused(case, inputs, error))
            else:
                changed = tuple(name for name in inputs if snapshot(used[name]) != snapshot(inputs[name]))
                found.append(Answered(case, inputs, raw, plain(raw), changed))
        return tuple(found)

    @property
    def answers(self) -> tuple[Answered, ...]:
        """The inputs that were answered. Raises ``NotApplicable`` where none was."""
        found = tuple(attempt for attempt in self.attempts if isinstance(attempt, Answered))
        if not found:
            reason = next((str(a.error) for a in self.attempts if isinstance(a, Refused)), "")
            raise NotApplicable(f"it answers none of the inputs: {first_line(reason)}")
        return found

    @property
    def refusals(self) -> tuple[Refused, ...]:
        """The inputs that were not."""
        return tuple(attempt for attempt in self.attempts if isinstance(attempt, Refused))

    @property
    def some(self) -> tuple[Answered, ...]:
        """The first and the last plain input with an answer: enough for rules that try things several times."""
        answers = [answered for answered in self.answers if answered.case.judge == "plain-inputs"] or list(self.answers)
        return (answers[0], answers[-1]) if len(answers) > 1 else tuple(answers)


def first_line(text: str) -> str:
    """The first line of a message, cut to a readable length."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 200 else line[:197] + "..."


def offered(hook: type, *owners: Any) -> Any:
    """The first of these objects that offers an optional hook. Raises ``NotApplicable`` where none does."""
    for owner in owners:
        if isinstance(owner, hook):
            return owner
    raise NotApplicable("an optional hook that it does not offer")
