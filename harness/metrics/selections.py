"""How much two acquisitions agree: in picks, in ranks, and in the pseudo-labels that follow (thesis §3.6)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Comparison:
    """An acquisition beside the reference after one cycle of one seed.

    Attributes:
        seed: of the run.
        cycle: after which both chose, from 0.
        n_labelled: labels that the model was trained with.
        n_unlabelled: examples that both could choose from.
        values: measurement -> number, NaN where there is nothing to measure.
        ranks: (2, m) int64, rank from 0 of m of the unlabelled examples by the reference and by the other; a random
            5%, at least 200 or all. Empty where an acquisition gives no ranks.
        ranked_by: how the reference and the other ranked.
    """

    seed: int
    cycle: int
    n_labelled: int
    n_unlabelled: int
    values: Mapping[str, float]
    ranks: NDArray[np.int64]
    ranked_by: tuple[str, str]


def agreement(labels_a: ArrayLike, labels_b: ArrayLike) -> float:
    """Share of equal labels of two (n,) integer arrays; NaN if n is 0. Raises ``InvalidInput`` for other shapes."""
    a, b = _pair(labels_a, labels_b)
    return float((a == b).mean()) if len(a) else float("nan")


def weighted_accuracy(labels_a: ArrayLike, labels_b: ArrayLike, weights: ArrayLike) -> float:
    """Share of the weight that lies on equal labels, ``sum_i w_i [a_i = b_i] / sum_i w_i`` (thesis 3.13).

    Args:
        labels_a: (n,) integers.
        labels_b: (n,) integers.
        weights: (n,) floats, finite and not negative.

    Returns:
        In [0, 1]; NaN if n is 0, and, with a warning, if all weights are 0.

    Raises:
        InvalidInput: shapes that do not fit, a weight that is negative or not finite.
    """
    a, b = _pair(labels_a, labels_b)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != a.shape:
        raise InvalidInput(f"weights has shape {w.shape}, labels {a.shape}", fix="give one weight per label")
    if not (np.isfinite(w) & (w >= 0)).all():
        raise InvalidInput("weights should be finite and not negative")
    if len(a) == 0:
        return float("nan")
    largest = float(w.max())
    if largest == 0:
        warnings.warn("all weights are 0: the weighted accuracy is not defined", stacklevel=2)
        return float("nan")
    w = w / largest  # sums of the smallest or largest numbers that there are would be 0 or infinite
    return min(1.0, float(w[a == b].sum() / w.sum()))


def pseudo_label_agreement(
    first: ArrayLike, first_weights: ArrayLike, second: ArrayLike, second_weights: ArrayLike, truth: ArrayLike
) -> dict[str, float]:
    """What thesis Table 3.4 says of the pseudo-labels by a reference (first) and by another acquisition (second).

    All accuracies are weighted by the mean of both weights; NaN where a subset is empty.

    Args:
        first: (n,) integers.
        first_weights: (n,) floats in [0, 1] (3.10).
        second: (n,) integers.
        second_weights: (n,) floats in [0, 1].
        truth: (n,) integers.

    Returns:
        ``agree``, ``agree_weighted``; ``accuracy`` of the second and ``accuracy_reference`` on all, on the equal
        (``accuracy_equal``, the same for both) and on the others (``accuracy_unequal``,
        ``accuracy_unequal_reference``); the mean weight on both, ``weight_equal`` and ``weight_unequal``.

    Raises:
        InvalidInput: shapes that do not fit, a weight that is negative or not finite.
    """
    (a, b), (t, _) = _pair(first, second), _pair(truth, second)
    w = (np.asarray(first_weights, dtype=np.float64) + np.asarray(second_weights, dtype=np.float64)) / 2
    same, differ = a == b, a != b
    return {
        "agree": agreement(a, b),
        "agree_weighted": weighted_accuracy(a, b, w),
        "accuracy": weighted_accuracy(b, t, w),
        "accuracy_reference": weighted_accuracy(a, t, w),
        "accuracy_equal": weighted_accuracy(b[same], t[same], w[same]),
        "accuracy_unequal": weighted_accuracy(b[differ], t[differ], w[differ]),
        "accuracy_unequal_reference": weighted_accuracy(a[differ], t[differ], w[differ]),
        "weight_equal": float(w[same].mean()) if same.any() else float("nan"),
        "weight_unequal": float(w[differ].mean()) if differ.any() else float("nan"),
    }


def rank_correlation(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b between two (n,) arrays of ranks or scores.

    Both are NaN for fewer than two examples, and where all values of one array are equal.

    Raises:
        InvalidInput: shapes that do not fit, NaN.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InvalidInput(f"ranks have shapes {x.shape} and {y.shape}, which should be one length (n,)")
    if np.isnan(x).any() or np.isnan(y).any():
        raise InvalidInput("ranks hold NaN", fix="rank every example")
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return float("nan"), float("nan")
    from scipy.stats import kendalltau, spearmanr

    return float(spearmanr(x, y).statistic), float(kendalltau(x, y, variant="b").statistic)


def overlap(picks_a: ArrayLike, picks_b: ArrayLike) -> float:
    """Share of the picks that two acquisitions with one budget have in common, ``|A n B| / b``; NaN for no pick.

    Raises:
        InvalidInput: different numbers of picks, or one picked twice.
    """
    a, b = _picks(picks_a), _picks(picks_b)
    if len(a) != len(b):
        raise InvalidInput(f"{len(a)} and {len(b)} picks should be one number", fix="give both one budget")
    return len(np.intersect1d(a, b)) / len(a) if len(a) else float("nan")


def jaccard(picks_a: ArrayLike, picks_b: ArrayLike) -> float:
    """``|A n B| / |A u B|`` of two sets of picks; NaN if both are empty.

    Raises:
        InvalidInput: an example picked twice.
    """
    a, b = _picks(picks_a), _picks(picks_b)
    either = len(np.union1d(a, b))
    return len(np.intersect1d(a, b)) / either if either else float("nan")


def _pair(labels_a: ArrayLike, labels_b: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    a, b = np.asarray(labels_a), np.asarray(labels_b)
    if a.ndim != 1 or a.shape != b.shape:
        raise InvalidInput(f"labels have shapes {a.shape} and {b.shape}, which should be one length (n,)")
    for array in (a, b):
        if array.size and not np.issubdtype(array.dtype, np.integer):
            raise InvalidInput(f"labels are {array.dtype}", fix="give integers")
    return a.astype(np.int64), b.astype(np.int64)


def _picks(picks: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(picks)
    if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise InvalidInput(f"picks are {given.dtype} of shape {given.shape}", fix="give positions (b,)")
    unique = np.unique(given.astype(np.int64))
    if len(unique) < len(given):
        raise InvalidInput("an example is picked twice")
    return unique
