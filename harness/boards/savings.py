"""What methods save against a reference, and how often they beat each other: tables beside the verdicts of boards.

Label savings: how many labels the reference needs to be as good as a method with fewer. The pairwise penalty matrix of
Ash et al. (2020) counts checkpoints at which one method beats another; it corrects for nothing and is no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harness.boards.board import Board, Row, full_name, row_name
from harness.boards.render import NOTHING, Table, make_table
from harness.boards.rows import reference_row
from harness.core.errors import SpecError
from harness.metrics.verdicts.curves import Saving, label_saving
from harness.metrics.verdicts.penalty import SEEDS, Penalties, penalties
from harness.runs.measures import Curves, curves

_BUDGETS: Final = 6
"""Budgets that a table shows, the last ones of a method."""


@dataclass(frozen=True)
class Savings:
    """Label savings of one board.

    Attributes:
        dataset: label of the board.
        reference: name of the row that needs more labels.
        first: fewest labels of the reference.
        last: most labels of the reference.
        methods: name -> saving at each of its budgets.
    """

    dataset: str
    reference: str
    first: float
    last: float
    methods: dict[str, tuple[Saving, ...]]


@dataclass(frozen=True)
class PenaltyMatrix:
    """The matrix with the names of its methods, fewest penalties first."""

    methods: tuple[str, ...]
    reference: str
    seeds: int | None
    penalties: Penalties


def savings(boards: Sequence[Board]) -> list[Savings]:
    """Label savings of the boards that have learning curves and a reference: their baseline, else random.

    Raises:
        SpecError: no board has both, as where boards were read from a ``results.json``.
    """
    found = [saving for board in boards if (saving := _savings(board)) is not None]
    if not found:
        raise SpecError(
            "there is nothing to compute label savings from",
            fix="give records or a spec of active learning with a row random, or a baseline: in the spec",
        )
    return found


def _savings(board: Board) -> Savings | None:
    reference = reference_row(board)
    base = curves(reference.records) if reference else None
    if reference is None or base is None or len(base.budgets) < 2:
        return None
    methods = {
        row_name(row, board.kinds): tuple(_row_savings(curve, base))
        for row in board.rows
        if row is not reference and (curve := curves(row.records)) is not None
    }
    ends = float(base.budgets[0]), float(base.budgets[-1])
    return Savings(board.dataset, row_name(reference, board.kinds), *ends, methods)


def _row_savings(curve: Curves, base: Curves) -> list[Saving]:
    shared = sorted({*curve.seeds} & {*base.seeds})
    paired = len(shared) > 1
    method, reference = (_of_seeds(c, shared) if paired else c.accuracy for c in (curve, base))
    return [
        label_saving(float(budget), method[:, at], base.budgets, reference, paired=paired)
        for at, budget in enumerate(curve.budgets)
    ]


def _of_seeds(curve: Curves, seeds: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    position = {seed: at for at, seed in enumerate(curve.seeds)}
    return curve.accuracy[[position[seed] for seed in seeds]]


def savings_table(found: Savings) -> Table:
    """Labels of the reference that each method's budgets are worth, with 95% intervals."""
    budgets = sorted({saving.budget for row in found.methods.values() for saving in row})[-_BUDGETS:]
    rows = []
    for name, row in found.methods.items():
        by_budget = {saving.budget: saving for saving in row}
        cells = (_saving_text(by_budget[b], found) if b in by_budget else NOTHING for b in budgets)
        rows.append((name, *cells))
    headers = [f"{budget:g} labels" for budget in budgets]
    return make_table(
        ("method", *headers),
        rows,
        right=headers,
        title=f"{found.dataset}: labels that {found.reference} needs for the same accuracy",
        footer=(
            f"The mean curve of {found.reference}, made non-decreasing, along the logarithm of the labels, reaches the "
            f"mean of the method there. In brackets the 95% interval, from the paired t-test turned around; an end "
            f"beyond {found.first:g} or {found.last:g} labels is not known.",
        ),
    )


def _saving_text(saving: Saving, found: Savings) -> str:
    """``412 (301 to 560)``, ``more than 1600 (980 or more)``."""
    text = {"above": f"more than {found.last:g}", "below": f"at most {found.first:g}"}.get(
        saving.censored, f"{saving.equivalent:.0f}"
    )
    if not saving.has_interval:
        return text
    if saving.low is None and saving.high is None:
        return f"{text} (not known)"
    if saving.high is None:
        return f"{text} ({saving.low:.0f} or more)"
    low = "up to " if saving.low is None else f"{saving.low:.0f} to "
    return f"{text} ({low}{saving.high:.0f})"


def penalty_matrix(boards: Sequence[Board], seeds: int | None = SEEDS) -> PenaltyMatrix:
    """How often methods beat each other over the boards of active learning that have all of them.

    Args:
        boards: made of records.
        seeds: of each board the first so many that all methods have; None for all.

    Raises:
        SpecError: there are no curves of two methods, or no reference.
    """
    same = len({board.kinds for board in boards}) == 1
    usable = [(board, rows) for board in boards if (rows := _with_curves(board, short=same))]
    names = [name for name in usable[0][1] if all(name in rows for _, rows in usable)] if usable else []
    reference = reference_row(usable[0][0]) if usable else None
    base = _name(usable[0][0], reference, short=same) if reference else ""
    if len(names) < 2 or base not in names:
        raise SpecError(
            "there is nothing to count penalties from",
            fix="give records or a spec of active learning with two methods, one of them random or the baseline",
        )
    settings = [_setting([rows[name] for name in names]) for _, rows in usable]
    # Without two seeds and a number of labels that all methods have there is nothing to count.
    settings = [(budgets, table) for budgets, table in settings if len(budgets) and table.shape[1] > 1]
    if not settings:
        raise SpecError(
            "there is nothing to count penalties from: no two seeds have all methods with the same numbers of labels",
            fix="run every method with the same seeds, at least two",
        )
    found = penalties(settings, names.index(base), seeds)
    order = sorted(range(len(names)), key=lambda at: (found.totals[at], names[at]))
    ordered = Penalties(found.matrix[np.ix_(order, order)], found.settings, found.checkpoints, found.left_out)
    return PenaltyMatrix(tuple(names[at] for at in order), base, seeds, ordered)


def _name(board: Board, row: Row, *, short: bool) -> str:
    """By what differs where that is the same on all boards, else by all kinds."""
    return row_name(row, board.kinds) if short else full_name(board, row)


def _with_curves(board: Board, *, short: bool) -> dict[str, Curves]:
    def curve(row: Row) -> Curves | None:
        return curves(row.records) if board.task == "active-learning" else None

    return {_name(board, row, short=short): found for row in board.rows if (found := curve(row)) is not None}


def _setting(
    rows: Sequence[Curves],
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Budgets and accuracies (m, n, L) on the seeds and budgets that all have."""
    seeds = sorted(set.intersection(*({*row.seeds} for row in rows)))
    budgets = sorted(set.intersection(*({*row.budgets.tolist()} for row in rows)))
    tables = [_of_seeds(row, seeds)[:, np.isin(row.budgets, budgets)] for row in rows]
    return np.array(budgets), np.array(tables).reshape(len(rows), len(seeds), len(budgets))


def penalty_table(matrix: PenaltyMatrix) -> Table:
    """The matrix as a table, marked as no verdict."""
    found, methods = matrix.penalties, matrix.methods
    rows = [
        (name, *(NOTHING if i == j else f"{value:.2f}" for j, value in enumerate(found.matrix[i].tolist())))
        for i, name in enumerate(methods)
    ]
    rows.append(("mean of the column", *(f"{total:.2f}" for total in found.totals.tolist())))
    seeds = f"first {matrix.seeds} seeds" if matrix.seeds else "all seeds"
    left_out = f" {found.left_out} checkpoints that are no budget are left out." if found.left_out else ""
    return make_table(
        ("row beats column", *methods),
        rows,
        right=methods,
        title=f"Pairwise penalties over {found.settings} setting{'s' if found.settings != 1 else ''} ({seeds})",
        intro="A summary after Ash et al. (2020), no verdict.",
        footer=(
            f"Share of checkpoints at which the row is better than the column (paired t-test, 5% each), summed over "
            f"settings; a low mean is good.{left_out} Nothing is corrected for pairs, checkpoints or settings, and "
            f"checkpoints of a seed depend on each other: chance alone gives each cell about "
            f"{0.025 * found.settings:.3g}.",
        ),
    )
