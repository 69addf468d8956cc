"""Checks what methods return, so that a wrong array becomes an error with the method's name. Loads torch on use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.core.errors import ContractError
from harness.plugin_api import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api import Floats, Ids, PoolView

T = TypeVar("T", bound=np.generic)


def require_maps(method: str, maps: object, *, signed: bool = False) -> Tensor:
    """Maps of a backbone: (C, h, w) float32, none of them empty, finite, and not negative unless it is ``signed``."""
    tensor, lowest = _tensor(method, "maps", maps, 3)
    if lowest < 0 and not signed:
        raise ContractError(f"{method}: maps have negative activations", fix="end with a ReLU")
    return tensor


def require_pooled(method: str, descriptor: object) -> Tensor:
    """The descriptor that a pooling gives an image: (D,) float32, finite."""
    return _tensor(method, "a descriptor", descriptor, 1)[0]


def require_one_length(method: str, descriptors: Sequence[Tensor | Floats]) -> None:
    """Descriptors of several images, or of the scales of one: all (D,)."""
    if len({len(descriptor) for descriptor in descriptors}) > 1:
        raise ContractError(f"{method}: descriptors of different lengths", fix="one length for all images and scales")


def require_descriptors(method: str, descriptors: object, n: int) -> Floats:
    """The n descriptors that a whitening returns: (n, d) float32, finite."""
    table = _array(method, "descriptors", descriptors, np.float32)
    if table.ndim != 2 or len(table) != n or table.shape[1] == 0:
        raise ContractError(f"{method}: descriptors have shape {table.shape}", fix=f"({n}, d) with d >= 1")
    return table


def require_scores(method: str, scores: object, n: int) -> Floats:
    """Scores of a re-ranker for n candidates: (n,) float32, finite."""
    row = _array(method, "scores", scores, np.float32)
    if row.shape != (n,):
        raise ContractError(f"{method}: scores have shape {row.shape}", fix=f"({n},)")
    return row


def require_ranking(method: str, ranking: object, n_queries: int, n_database: int) -> Ranking:
    """A ranking: one row a query, ids of the database at most once in a row, scores that never rise."""
    if not isinstance(ranking, Ranking):
        raise ContractError(f"{method} returned {type(ranking).__name__}", fix="harness.plugin_api.Ranking")
    indices = _array(method, "indices", ranking.indices, np.int64)
    scores = _array(method, "scores", ranking.scores, np.float32)
    if indices.ndim != 2 or len(indices) != n_queries or scores.shape != indices.shape:
        raise ContractError(
            f"{method}: indices have shape {indices.shape}, scores {scores.shape}", fix=f"({n_queries}, k) both"
        )
    if indices.size and (indices.min() < 0 or indices.max() >= n_database):
        raise ContractError(f"{method}: indices out of range", fix=f"0 to {n_database - 1}")
    ordered = np.sort(indices, axis=1)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        raise ContractError(f"{method}: an image is ranked twice", fix="every image once in a row")
    if (scores[:, 1:] > scores[:, :-1]).any():
        raise ContractError(f"{method}: scores rise along a row", fix="best first")
    if ranking.ties is not None:
        ties = _array(method, "ties", ranking.ties, np.int64)
        if ties.shape != indices.shape or (ties[:, 1:] < ties[:, :-1]).any():
            raise ContractError(
                f"{method}: ties of shape {ties.shape}", fix="(q, k) as indices, never falling in a row"
            )
    return ranking


def require_picks(method: str, picks: object, pool: PoolView, budget: int) -> Ids:
    """Picks of an acquisition as (budget,) int64: integers, ``budget`` of them, unlabelled, none twice."""
    array = np.asarray(picks)
    if array.ndim != 1 or not (np.issubdtype(array.dtype, np.integer) or array.size == 0):
        raise ContractError(f"{method} returned {array.dtype} {array.shape}", why="picks are int64 of shape (budget,)")
    chosen = array.astype(np.int64)
    if len(chosen) != budget:
        raise ContractError(f"{method} returned {len(chosen)} picks for a budget of {budget}")
    unique, counts = np.unique(chosen, return_counts=True)
    if len(unique) < len(chosen):
        raise ContractError(f"{method} picked example {int(unique[counts > 1][0])} twice")
    wrong = np.setdiff1d(unique, pool.unlabelled)
    if len(wrong):
        raise ContractError(f"{method} picked example {int(wrong[0])}, which is labelled or does not exist")
    return chosen


def _tensor(method: str, what: str, value: object, dimensions: int) -> tuple[Tensor, float]:
    """The tensor and its lowest value."""
    import torch

    if not isinstance(value, torch.Tensor) or value.dtype != torch.float32:
        raise ContractError(f"{method}: {what} came back as {_type(value, torch.Tensor)}", fix="a torch float32 tensor")
    if value.ndim != dimensions or value.numel() == 0:
        raise ContractError(
            f"{method}: {what} came back with shape {tuple(value.shape)}", fix=f"{dimensions} dimensions, none empty"
        )
    lowest, highest = (float(bound) for bound in value.aminmax())
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise ContractError(f"{method}: {what} came back with NaN or infinity")
    return value, lowest


def _array(method: str, what: str, value: object, dtype: type[T]) -> NDArray[T]:
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        raise ContractError(
            f"{method}: {what} came back as {_type(value, np.ndarray)}", fix=f"numpy array of {np.dtype(dtype)}"
        )
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ContractError(f"{method}: {what} came back with NaN or infinity")
    return value


def _type(value: Any, container: type) -> str:
    """The element type inside the right container, or what the value is instead."""
    right: bool = isinstance(value, container)
    return str(value.dtype) if right else type(value).__name__
