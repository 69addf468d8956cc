"""The revisited Oxford and Paris protocol (Radenovic et al. 2018): easy, medium, hard; junk removed; trapezoidal AP."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.errors import InvalidInput
from harness.metrics.checks import Ids, database_size, labels_of, ranked_rows, refuse_twice, score_rows
from harness.metrics.ties import (
    ends_without_junk,
    expected_precision,
    expected_precision_at,
    expected_success_at,
    expected_sum_at,
    groups_of,
    without_junk,
)

Floats = NDArray[np.float64]

SETUPS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}
"""Per setup: the labels that are positive and the labels that are removed from the ranking."""


@dataclass(frozen=True)
class Scores:
    """Scores of one setup; shares in [0, 1], NaN for queries without a positive.

    Attributes:
        ap: (queries,) float64 average precision.
        map: its mean over the queries that have positives; NaN if none has.
        precision: (queries, len(ks)) float64.
        mean_precision: (len(ks),) float64.
        tied: (queries,) float64 share of the positives that are tied with an image that is none, junk aside.
        ks: ranks at which precision and what follows were measured.
        precision_sum: (queries, len(ks)) float64 the finite sum of precisions over the first k ranks, divided by
            ``min(positives, k)``: AP@k of GLDv2.
        success: (queries, len(ks)) float64 whether a positive is among the first k: recall@k of metric learning.
    """

    ap: Floats
    map: float
    precision: Floats
    mean_precision: Floats
    tied: Floats
    ks: tuple[int, ...] = ()
    precision_sum: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    success: Floats = field(default_factory=lambda: np.zeros((0, 0)))


class _Score(NamedTuple):
    """Scores of one query, named as in ``Scores``."""

    ap: float
    precision: Floats
    tied: float
    precision_sum: Floats
    success: Floats


def evaluate(
    rankings: ArrayLike | Sequence[ArrayLike],
    ground_truth: Sequence[Mapping[str, Any]],
    ks: Sequence[int] = (1, 5, 10),
    *,
    scores: ArrayLike | Sequence[ArrayLike] | None = None,
    n_database: int | None = None,
    label_ranks: Sequence[Mapping[int, tuple[int, int]]] = (),
    depth: int | None = None,
) -> dict[str, Scores]:
    """Score rankings against the revisited ground truth.

    The AP of a query is the area under its precision-recall curve by the trapezoid rule, after the junk has been taken
    out. A positive that a truncated ranking does not reach counts as missed: it adds nothing to the AP and ranks
    beyond every k. Precision at k is taken at ``min(k, rank of the last positive)``, as the official code does.

    The official code fails where a ranking reaches no positive, and where it reaches some it would take the last one
    that was reached for the last one there is. Here the cut is lowered only by a ranking that reaches all positives: so
    precision at k of a ranking of at least k images besides junk equals that of the whole ranking, and a shorter
    ranking never scores higher than a longer one that begins with it.

    Where ``scores`` say which images are tied, all is the mean over all orders of the tied (McSherry and Najork 2008):
    the order of a database says nothing of a method. Of a truncated ranking the listed images of the last tie count.

    Args:
        rankings: (queries, ranked) integers, or a list a query of any length: database ids best first; they may be
            truncated.
        ground_truth: per query ``easy``, ``hard`` and ``junk``: ids (missing: none); ``bbx``, ``box`` and ``group``
            are ignored, other keys refused.
        ks: ranks at which precision is measured.
        scores: numbers of the images of ``rankings``, in the same shape: neighbours in a row with equal ones are tied.
            None: the order counts as it is.
        n_database: size of the database; ids are then checked against it.
        label_ranks: per query id -> rank, from 0, at which the images with its score start in the whole ranking, and
            how many they are, where that is known although the ranking is truncated; of all labelled images. Scores are
            then those of the whole ranking, and ``scores`` is not looked at.
        depth: with ``label_ranks``: rank from which on images count as missed all the same. Of a tie that it cuts each
            image is listed in as many orders. None: nowhere.

    Returns:
        ``easy``, ``medium`` and ``hard`` -> scores.

    Raises:
        InvalidInput: wrong shapes; an unknown key of the ground truth; an id out of range, twice in a ranking or in a
            list, or under two labels; a score that is NaN; a labelled image without a rank in ``label_ranks``.
    """
    rows = ranked_rows(rankings)
    if len(rows) != len(ground_truth):
        raise InvalidInput(f"{len(rows)} queries have a ranking, {len(ground_truth)} a ground truth")
    if any(k < 1 for k in ks):
        raise InvalidInput(f"ks = {tuple(ks)} should be ranks of at least 1")
    if label_ranks and len(label_ranks) != len(rows):
        raise InvalidInput(f"{len(rows)} queries have a ranking, {len(label_ranks)} ranks of labelled images")
    values = None if scores is None else score_rows(scores, rows)
    labels = [labels_of(query, truth, n_database) for query, truth in enumerate(ground_truth)]
    size = database_size(rows, labels, n_database)
    scored: dict[str, list[_Score]] = {setup: [] for setup in SETUPS}
    # One byte an id: a million of them stay in the cache, which positions of eight bytes would not.
    seen, code = np.zeros(size, dtype=bool), np.zeros(size, dtype=np.uint8)
    for query, row in enumerate(rows):
        refuse_twice(seen, row, query)
        if label_ranks:
            groups = _known_groups(query, labels[query], label_ranks[query])
        else:
            groups = _listed_groups(_ranks(code, row, labels[query]), None if values is None else values[query])
        for setup, (positive, removed) in SETUPS.items():
            count = sum(len(labels[query][label]) for label in positive)
            positives, junk = (_sorted([groups[label] for label in names]) for names in (positive, removed))
            scored[setup].append(_score(positives, junk, count, ks, depth if label_ranks else None))
    return {setup: _summary(results, tuple(ks)) for setup, results in scored.items()}


def _ranks(code: NDArray[np.uint8], row: NDArray[Any], labels: Mapping[str, Ids]) -> dict[str, Ids]:
    """Per label the ranks of its images in this ranking, ascending; ``code`` is all zero before and after."""
    for number, ids in enumerate(labels.values(), start=1):
        code[ids] = number
    codes = code[row]
    ranks = np.flatnonzero(codes)
    numbers = codes[ranks]
    for ids in labels.values():
        code[ids] = 0
    return {label: ranks[numbers == number] for number, label in enumerate(labels, start=1)}


def _listed_groups(ranks: Mapping[str, Ids], scores: NDArray[Any] | None) -> dict[str, Ids]:
    """Per label (m, 2): where the group of each of its images starts in this ranking, and how many are in it."""
    if scores is None:
        return {label: np.stack([held, np.ones_like(held)], axis=1) for label, held in ranks.items()}
    starts, sizes = groups_of(scores)
    return {label: np.stack([starts[held], sizes[held]], axis=1) for label, held in ranks.items()}


def _known_groups(query: int, labels: Mapping[str, Ids], known: Mapping[int, tuple[int, int]]) -> dict[str, Ids]:
    """The same of all labelled images in the whole ranking."""
    if missing := [int(i) for ids in labels.values() for i in ids if int(i) not in known]:
        raise InvalidInput(f"query {query}: image {missing[0]} has no rank", fix="ranks of all labelled images")
    return {label: np.array([known[int(i)] for i in ids], np.int64).reshape(-1, 2) for label, ids in labels.items()}


def _sorted(groups: Sequence[Ids]) -> Ids:
    together = np.concatenate(groups)
    return together[np.argsort(together[:, 0], kind="stable")]


def _score(positives: Ids, junk: Ids, count: int, ks: Sequence[int], depth: int | None) -> _Score:
    """Scores of one query.

    Args:
        positives: (p, 2) of the positives that the ranking reaches, best first: start and size of their groups.
        junk: (j, 2) of the images that are taken out, likewise.
        count: number of positives, reached or not.
        ks: ranks of precision.
        depth: rank, junk included, from which on positives are missed.
    """
    if count == 0:
        nothing = np.full(len(ks), np.nan)
        return _Score(float("nan"), nothing, float("nan"), nothing, nothing)
    if depth is not None:
        positives, junk = (groups[groups[:, 0] < depth] for groups in (positives, junk))
    if (positives[:, 1] > 1).any():
        return _tied_score(positives, junk, count, ks, depth)
    ranks = positives[:, 0] - np.searchsorted(junk[:, 0], positives[:, 0])
    hits = np.arange(len(ranks), dtype=np.float64)
    before = np.divide(hits, ranks, out=np.ones_like(hits), where=ranks > 0)
    after = (hits + 1) / (ranks + 1)
    ap = float(((before + after) / 2).sum() / count)
    last = ranks[-1] + 1 if len(positives) == count else np.inf
    cut = np.minimum(np.asarray(ks, dtype=np.float64), last)
    reached = np.searchsorted(ranks, np.asarray(ks, dtype=np.int64))
    sums = np.concatenate([[0.0], np.cumsum(after)])[reached] / np.minimum(ks, count)
    return _Score(ap, np.searchsorted(ranks + 1, cut, side="right") / cut, 0.0, sums, (reached > 0).astype(np.float64))


def _tied_score(positives: Ids, junk: Ids, count: int, ks: Sequence[int], depth: int | None) -> _Score:
    """``_score`` where a positive is tied."""
    groups = without_junk(positives, junk)
    tied = sum(group.positives for group in groups if group.size > group.positives) / count
    ends = [(None, 1.0)] if depth is None else ends_without_junk(depth, junk)
    ap = sum(share * expected_precision(groups, count, end) for end, share in ends)
    precision = [sum(share * expected_precision_at(groups, count, k, end) for end, share in ends) for k in ks]
    sums = [sum(share * expected_sum_at(groups, count, k, end) for end, share in ends) for k in ks]
    success = [sum(share * expected_success_at(groups, k, end) for end, share in ends) for k in ks]
    return _Score(ap, np.array(precision, np.float64), tied, np.array(sums, np.float64), np.array(success, np.float64))


def _summary(results: Sequence[_Score], ks: tuple[int, ...]) -> Scores:
    ap, tied = (np.array([getattr(r, name) for r in results], dtype=np.float64) for name in ("ap", "tied"))
    precision, sums, success = (
        np.array([getattr(r, name) for r in results], dtype=np.float64).reshape(len(results), len(ks))
        for name in ("precision", "precision_sum", "success")
    )
    valid = ~np.isnan(ap)
    if not valid.any():
        return Scores(ap, float("nan"), precision, np.full(len(ks), np.nan), tied, ks, sums, success)
    return Scores(ap, float(ap[valid].mean()), precision, precision[valid].mean(axis=0), tied, ks, sums, success)


def per_query(scores: Mapping[str, Scores]) -> dict[str, NDArray[Any]]:
    """Values of every query as columns of one table.

    Args:
        scores: what ``evaluate`` gives.

    Returns:
        ``query`` (q,) int64, ``ap_easy``, ``mp@1_easy`` and so on (q,) float64, NaN where a query has no positive. As
        ``pandas.DataFrame(per_query(scores))`` they are a frame, ``per_query_frame`` where pandas is installed.
    """
    first = next(iter(scores.values()), None)
    columns: dict[str, NDArray[Any]] = {"query": np.arange(0 if first is None else len(first.ap))}
    for setup, values in scores.items():
        columns[f"ap_{setup}"] = values.ap
        columns |= {f"mp@{k}_{setup}": values.precision[:, i] for i, k in enumerate(values.ks)}
    return columns


def per_query_frame(scores: Mapping[str, Scores]) -> Any:
    """``per_query`` as a ``pandas.DataFrame``. Raises ``InvalidInput`` where pandas is not installed."""
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise InvalidInput("pandas is not installed", fix="pip install pandas, or use per_query") from error
    return pandas.DataFrame(per_query(scores))
