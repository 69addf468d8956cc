"""Rules about chance: the same seed gives the same bytes, and nobody else's generator is touched."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.conformance.guards import seeded_globals, states
from harness.conformance.rule import Rule, Violation
from harness.conformance.trial import Trial, quiet
from harness.conformance.values import difference, plain, same
from harness.plugin_api import KINDS

_UNUSUAL: Final = 926_535
"""A seed that nobody would choose: who reseeds a generator by 0 or 42 changes its state."""
_AFTER: Final = ("plain-inputs", "returns", "shape")


def _deterministic(trial: Trial) -> None:
    for one in trial.some:
        again = plain(trial.answer(one.case))
        if not same(again, one.plain) and not _only_state(trial, trial.cases.index(one.case)):
            raise Violation(
                f"the same seed gave two answers: {difference(one.plain, again)}",
                given=one.given,
                right="randomness from the generator that is passed in, and from nothing else",
            )


def _only_state(trial: Trial, case: int) -> bool:
    """Whether two new processes agree: then it is something kept between calls that differed."""
    from harness.conformance.worker import WorkerFailed, worker

    try:
        return same(worker().answer(trial, case), worker().answer(trial, case))
    except WorkerFailed:
        return False


def _ignores(trial: Trial) -> None:
    for one in trial.some:
        other = plain(trial.answer(one.case, globals_seed=1))
        if not same(other, one.plain):
            raise Violation(
                f"the answer follows a global generator: {difference(one.plain, other)}",
                given=one.given,
                right="the generator that is passed in (rng), or a fixed seed of its own",
            )


def _leaves(trial: Trial) -> None:
    for one in trial.some:
        with quiet(), seeded_globals(_UNUSUAL):
            method, given, rng = trial.method(), one.case.make(), np.random.default_rng(0)
            before = states()
            trial.kind.apply(trial.kind.prepare(method, given, rng), given, rng)
            after = states()
        changed = [name for name in before if before[name] != after[name]]
        if changed:
            raise Violation(
                f"it changed the state of {', '.join(changed)}",
                given=one.given,
                right="a generator of its own: numpy.random.default_rng, torch.Generator",
            )


RULES: Final = (
    Rule(
        "deterministic",
        KINDS,
        "Without it no result can be reproduced, cached, or told from chance.",
        _deterministic,
        _AFTER,
    ),
    Rule(
        "ignores-global-random",
        KINDS,
        "Global generators depend on everything that ran before: the same run then differs from machine to machine.",
        _ignores,
        (*_AFTER, "deterministic", "no-state"),
    ),
    Rule(
        "leaves-global-random",
        KINDS,
        "Reseeding or drawing from a global generator changes what everybody else draws after it.",
        _leaves,
        (*_AFTER, "ignores-global-random"),
    ),
)
