"""One number of a learning curve, and the labels that one method saves against another.

Between budgets accuracy is linear in the logarithm of the number of labels: schedules double, and a linear area is
nearly the accuracy of the second half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.distributions import t_quantile

_LEAST_SEEDS: Final = 3

Floats = NDArray[np.float64]


def area(budgets: Floats, accuracy: Floats, first: float, last: float, *, log: bool = True) -> Floats:
    """Mean accuracy (n,) between two numbers of labels, by the trapezoid rule.

    Args:
        budgets: (L,) numbers of labels, rising.
        accuracy: (n, L) of n seeds.
        first: number of labels from which it counts, at least ``budgets[0]``.
        last: up to which it counts, at most ``budgets[-1]`` and above ``first``.
        log: along the logarithm of the number of labels, else along the number.
    """
    x, low, high = (np.log2(v) if log else np.asarray(v, np.float64) for v in (budgets, first, last))
    inside = (x > low) & (x < high)
    knots = np.concatenate([[low], x[inside], [high]])
    ends = np.stack([interpolated(x, accuracy, at) for at in (float(low), float(high))])
    heights = np.concatenate([ends[:1].T, accuracy[:, inside], ends[1:].T], axis=1)
    return np.asarray(((heights[:, 1:] + heights[:, :-1]) / 2 * np.diff(knots)).sum(axis=1) / (high - low))


def interpolated(x: Floats, curves: Floats, at: float) -> Floats:
    """Values (n,) of ``curves`` (n, L) over rising ``x`` (L,) at one point, linear between."""
    right = min(max(int(np.searchsorted(x, at)), 1), len(x) - 1) if len(x) > 1 else 0
    left = max(right - 1, 0)
    width = x[right] - x[left]
    share = min(max((at - x[left]) / width, 0.0), 1.0) if width else 0.0
    return np.asarray(curves[:, left] * (1 - share) + curves[:, right] * share)


def labels_to(budgets: Floats, accuracy: Floats, target: float, last: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Labels (n,) until each seed reaches ``target``, cut at ``last``, and whether it reached it by then.

    The running maximum counts, linear in the logarithm of the labels. A target that is reached at once takes the first
    budget.
    """
    x = np.log2(budgets)
    best = np.maximum.accumulate(accuracy, axis=1)
    reached = best >= target
    at = np.argmax(reached, axis=1)
    before = np.maximum(at - 1, 0)
    rows = np.arange(len(best))
    low, high = best[rows, before], best[rows, at]
    share = np.divide(target - low, high - low, out=np.ones_like(low), where=high > low)
    position = np.where(at == 0, x[0], x[before] + np.clip(share, 0, 1) * (x[at] - x[before]))
    labels = np.where(reached.any(axis=1), 2.0**position, np.inf)
    by_then = labels <= last * (1 + 1e-12)
    return np.minimum(labels, last), by_then


@dataclass(frozen=True)
class Saving:
    """Labels that a reference needs to be as good as a method is with ``budget`` labels.

    Attributes:
        budget: labels of the method.
        equivalent: labels of the reference, cut at the first and the last budget.
        censored: ``above``, where the reference does not get there within its budgets; ``below``, where it is as good
            from the first; empty otherwise.
        low: lower end of the 95% interval of ``equivalent``, None where there is none within the budgets.
        high: upper end of it, None likewise.
        has_interval: whether there are enough paired seeds for an interval.
    """

    budget: float
    equivalent: float
    censored: str
    low: float | None
    high: float | None
    has_interval: bool

    @property
    def saved(self) -> float:
        """Labels saved; negative where the method needs more."""
        return self.equivalent - self.budget


def label_saving(budget: float, method: Floats, budgets: Floats, reference: Floats, *, paired: bool = True) -> Saving:
    """Labels saved against a reference at one budget, with an interval from the inverted paired t-test.

    Args:
        budget: labels of the method.
        method: (n,) its accuracy with them, by seed.
        budgets: (L,) numbers of labels of the reference, rising.
        reference: (n, L) its accuracy, in the same order of seeds.
        paired: whether the seeds are the same; else there is no interval.
    """
    x, target = np.log2(budgets), float(method.mean())
    mean = monotone(reference.mean(axis=0))
    slack = 1e-12 * max(abs(target), float(np.abs(mean).max(initial=0.0)))
    if target <= mean[0] + slack:
        equivalent, censored = float(budgets[0]), "below"
    elif target > mean[-1] + slack:
        equivalent, censored = float(budgets[-1]), "above"
    else:
        at = int(np.argmax(mean >= target - slack))
        share = (target - mean[at - 1]) / (mean[at] - mean[at - 1])
        equivalent, censored = float(2 ** (x[at - 1] + min(share, 1.0) * (x[at] - x[at - 1]))), ""
    if not paired or len(method) < _LEAST_SEEDS:
        return Saving(budget, equivalent, censored, None, None, False)
    low, high = _accepted(x, method, reference)
    return Saving(budget, equivalent, censored, low, high, True)


def monotone(values: Floats) -> Floats:
    """The non-decreasing sequence (L,) nearest to ``values``: adjacent violators are pooled with equal weights."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, size = value, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (mean * size + before * count) / (size + count), size + count
        blocks.append((mean, size))
    return np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])


def _accepted(x: Floats, method: Floats, reference: Floats) -> tuple[float | None, float | None]:
    """Hull of the numbers of labels with which the reference does not differ significantly from the method.

    None for an end that lies beyond the budgets. Where nothing is accepted both ends are beyond the same side, which is
    given as the last (or the first) budget for one end and None for the other.
    """
    n = len(method)
    factor = t_quantile(n - 1, 0.975) ** 2 / n
    accepted: list[float] = []
    ahead = method[:, None] - reference
    for left in range(len(x) - 1):
        a, g = ahead[:, left], reference[:, left + 1] - reference[:, left]
        weights = _weights(a, g, factor)
        accepted += [float(x[left] + w * (x[left + 1] - x[left])) for w in weights]
    first, last = (_is_accepted(ahead[:, end], factor) for end in (0, -1))
    if not accepted and not (first or last):
        above = ahead.mean(axis=0)[-1] > 0
        return (float(2 ** x[-1]), None) if above else (None, float(2 ** x[0]))
    low = None if first else float(2 ** min(accepted, default=x[-1]))
    high = None if last else float(2 ** max(accepted, default=x[0]))
    return low, high


def _is_accepted(ahead: Floats, factor: float) -> bool:
    return bool(ahead.mean() ** 2 <= factor * ahead.var(ddof=1))


def _weights(a: Floats, g: Floats, factor: float) -> list[float]:
    """The ends in [0, 1] of the accepted weights w: (A - wG)^2 <= factor (s_AA - 2w s_AG + w^2 s_GG)."""
    s_aa, s_ag, s_gg = a.var(ddof=1), np.cov(a, g)[0, 1], g.var(ddof=1)
    mean_a, mean_g = a.mean(), g.mean()
    quadratic = mean_g**2 - factor * s_gg
    linear = -2 * (mean_a * mean_g - factor * s_ag)
    constant = mean_a**2 - factor * s_aa
    ends = [w for w, value in ((0.0, constant), (1.0, quadratic + linear + constant)) if value <= 0]
    if abs(quadratic) < 1e-300:
        roots = [-constant / linear] if linear else []
    else:
        inside = linear**2 - 4 * quadratic * constant
        root = math.sqrt(inside) if inside >= 0 else math.nan
        roots = [(-linear + sign * root) / (2 * quadratic) for sign in (-1, 1)] if inside >= 0 else []
    return ends + [float(w) for w in roots if 0 <= w <= 1]
