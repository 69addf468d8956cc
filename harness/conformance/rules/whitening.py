"""Rules of whitenings."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.conformance.rule import SOUND, RuleSet, Violation
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import close, difference, plain
from harness.plugin_api import HasRank, LearnsElsewhere

RULES: Final = RuleSet("whitening")


@RULES.each(
    "unit-rows",
    "Descriptors are compared by inner product, which is a cosine for rows of length 1 only.",
    ("shape", "finite"),
)
def _unit_rows(trial: Trial, answered: Answered) -> None:
    norms = np.linalg.norm(np.asarray(answered.raw, np.float64), axis=1)
    wrong = norms[~((np.abs(norms - 1) < 1e-3) | (norms == 0))]
    if len(wrong):
        raise Violation(
            f"{answered.case.name}: a row of length {wrong[0]:.4g}",
            right="rows of length 1, or zero: similarities are inner products",
        )


@RULES.each("row-by-row", "Queries come one at a time: a row must not depend on the others.", SOUND)
def _row_by_row(trial: Trial, answered: Answered) -> None:
    rows = answered.inputs["rows"]
    if len(rows) < 2:
        return
    for position in range(len(rows)):
        alone = trial.of({**answered.inputs, "rows": rows[position : position + 1].copy()})
        if not close(alone[0], answered.raw[position], 1e-3):
            part = plain(answered.raw[position : position + 1])
            raise Violation(
                f"row {position} alone and among {len(rows)}: {difference(plain(alone), part)}",
                right="each row on its own: what is learnt is learnt in fit",
            )


@RULES.each(
    "rank", "The record says in how many directions the training descriptors varied.", SOUND, hook=HasRank, some=True
)
def _rank(trial: Trial, answered: Answered) -> None:
    rank = offered(HasRank, trial.prepared(answered.inputs)).rank
    most = min(answered.inputs["descriptors"].shape)
    if not isinstance(rank, int) or isinstance(rank, bool) or not 0 <= rank <= most:
        raise Violation(f"rank is {rank!r}", right=f"an integer from 0 to {most}")


@RULES.rule("learn-on", "A plan looks the set up by its name.", ("protocol",), hook=LearnsElsewhere)
def _learn_on(trial: Trial) -> None:
    name = offered(LearnsElsewhere, trial.method()).learn_on
    if not isinstance(name, str):
        raise Violation(f"learn_on is {name!r}", right="the name of a retrieval set, or an empty text")
