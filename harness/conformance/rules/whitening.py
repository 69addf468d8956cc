"""Rules of whitenings."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.conformance.rule import Rule, Violation
from harness.conformance.trial import Trial
from harness.conformance.values import close, difference, plain

_AFTER: Final = ("shape", "deterministic", "inputs-unchanged", "no-state", "ignores-global-random")


def _unit_rows(trial: Trial) -> None:
    for one in trial.answers:
        norms = np.linalg.norm(np.asarray(one.raw, np.float64), axis=1)
        wrong = norms[~((np.abs(norms - 1) < 1e-3) | (norms == 0))]
        if len(wrong):
            raise Violation(
                f"{one.case.name}: a row of length {wrong[0]:.4g}",
                given=one.given,
                right="rows of length 1, or zero: similarities are inner products",
            )


def _row_by_row(trial: Trial) -> None:
    for one in trial.answers:
        rows = one.given["rows"]
        if len(rows) < 2:
            continue
        for position in range(len(rows)):
            alone = trial.of({**one.given, "rows": rows[position : position + 1].copy()})
            if not close(alone[0], one.raw[position], 1e-3):
                part = plain(one.raw[position : position + 1])
                raise Violation(
                    f"row {position} alone and among {len(rows)}: {difference(plain(alone), part)}",
                    given=one.given,
                    right="each row on its own: what is learnt is learnt in fit",
                )


RULES: Final = (
    Rule(
        "unit-rows",
        ("whitening",),
        "Descriptors are compared by inner product, which is a cosine for rows of length 1 only.",
        _unit_rows,
        ("shape", "finite"),
    ),
    Rule(
        "row-by-row",
        ("whitening",),
        "Queries come one at a time: a row must not depend on the others.",
        _row_by_row,
        (*_AFTER, "finite"),
    ),
)
