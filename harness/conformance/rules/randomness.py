"""Rules about chance: the same seed gives the same bytes, and nobody else's generator is touched."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.conformance.guards import isolated, states
from harness.conformance.rule import RuleSet, Violation
from harness.conformance.trial import Answered, Trial
from harness.conformance.values import difference, plain, same
from harness.plugin_api import KINDS

RULES: Final = RuleSet(*KINDS)

_UNUSUAL: Final = 926_535
"""A seed that nobody would choose: who reseeds a generator by 0 or 42 changes its state."""
_AFTER: Final = ("plain-inputs", "returns", "shape")


@RULES.each("deterministic", "Without it no result can be reproduced, cached, or told from chance.", _AFTER, some=True)
def _deterministic(trial: Trial, answered: Answered) -> None:
    again = plain(trial.answer(answered.case))
    if not same(again, answered.plain) and not _only_state(trial, trial.cases.index(answered.case)):
        raise Violation(
            f"the same seed gave two answers: {difference(answered.plain, again)}",
            right="randomness from the generator that is passed in, and from nothing else",
        )


def _only_state(trial: Trial, case: int) -> bool:
    """Whether two new processes agree: then it is something kept between calls that differed."""
    from harness.conformance.worker import WorkerFailed, worker

    try:
        return same(worker().answer(trial, case)[0], worker().answer(trial, case)[0])
    except WorkerFailed:
        return False


@RULES.each(
    "ignores-global-random",
    "Global generators depend on everything that ran before: the same run then differs from machine to machine.",
    (*_AFTER, "deterministic", "no-state"),
    some=True,
)
def _ignores(trial: Trial, answered: Answered) -> None:
    other = plain(trial.answer(answered.case, globals_seed=1))
    if not same(other, answered.plain):
        raise Violation(
            f"the answer follows a global generator: {difference(answered.plain, other)}",
            right="the generator that is passed in (rng), or a fixed seed of its own",
        )


@RULES.each(
    "leaves-global-random",
    "Reseeding or drawing from a global generator changes what everybody else draws after it.",
    (*_AFTER, "ignores-global-random"),
    some=True,
)
def _leaves(trial: Trial, answered: Answered) -> None:
    with isolated(_UNUSUAL):
        method, inputs, rng = trial.method(), answered.case.make(), np.random.default_rng(0)
        before = states()
        trial.kind.apply(trial.kind.prepare(method, inputs, rng), inputs, rng)
        after = states()
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        raise Violation(
            f"it changed the state of {', '.join(changed)}",
            right="a generator of its own: numpy.random.default_rng, torch.Generator",
        )
