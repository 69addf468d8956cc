"""The revisited Oxford and Paris protocol (Radenovic et al. 2018): easy, medium, hard; junk removed; trapezoidal AP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.errors import InvalidInput
from harness.metrics.ties import ends_without_junk, expected_precision, expected_precision_at, groups_of, without_junk

Ids = NDArray[np.int64]
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
    """

    ap: Floats
    map: float
    precision: Floats
    mean_precision: Floats
    tied: Floats


class _Score(NamedTuple):
    """Scores of one query: average precision, precisions at each k, share of positives in a tie."""

    ap: float
    precision: Floats
    tied: float


def evaluate(
    rankings: ArrayLike,
    ground_truth: Sequence[Mapping[str, Any]],
    ks: Sequence[int] = (1, 5, 10),
    *,
    scores: ArrayLike | None = None,
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
        rankings: (queries, ranked) integers, database ids best first; they may be truncated.
        ground_truth: per query ``easy``, ``hard`` and ``junk``: ids (missing: none); ``bbx`` is ignored.
        ks: ranks at which precision is measured.
        scores: (queries, ranked) numbers of the images of ``rankings``: neighbours in a row with equal ones are tied.
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
        InvalidInput: wrong shapes; an id out of range, twice in a ranking or in a list, or under two labels; a labelled
            image without a rank in ``label_ranks``.
    """
    table = np.asarray(rankings)
    if table.ndim != 2 or not (np.issubdtype(table.dtype, np.integer) or table.size == 0):
        raise InvalidInput(f"rankings should be integers of shape (queries, ranked), not {table.dtype} {table.shape}")
    if table.size == 0:
        table = table.astype(np.int64)  # an empty list has no integers to tell its type by
    if len(table) != len(ground_truth):
        raise InvalidInput(f"{len(table)} queries have a ranking, {len(ground_truth)} a ground truth")
    if any(k < 1 for k in ks):
        raise InvalidInput(f"ks = {tuple(ks)} should be ranks of at least 1")
    if label_ranks and len(label_ranks) != len(table):
        raise InvalidInput(f"{len(table)} queries have a ranking, {len(label_ranks)} ranks of labelled images")
    values = None if scores is None else np.asarray(scores)
    if values is not None and values.shape != table.shape:
        raise InvalidInput(f"scores have shape {values.shape}, rankings {table.shape}")
    labels = [_labels(query, truth, n_database) for query, truth in enumerate(ground_truth)]
    size = _database_size(table, labels, n_database)
    scored: dict[str, list[_Score]] = {setup: [] for setup in SETUPS}
    # One byte an id: a million of them stay in the cache, which positions of eight bytes would not.
    seen, code = np.zeros(size, dtype=bool), np.zeros(size, dtype=np.uint8)
    for query, row in enumerate(table):
        _refuse_twice(seen, row, query)
        if label_ranks:
            groups = _known_groups(query, labels[query], label_ranks[query])
        else:
            groups = _listed_groups(_ranks(code, row, labels[query]), None if values is None else values[query])
        for setup, (positive, removed) in SETUPS.items():
            count = sum(len(labels[query][label]) for label in positive)
            positives, junk = (_sorted([groups[label] for label in names]) for names in (positive, removed))
            scored[setup].append(_score(positives, junk, count, ks, depth if label_ranks else None))
    return {setup: _summary(results, len(ks)) for setup, results in scored.items()}


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


def _refuse_twice(seen: NDArray[np.bool_], row: NDArray[Any], query: int) -> None:
    seen[row] = True
    if np.count_nonzero(seen) != len(row):
        ids, counts = np.unique(row, return_counts=True)
        raise InvalidInput(f"query {query}: id {int(ids[counts > 1][0])} is ranked twice")
    seen[row] = False


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
        return _Score(float("nan"), np.full(len(ks), np.nan), float("nan"))
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
    return _Score(ap, np.searchsorted(ranks + 1, cut, side="right") / cut, 0.0)


def _tied_score(positives: Ids, junk: Ids, count: int, ks: Sequence[int], depth: int | None) -> _Score:
    """``_score`` where a positive is tied."""
    groups = without_junk(positives, junk)
    tied = sum(group.positives for group in groups if group.size > group.positives) / count
    ends = [(None, 1.0)] if depth is None else ends_without_junk(depth, junk)
    ap = sum(share * expected_precision(groups, count, end) for end, share in ends)
    precision = [sum(share * expected_precision_at(groups, count, k, end) for end, share in ends) for k in ks]
    return _Score(ap, np.array(precision, np.float64), tied)


def _summary(results: Sequence[_Score], n_ks: int) -> Scores:
    ap = np.array([result.ap for result in results], dtype=np.float64)
    precision = np.array([result.precision for result in results], dtype=np.float64).reshape(len(results), n_ks)
    tied = np.array([result.tied for result in results], dtype=np.float64)
    valid = ~np.isnan(ap)
    if not valid.any():
        return Scores(ap, float("nan"), precision, np.full(n_ks, np.nan), tied)
    return Scores(ap, float(ap[valid].mean()), precision, precision[valid].mean(axis=0), tied)


def _labels(query: int, truth: Mapping[str, Any], n_database: int | None) -> dict[str, Ids]:
    labels = {label: _ids(query, label, truth.get(label, ())) for label in ("easy", "hard", "junk")}
    together = np.concatenate(list(labels.values()))
    if len(together) and (together.min() < 0 or (n_database is not None and together.max() >= n_database)):
        limit = "" if n_database is None else f" and below {n_database}"
        wrong = int(together.min() if together.min() < 0 else together.max())
        raise InvalidInput(f"query {query}: id {wrong} is out of range", fix=f"ids are at least 0{limit}")
    unique, counts = np.unique(together, return_counts=True)
    if (counts > 1).any():
        twice = int(unique[counts > 1][0])
        where = [label for label, ids in labels.items() for _ in range(int((ids == twice).sum()))]
        raise InvalidInput(
            f"query {query}: id {twice} is listed in {' and '.join(where)}", fix="give each id one label, once"
        )
    return labels


def _ids(query: int, label: str, values: Any) -> Ids:
    ids = np.asarray(values)
    if ids.ndim != 1 or not (np.issubdtype(ids.dtype, np.integer) or ids.size == 0):
        raise InvalidInput(f"query {query}: {label} should be a list of integer ids")
    return ids.astype(np.int64)


def _database_size(table: NDArray[Any], labels: Sequence[Mapping[str, Ids]], n_database: int | None) -> int:
    lowest, highest = (int(table.min()), int(table.max())) if table.size else (0, -1)
    if lowest < 0 or (n_database is not None and highest >= n_database):
        wrong = lowest if lowest < 0 else highest
        query = int(np.nonzero((table == wrong).any(axis=1))[0][0])
        raise InvalidInput(f"query {query}: its ranking holds id {wrong}, which is out of range")
    if n_database is not None:
        return n_database
    return 1 + max([highest, *(int(ids.max()) for parts in labels for ids in parts.values() if len(ids))])
