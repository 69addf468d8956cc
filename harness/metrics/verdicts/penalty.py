"""Pairwise penalty matrix (Ash et al. 2020), as the authors' script computes it: a summary, never a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.distributions import t_quantile

SEEDS: Final = 5
"""Seeds that the authors' script looks at."""
_FINISHED: Final = 0.99
"""Checkpoints end where the reference has so much of its last accuracy."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Penalties:
    """The matrix and what it rests on.

    Attributes:
        matrix: (m, m) in how many settings, summed by share of checkpoints, the row beats the column.
        settings: number of settings.
        checkpoints: number of checkpoints of each setting.
        left_out: checkpoints that were no budget.
    """

    matrix: Floats
    settings: int
    checkpoints: tuple[int, ...]
    left_out: int

    @property
    def totals(self) -> Floats:
        """(m,) mean of each column: how often a method is beaten; lower is better."""
        return np.asarray(self.matrix.mean(axis=0))


def penalties(settings: Sequence[tuple[Floats, Floats]], reference: int, seeds: int | None = SEEDS) -> Penalties:
    """The matrix over settings.

    Args:
        settings: of each the numbers of labels (L,), rising and the same for all methods, and accuracies (m, n, L) of
            the same seeds.
        reference: position of the random method, which decides where the checkpoints end.
        seeds: how many of the seeds count; None all.
    """
    m = settings[0][1].shape[0] if settings else 0
    matrix, counts, left_out = np.zeros((m, m)), [], 0
    for budgets, accuracy in settings:
        chosen, missing = _checkpoints(budgets, accuracy[reference].mean(axis=0))
        left_out += missing
        counts.append(len(chosen))
        for at in chosen:
            matrix += _beats(accuracy[:, :seeds, at]) / len(chosen)
    return Penalties(matrix, len(settings), tuple(counts), left_out)


def _checkpoints(budgets: Floats, reference: Floats) -> tuple[list[int], int]:
    """Positions of b_1 and b_1 + 2^(j-1) B for j = 1, 2, ..., and how many of these are no budget."""
    position = {float(budget): at for at, budget in enumerate(budgets.tolist())}
    first, last = float(budgets[0]), float(budgets[-1])
    batch = float(budgets[1] - budgets[0]) if len(budgets) > 1 else 0.0
    chosen, missing, at = [0], 0, first + batch
    step = batch
    while batch and at <= last:
        if at in position:
            if reference[position[at]] > _FINISHED * reference[-1]:
                break
            chosen.append(position[at])
        else:
            missing += 1
        step *= 2
        at = first + step
    return chosen, missing


def _beats(accuracy: Floats) -> Floats:
    """(m, m) whether the row is better than the column by a paired t-test at 5%, of ``accuracy`` (m, n)."""
    n = accuracy.shape[1]
    if n < 2:
        return np.zeros((len(accuracy), len(accuracy)))
    apart = accuracy[:, None, :] - accuracy[None, :, :]
    mean, spread = apart.mean(axis=2), apart.std(axis=2, ddof=1)
    varies = spread > 1e-12 * np.abs(accuracy).max(initial=0.0)
    t = mean * np.sqrt(n) / np.where(varies, spread, 1.0)
    return np.asarray(varies & (t > t_quantile(n - 1, 0.975)), np.float64)
