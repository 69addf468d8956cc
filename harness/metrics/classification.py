"""Accuracy, and what a curve of accuracies over labelling cycles is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.core.errors import InvalidInput


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Share of (n,) predictions that equal the labels. Raises ``InvalidInput`` for different or zero lengths."""
    a, b = np.asarray(predicted), np.asarray(labels)
    if a.shape != b.shape or a.size == 0:
        raise InvalidInput(f"predictions {a.shape} and labels {b.shape} should have one length above 0")
    return float((a == b).mean())


def area_under_curve(n_labelled: ArrayLike, accuracies: ArrayLike) -> float:
    """Mean accuracy over the number of labels: trapezoid rule divided by the width; one point is its own mean.

    Args:
        n_labelled: (cycles,) rising numbers of labels.
        accuracies: (cycles,) in [0, 1].

    Raises:
        InvalidInput: different or zero lengths, or numbers that do not rise.
    """
    x, y = np.asarray(n_labelled, dtype=np.float64), np.asarray(accuracies, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) == 0:
        raise InvalidInput(f"numbers of labels {x.shape} and accuracies {y.shape} should have one length above 0")
    if (np.diff(x) <= 0).any():
        raise InvalidInput("numbers of labels should rise from cycle to cycle")
    return float(y[0]) if len(x) == 1 else float(np.trapezoid(y, x) / (x[-1] - x[0]))


def labels_needed(n_labelled: ArrayLike, accuracies: ArrayLike, target: float) -> float:
    """Number of labels at which the accuracy first reaches ``target``, linear between cycles; NaN if never."""
    x, y = np.asarray(n_labelled, dtype=np.float64), np.asarray(accuracies, dtype=np.float64)
    reached = np.nonzero(y >= target)[0]
    if len(reached) == 0:
        return float("nan")
    i = int(reached[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (target - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))
