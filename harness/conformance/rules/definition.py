"""Rules about how a method is written down: its class, its parameters, its declared deviations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from harness.conformance.rule import RuleSet, Violation, rule_names
from harness.conformance.trial import Trial, first_line
from harness.core.errors import HarnessError
from harness.plugin_api import KINDS
from harness.plugin_api.registration import REQUIRED_METHODS
from harness.registry import parameters

RULES: Final = RuleSet(*KINDS)


@RULES.rule(
    "frozen-dataclass",
    "The fields of a method are its parameters and identify its runs: they must be known and must not change.",
)
def _frozen(trial: Trial) -> None:
    method = trial.tested.entry.load()
    frozen = dataclasses.is_dataclass(method) and method.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not frozen:
        what = "a dataclass that is not frozen" if dataclasses.is_dataclass(method) else "no dataclass"
        raise Violation(f"class {method.__name__} is {what}", right="@dataclass(frozen=True)")


@RULES.rule(
    "parameters",
    "A method must be made from plain parameters, or no spec can name it and no check can try it.",
    ("frozen-dataclass",),
)
def _created(trial: Trial) -> None:
    required = [p.name for p in parameters.describe(trial.tested.entry.load()) if p.default is None]
    missing = [name for name in required if name not in trial.parameters]
    if missing:
        raise Violation(
            f"the parameters {', '.join(missing)} have no default, so it cannot be tried",
            right=f"registry.{trial.tested.entry.kind}(name, class, check={{...}}) with values to try it on",
        )
    try:
        trial.method()
    except HarnessError as error:
        raise Violation(f"it cannot be made: {first_line(str(error))}", right="parameters that are accepted") from error


@RULES.rule("protocol", "The harness calls a method by the names of its protocol and by nothing else.", ("parameters",))
def _protocol(trial: Trial) -> None:
    method = trial.method()
    for name in REQUIRED_METHODS[trial.tested.entry.kind]:
        if not hasattr(method, name):
            raise Violation(f"it has no {name}", right=f"see harness.plugin_api: {trial.tested.entry.kind}")


@RULES.rule(
    "documented", "The first line of the docstring is all that listings and leaderboards can tell about a method."
)
def _documented(trial: Trial) -> None:
    method = trial.tested.entry.load()
    text = (method.__doc__ or "").strip()
    if not text or text.startswith(f"{method.__name__}("):
        raise Violation(
            f"class {method.__name__} has no docstring",
            right="one sentence: what it does, after which paper (harness methods shows it)",
        )


@RULES.rule(
    "declared-deviations",
    "A deviation is excused by its name and its reason: a misspelt name would excuse nothing, and nobody would notice.",
)
def _deviations(trial: Trial) -> None:
    declared = getattr(trial.tested.entry.load(), "deviations", {})
    if not isinstance(declared, Mapping) or not all(isinstance(reason, str) for reason in declared.values()):
        raise Violation(f"deviations is {declared!r:.80}", right="deviations: ClassVar = {rule: reason}")
    known = rule_names(trial.tested.entry.kind)
    for name, reason in declared.items():
        if name not in known:
            raise Violation(f'it declares a deviation from "{name}", which is no rule of its kind', right=_list(known))
        if not reason.strip():
            raise Violation(f'it declares a deviation from "{name}" without a reason', right="a sentence")


def _list(names: frozenset[str]) -> str:
    return "one of " + ", ".join(sorted(names))
