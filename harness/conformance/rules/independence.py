"""Rules about what an answer may depend on: its inputs, not what was asked before, and nothing is changed by asking."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.conformance.guards import isolated
from harness.conformance.rule import RuleSet, Violation
from harness.conformance.trial import Trial
from harness.conformance.values import difference, plain, same
from harness.plugin_api import KINDS

RULES: Final = RuleSet(*KINDS)

_AFTER: Final = ("plain-inputs", "returns", "shape")


@RULES.rule("inputs-unchanged", "The same arrays are given to the next method and may lie in a shared cache.", _AFTER)
def _unchanged(trial: Trial) -> None:
    for refusal in trial.refusals:
        if refusal.wrote:
            raise Violation(
                f"it writes into its input: {refusal.error}", inputs=refusal.inputs, right="a copy of its own"
            )
    for answered in trial.answers:
        if answered.changed:
            names = ", ".join(answered.changed)
            raise Violation(f"{names} changed", inputs=answered.inputs, right="a copy of its own to work on")


@RULES.rule(
    "no-state",
    "What is kept from one call to the next makes a result depend on the order of the runs, or leaks one query "
    "into another.",
    (*_AFTER, "deterministic", "inputs-unchanged"),
)
def _no_state(trial: Trial) -> None:
    first, last = trial.some[0], trial.some[-1]
    method = trial.method()
    before = plain(trial.answer(first.case, method))
    trial.answer(last.case, method, seed=1)
    after = plain(trial.answer(first.case, method))
    if not same(before, after):
        raise Violation(
            f"asked again after another input it answers something else: {difference(before, after)}",
            inputs=first.inputs,
            right="what is learnt is returned from fit as a new object; nothing is kept between calls",
        )
    if method != trial.method():
        raise Violation("its own fields changed by being used", inputs=first.inputs, right="fields that never change")
    _fitted(trial)


def _fitted(trial: Trial) -> None:
    """What ``fit`` returned answers alike, however often it is asked."""
    inputs, method = trial.some[0].case.make(), trial.method()
    found = []
    fitted = trial.prepared(inputs, method)
    if trial.kind.name == "learning":  # training changes the model in place, as it should
        return
    for _ in range(2):
        with isolated(0):
            found.append(plain(trial.kind.apply(fitted, inputs, np.random.default_rng(0))))
    if not same(*found):
        raise Violation(
            f"what fit returned answers something else the second time: {difference(*found)}",
            inputs=inputs,
            right="nothing is kept between calls",
        )
