"""Rules of learning schemes: labels that were given, and only those."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from harness.conformance.guards import seeded_globals
from harness.conformance.rule import Rule, Violation
from harness.conformance.trial import Trial, quiet
from harness.conformance.values import plain, same

_KIND: Final = ("learning",)
_AFTER: Final = ("shape", "deterministic", "inputs-unchanged", "no-state", "ignores-global-random")


def _blind(trial: Trial) -> None:
    """The harness gives ``prepare`` no label; a scheme that needs one, or uses one, is not PRE."""
    from harness.conformance.kinds.learning import Small, some_data

    data = some_data(24, 3)
    found = []
    for labels in (np.full(24, -1), np.arange(24) % 3):
        with quiet(), seeded_globals(0):
            model = Small(data.images.shape[1:], 3, 0)
            given = dataclasses.replace(data, labels=labels.astype(np.int64))
            found.append(plain(trial.method().prepare(model, given, np.random.default_rng(0))))
    if not same(*found):
        raise Violation(
            "prepare gives other weights where it sees labels", given={"data": data}, right="labels left alone"
        )


def _only_given(trial: Trial) -> None:
    """The same labels before a caller that knows two different truths."""
    from harness.conformance.kinds.learning import some_data

    found = []
    for shift in (0, 1):
        data = some_data(24, 3)
        truth = np.where(data.labels >= 0, data.labels, (np.arange(24) + shift) % 3)
        with quiet(), seeded_globals(0):
            found.append(_cycle(trial, data, truth))
    if not same(*found):
        raise Violation(
            "with other hidden labels it trains another model", given={"data": some_data(24, 3)}, right="data.labels"
        )


def _cycle(trial: Trial, data: object, labels: object) -> list[tuple[str, np.ndarray]]:
    """Trains as the harness does: with the truth in the caller's hands (``labels``)."""
    from harness.conformance.kinds.learning import Small

    train_labels = dataset = labels  # noqa: F841  # where somebody who goes through frames would look
    model = Small((1, 4, 4), 3, 0)
    return plain(trial.method().train(model, data, np.random.default_rng(0)))


def _uses_labels(trial: Trial) -> None:
    from harness.conformance.kinds.learning import some_data

    data = some_data(24, 6)
    swapped = dataclasses.replace(data, labels=np.where(data.labels >= 0, (data.labels + 1) % 3, -1))
    if same(plain(trial.of({"data": data})), plain(trial.of({"data": swapped}))):
        raise Violation("other labels give the same model", given={"data": data}, right="a model of data.labels")


RULES: Final = (
    Rule("prepare-blind", _KIND, "Weights of PRE are shared by all seeds of labels.", _blind, _AFTER),
    Rule("only-given-labels", _KIND, "A label that nobody asked for makes the budget a lie.", _only_given, _AFTER),
    Rule("uses-labels", _KIND, "A scheme that ignores labels makes all acquisitions equal.", _uses_labels, _AFTER),
)
