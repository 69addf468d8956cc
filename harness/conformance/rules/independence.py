"""Rules about what an answer may depend on: its inputs, not what was asked before, and nothing is changed by asking."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.conformance.guards import seeded_globals
from harness.conformance.rule import Rule, Violation
from harness.conformance.trial import Trial, quiet
from harness.conformance.values import difference, plain, same
from harness.plugin_api import KINDS

_AFTER: Final = ("plain-inputs", "returns", "shape")


def _unchanged(trial: Trial) -> None:
    for refusal in trial.refusals:
        if refusal.wrote:
            raise Violation(
                f"it writes into its input: {refusal.error}", given=refusal.given, right="a copy of its own"
            )
    for one in trial.answers:
        if one.changed:
            names = ", ".join(one.changed)
            raise Violation(f"{names} changed", given=one.given, right="a copy of its own to work on")


def _no_state(trial: Trial) -> None:
    first, last = trial.some[0], trial.some[-1]
    method = trial.method()
    before = plain(trial.answer(first.case, method))
    trial.answer(last.case, method, seed=1)
    after = plain(trial.answer(first.case, method))
    if not same(before, after):
        raise Violation(
            f"asked again after another input it answers something else: {difference(before, after)}",
            given=first.given,
            right="what is learnt is returned from fit as a new object; nothing is kept between calls",
        )
    if method != trial.method():
        raise Violation("its own fields changed by being used", given=first.given, right="fields that never change")
    _fitted(trial)


def _fitted(trial: Trial) -> None:
    """What ``fit`` returned answers alike, however often it is asked."""
    given, method = trial.some[0].case.make(), trial.method()
    found = []
    with quiet(), seeded_globals(0):
        fitted = trial.kind.prepare(method, given, np.random.default_rng(0))
    if trial.kind.name == "learning":  # training changes the model in place, as it should
        return
    for _ in range(2):
        with quiet(), seeded_globals(0):
            found.append(plain(trial.kind.apply(fitted, given, np.random.default_rng(0))))
    if not same(*found):
        raise Violation(
            f"what fit returned answers something else the second time: {difference(*found)}",
            given=given,
            right="nothing is kept between calls",
        )


RULES: Final = (
    Rule(
        "inputs-unchanged",
        KINDS,
        "The same arrays are given to the next method and may lie in a shared cache.",
        _unchanged,
        _AFTER,
    ),
    Rule(
        "no-state",
        KINDS,
        "What is kept from one call to the next makes a result depend on the order of the runs, or leaks one query "
        "into another.",
        _no_state,
        (*_AFTER, "deterministic", "inputs-unchanged"),
    ),
)
