"""Whether a model learnt anything: recorded after every training, an error where it did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import TrainingFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.nn import Module

    from harness.plugin_api import Floats, Ids, LearningScheme

_LEAST: Final = 10
"""Labels below which being no better than chance may itself be chance."""
_FITTED: Final = 0.5
"""Share of its own labels that a model should at least predict: with so few labels networks predict nearly all."""

_ONE_ANSWER: Final = 0.9
"""Share of one class among a model's answers from which on it counts as a constant answer."""


def is_finite(model: Module, images: NDArray[np.uint8]) -> bool:
    """Whether all weights and running statistics are, and what the model says of these images (n, C, H, W)."""
    import torch

    from harness.active.training import extract

    weights = (value for value in model.state_dict().values() if value.is_floating_point())
    return all(bool(torch.isfinite(value).all()) for value in weights) and all(
        bool(np.isfinite(rows).all()) for rows in extract(model, images)
    )


def training_health(probabilities: Floats, labels: Ids) -> dict[str, Any]:
    """Loss and accuracy of a model on the labels it was trained with.

    Args:
        probabilities: (l, c) of the labelled examples, without augmentation.
        labels: (l,) theirs.

    Returns:
        ``finite``; ``loss``, the mean of -ln p, and ``accuracy``, None where the outputs are not finite; what a
        constant answer would have: ``constant_loss``, the entropy of the labels, and ``constant_accuracy``.
    """
    shares = np.bincount(labels) / len(labels)
    constant = {
        "constant_loss": float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()),
        "constant_accuracy": float(shares.max()),
        "labels": len(labels),
    }
    if not np.isfinite(probabilities).all():
        return {"finite": False, "loss": None, "accuracy": None, **constant}
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {
        "finite": True,
        "loss": float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean()),
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        **constant,
    }


def drowned(probabilities: Floats, report: Mapping[str, Any]) -> bool:
    """Whether a model learnt something other than its own labels: more labels that models gave.

    Such a model is as good as those labels are: a doubt where it contradicts its own, no failed training, as long as it
    does not give (nearly) one answer.

    Args:
        probabilities: (l, c) of its own labelled examples.
        report: what the learning scheme says of its work; ``pseudo_labels``, how many labels were given so, and
            ``last_mask`` where the model gave them itself, batch by batch: the share of the last one that it learnt.
    """
    answers = np.bincount(probabilities.argmax(axis=1))
    return _pseudo_labels(report) > len(probabilities) and answers.max() <= _ONE_ANSWER * answers.sum()


def require_trained(health: Mapping[str, Any], learning: LearningScheme, name: str, cycle: int) -> None:
    """Refuse a model that diverged, or that knows no more of its own labels than how frequent each class is.

    Raises:
        TrainingFailed: with the parameter to change.
    """
    if not health["finite"]:
        raise diverged(learning, name, cycle)
    at_chance = health["accuracy"] <= health["constant_accuracy"] and health["loss"] >= health["constant_loss"]
    if at_chance and health["constant_accuracy"] < 1 and health["labels"] >= _LEAST:
        raise TrainingFailed(
            f"training of cycle {cycle} learnt nothing: {health['accuracy']:.0%} of its own {health['labels']} labels "
            f"are right, loss {health['loss']:.3g}, as by a constant answer; "
            f"change {_named(learning, 'rate', 'epochs')} of {name}"
        )


def diverged(learning: LearningScheme, name: str, cycle: int) -> TrainingFailed:
    """The error for weights or outputs that are not finite."""
    return TrainingFailed(f"training of cycle {cycle} diverged: not finite; lower {_named(learning, 'rate')} of {name}")


def class_accuracies(predicted: Ids, labels: Ids, n_classes: int) -> list[float | None]:
    """Accuracy on the test images of each class; None for a class without any."""
    right = np.bincount(labels[predicted == labels], minlength=n_classes)
    total = np.bincount(labels, minlength=n_classes)
    return [float(hits / count) if count else None for hits, count in zip(right, total, strict=True)]


def equal_scores(features: NDArray[Any], probabilities: NDArray[Any]) -> tuple[str, ...]:
    """By what unlabelled examples cannot be told apart: ``features`` or ``probabilities`` that are all equal."""
    tables = {"features": features, "probabilities": probabilities}
    return tuple(name for name, rows in tables.items() if len(rows) > 1 and bool((rows == rows[0]).all()))


def doubts(cycles: Sequence[Any]) -> list[str]:
    """What a reader of the numbers should know of these cycles (``loop.Cycle``), in sentences."""
    found = []
    for number, cycle in enumerate(cycles):
        share = cycle.health["accuracy"]
        if share < max(_FITTED, cycle.health["constant_accuracy"]) and cycle.health["labels"] >= _LEAST:
            given = _pseudo_labels(cycle.report)
            whose = (
                "that it gave itself while it trained" if "last_mask" in cycle.report else "that the last model gave"
            )
            beside = f", beside {given:,} {whose}" if given > 0 else ""
            found.append(f"the model of cycle {number} predicts {share:.0%} of its own labels{beside}")
        if sum(bool(accuracy) for accuracy in cycle.class_accuracy) < min(2, len(cycle.class_accuracy)):
            found.append(f"the model of cycle {number} gives all test images one class")
        found += [f"in cycle {number} all {name} of the pool are equal: chance chose" for name in cycle.equal]
    return found


def _pseudo_labels(report: Mapping[str, Any]) -> int:
    """How many labels a model gave, as the learning scheme says; 0 where it says nothing of them."""
    given = report.get("pseudo_labels", 0)
    return given if isinstance(given, int) else 0


def _named(learning: LearningScheme, *endings: str) -> str:
    """The parameters of a scheme whose names end so, with their values: ``learning_rate (0.05) or epochs (200)``."""
    names: list[str] = [field.name for field in fields(learning)] if is_dataclass(learning) else []
    chosen = [name for ending in endings for name in names if name.endswith(ending)]
    return " or ".join(f"{name} ({getattr(learning, name):g})" for name in chosen) or "the learning rate"
