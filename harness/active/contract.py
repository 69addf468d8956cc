"""What an acquisition must return, checked in one place on every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import ContractError

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


def check_selection(name: str, picks: Any, pool: PoolView, budget: int) -> Ids:
    """The picks as (budget,) int64.

    Args:
        name: what messages call the method, ``acquisition "coreset"``.
        picks: what ``select`` returned.
        pool: what it chose from.
        budget: how many it should choose.

    Raises:
        ContractError: not integers, wrong number, twice the same, or not among the unlabelled.
    """
    given = np.asarray(picks)
    if given.ndim != 1 or not (np.issubdtype(given.dtype, np.integer) or given.size == 0):
        raise ContractError(f"{name} returned {given.dtype} {given.shape}", why="picks are int64 of shape (budget,)")
    chosen = given.astype(np.int64)
    if len(chosen) != budget:
        raise ContractError(f"{name} returned {len(chosen)} picks for a budget of {budget}")
    unique, counts = np.unique(chosen, return_counts=True)
    if len(unique) < len(chosen):
        raise ContractError(f"{name} picked example {int(unique[counts > 1][0])} twice")
    wrong = np.setdiff1d(unique, pool.unlabelled)
    if len(wrong):
        raise ContractError(f"{name} picked example {int(wrong[0])}, which is labelled or does not exist")
    return chosen
