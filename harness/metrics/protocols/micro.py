"""Measures of one list over all queries: micro average precision of copy detection, global average precision.

Ranks are not enough for them: scores decide how the answers to different queries are ordered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import InvalidInput
from harness.metrics.protocols.judged import Choices

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from harness.metrics.protocols.judged import Bools, Floats, Judged


def micro_average_precision(right: ArrayLike, scores: ArrayLike, total: int) -> float:
    """Finite sum over one list of pairs: of equal scores the wrong pairs come first, the worst case.

    Args:
        right: (n,) whether each pair is a true one.
        scores: (n,) of the pairs.
        total: true pairs that there are, listed or not.
    """
    flags = _worst_first(right, scores)
    return _finite_sum(flags, total)


def recall_at_precision(right: ArrayLike, scores: ArrayLike, total: int, precision: float) -> float:
    """The largest recall at any cut with at least this precision; NaN if there is none."""
    flags = _worst_first(right, scores)
    hits = np.cumsum(flags)
    reached = hits[hits >= precision * np.arange(1, len(flags) + 1)]
    return float(reached.max()) / total if len(reached) and total else float("nan")


def global_average_precision(right: ArrayLike, confidence: ArrayLike, total: int) -> float:
    """One prediction a query, all in one list; of equal confidence the first query comes first.

    Args:
        right: (n,) whether each prediction is right.
        confidence: (n,) of the predictions.
        total: queries that show something known.
    """
    flags, values = np.asarray(right, bool), np.asarray(confidence, np.float64)
    return _finite_sum(flags[np.argsort(-values, kind="stable")], total)


def _worst_first(right: ArrayLike, scores: ArrayLike) -> Bools:
    flags, values = np.asarray(right, bool), np.asarray(scores, np.float64)
    if flags.shape != values.shape or flags.ndim != 1:
        raise InvalidInput(f"{flags.shape} pairs and {values.shape} scores should have one length (n,)")
    ordered: NDArray[np.bool_] = flags[np.lexsort((flags, -values))]
    return ordered


def _finite_sum(flags: Bools, total: int) -> float:
    places = np.flatnonzero(flags)
    return float((np.arange(1, len(places) + 1) / (places + 1)).sum() / total) if total else float("nan")


def _pairs(given: Judged, setup: str) -> tuple[Bools, Floats, int]:
    """All listed pairs of query and image; nothing is taken out."""
    hits = given.hits(setup, Choices(removes=False, own="negative"))
    starts = np.cumsum(given.lengths) - given.lengths
    right = np.zeros(int(given.lengths.sum()), bool)
    right[starts[hits.query] + hits.rank] = True
    scores = np.concatenate([np.asarray(row, np.float64) for row in given.scores or ()])
    return right, scores, int(hits.total.sum())


def _first_predictions(given: Judged, setup: str) -> tuple[Bools, Floats, Bools]:
    """Of every query with a list its first image: whether it is right, its score, whether the query has a positive."""
    hits = given.hits(setup, Choices(removes=False, own="negative"))
    answered = given.lengths > 0
    right = np.zeros(len(given.rows), bool)
    right[hits.query[hits.rank == 0]] = True
    scores = np.array([float(row[0]) if len(row) else np.nan for row in given.scores or ()], np.float64)
    return right[answered], scores[answered], (hits.total > 0)[answered]


def pairs_in_one_list(given: Judged, setup: str, k: int) -> float:
    """Micro average precision of image copy detection; pairs of queries without a copy are wrong ones."""
    return micro_average_precision(*_pairs(given, setup))


def pairs_at_90(given: Judged, setup: str, k: int) -> float:
    """Recall at precision 0.9 of the same list."""
    return recall_at_precision(*_pairs(given, setup), 0.9)


def pairs_by_rank(given: Judged, setup: str, k: int) -> float:
    """Share of the true pairs of all queries of which fewer than k images stand before it or are tied with it."""
    hits = given.hits(setup, Choices(removes=False, own="negative"))
    total = int(hits.total.sum())
    return int((hits.end <= k).sum()) / total if total else float("nan")


def nearest_in_one_list(given: Judged, setup: str, k: int) -> float:
    """Global average precision of the first image of each list as prediction; distractor queries take ranks."""
    right, scores, known = _first_predictions(given, setup)
    return global_average_precision(right, scores, _known(given, setup))


def nearest_without_distractors(given: Judged, setup: str, k: int) -> float:
    """The same without the predictions of queries that have no positive."""
    right, scores, known = _first_predictions(given, setup)
    return global_average_precision(right[known], scores[known], _known(given, setup))


def _known(given: Judged, setup: str) -> int:
    return int((given.hits(setup, Choices(removes=False, own="negative")).total > 0).sum())
