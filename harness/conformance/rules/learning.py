"""Rules of learning schemes: labels that were given, and only those."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Final

import numpy as np

from harness.conformance.guards import isolated
from harness.conformance.rule import SOUND, RuleSet, Violation
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import plain, same
from harness.plugin_api import HasReport, RestoresModel

RULES: Final = RuleSet("learning")


@RULES.rule("prepare-blind", "Weights of PRE are shared by all seeds of labels.", SOUND)
def _blind(trial: Trial) -> None:
    """The harness gives ``prepare`` no label; a scheme that needs one, or uses one, is not PRE."""
    from harness.conformance.kinds.learning import Small, some_data

    data = some_data(24, 3)
    found = []
    for labels in (np.full(24, -1), np.arange(24) % 3):
        with isolated(0):
            model = Small(data.images.shape[1:], 3, 0)
            inputs = dataclasses.replace(data, labels=labels.astype(np.int64))
            found.append(plain(trial.method().prepare(model, inputs, np.random.default_rng(0))))
    if not same(*found):
        raise Violation(
            "prepare gives other weights where it sees labels", inputs={"data": data}, right="labels left alone"
        )


@RULES.rule("only-given-labels", "A label that nobody asked for makes the budget a lie.", SOUND)
def _only_given(trial: Trial) -> None:
    """The same labels before a caller that knows two different truths."""
    from harness.conformance.kinds.learning import some_data

    found = []
    for shift in (0, 1):
        data = some_data(24, 3)
        truth = np.where(data.labels >= 0, data.labels, (np.arange(24) + shift) % 3)
        with isolated(0):
            found.append(_cycle(trial, data, truth))
    if not same(*found):
        raise Violation(
            "with other hidden labels it trains another model", inputs={"data": some_data(24, 3)}, right="data.labels"
        )


def _cycle(trial: Trial, data: object, labels: object) -> list[tuple[str, np.ndarray]]:
    """Trains as the harness does: with the truth in the caller's hands (``labels``)."""
    from harness.conformance.kinds.learning import Small

    train_labels = dataset = labels  # noqa: F841  # where somebody who goes through frames would look
    model = Small((1, 4, 4), 3, 0)
    return plain(trial.method().train(model, data, np.random.default_rng(0)))


@RULES.rule("uses-labels", "A scheme that ignores labels makes all acquisitions equal.", SOUND)
def _uses_labels(trial: Trial) -> None:
    from harness.conformance.kinds.learning import some_data

    data = some_data(24, 6)
    swapped = dataclasses.replace(data, labels=np.where(data.labels >= 0, (data.labels + 1) % 3, -1))
    if same(plain(trial.of({"data": data})), plain(trial.of({"data": swapped}))):
        raise Violation("other labels give the same model", inputs={"data": data}, right="a model of data.labels")


@RULES.rule(
    "restore", "Models are stored and read again: what acquisitions see is the restored one.", SOUND, hook=RestoresModel
)
def _restore(trial: Trial) -> None:
    import torch

    from harness.conformance.kinds.learning import Small, some_data

    data, method = some_data(24, 6), offered(RestoresModel, trial.method())
    images = torch.from_numpy(data.images).float()
    with isolated(0):
        trained = method.train(Small((1, 4, 4), 3, 0), data, np.random.default_rng(0)).eval()
        weights = {name: value.clone() for name, value in trained.state_dict().items()}
        restored = method.restore(Small((1, 4, 4), 3, 1), data.images, weights).eval()
        with torch.inference_mode():
            answers = [plain(model(images)) for model in (trained, restored)]
    if not same(*answers):
        raise Violation(
            "the restored model says other things of the images than the trained one",
            inputs={"data": data},
            right="the model that train returned, from its state_dict",
        )


@RULES.each(
    "report", "Reports are stored in records, which are JSON.", ("shape", "deterministic"), hook=HasReport, some=True
)
def _report(trial: Trial, answered: Answered) -> None:
    prepared = trial.prepared(answered.inputs)
    with isolated(0):
        if trial.kind.name == "learning":
            method, model = prepared
            owner = method.train(model, answered.inputs["data"], np.random.default_rng(0))
        else:
            owner = prepared
            trial.kind.apply(owner, answered.inputs, np.random.default_rng(0))
    report = offered(HasReport, owner).report
    try:
        text = json.dumps(report)
    except (TypeError, ValueError) as error:
        raise Violation(f"its report is no JSON: {error}", right="numbers, strings, lists, mappings") from error
    if not isinstance(report, Mapping) or json.loads(text).keys() != report.keys():
        raise Violation(f"its report is {report!r:.80}", right="a mapping from names to values")
