"""Rankings beside their relevance judgements, prepared once: what every protocol computes from.

A protocol looks only at the labelled images that a ranking reaches, so they are located once, for all queries, in flat
arrays; what a protocol takes out and counts is then a matter of masks and cumulative sums over all queries at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath, PurePosixPath
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.errors import InvalidInput
from harness.metrics.checks import LABELS, Ids, database_size, labels_of, ranked_rows, refuse_twice, score_rows
from harness.metrics.ranking import SETUPS
from harness.metrics.ties import groups_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Own = Literal["removed", "counts", "negative"]

PLAIN: Final = ""
"""The set-up of a ground truth that does not tell easy from hard."""
_PLAIN_LABELS: Final = (("easy", "hard"), ("junk",))
_CODES: Final = {label: code for code, label in enumerate(LABELS, start=1)}


@dataclass(frozen=True)
class Choices:
    """What a protocol takes for positive, takes out of the ranking, and looks at.

    Attributes:
        removes: whether images are taken out before ranks are counted (junk, and the labels that the set-up leaves
            out); else they are negatives.
        junk_counts: junk is positive.
        own: what the query itself is where the database holds it.
        drop_first: the first image of a ranking is dropped, whatever it is, where the database holds the query.
        own_in_total: whether the query counts among the positives that there are; only with ``own`` "counts".
        cut: ranks of the list that are looked at before anything is taken out; 0: all.
        depth: ranks that are looked at afterwards; 0: all.
        ids_below_length: only ids smaller than the length of the ranking are labelled (VISSL compares ids with ranks).
    """

    removes: bool = True
    junk_counts: bool = False
    own: Own = "removed"
    drop_first: bool = False
    own_in_total: bool = True
    cut: int = 0
    depth: int = 0
    ids_below_length: bool = False


class Hits(NamedTuple):
    """The positives that the rankings of all queries reach, by query and rank, under one choice.

    Attributes:
        query: (h,) whose positive it is.
        rank: (h,) from 0, without what was taken out.
        before: (h,) positives before it.
        end: (h,) where the images with its score end, exclusive; ``rank + 1`` where nothing is tied.
        before_end: (h,) positives up to there.
        score: (h,) float64; NaN where there are no scores.
        total: (q,) positives that there are.
        found: (q,) positives that are reached.
        listed: (q,) images in the ranking, without what was taken out.
        length: (q,) images in the ranking as it was given, or up to the cut.
    """

    query: Ids
    rank: Ids
    before: Ids
    end: Ids
    before_end: Ids
    score: Floats
    total: Ids
    found: Ids
    listed: Ids
    length: Ids

    def only(self, keep: Bools) -> Hits:
        """Those of a mask; positives before are then counted among them."""
        query, rank, end = self.query[keep], self.rank[keep], self.end[keep]
        found = np.bincount(query, minlength=len(self.total))
        before_end = _count_below(np.ones(len(query), bool), query, rank, end)
        return Hits(
            query, rank, _within(query, found), end, before_end, self.score[keep], self.total, found, *self[-2:]
        )


class _Labelled(NamedTuple):
    """Labelled images: of the truth (no rank), or those that rankings reach, by query and rank."""

    query: Ids
    image: Ids
    label: NDArray[np.uint8]
    own: Bools


@dataclass(frozen=True)
class Judged:
    """Rankings, judgements and what is derived from them; made by ``judged``.

    Attributes:
        rows: the rankings.
        scores: of the same images; None where there are none.
        labels: per query the ids under each label.
        own: (q,) the id of the query in the database, -1 where it holds none.
        names: what the images of the database are called, for protocols that break ties by name; None: their ids.
        size: of the database.
    """

    rows: Sequence[NDArray[Any]]
    scores: Sequence[NDArray[Any]] | None
    labels: Sequence[Mapping[str, Ids]]
    own: Ids
    names: Sequence[str] | None
    size: int
    _hits: dict[tuple[str, Choices], Hits] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def setups(self) -> tuple[str, ...]:
        """``easy``, ``medium``, ``hard`` where some image is hard, else the plain one."""
        graded = any(len(ids["hard"]) for ids in self.labels)
        return tuple(SETUPS) if graded else (PLAIN,)

    @cached_property
    def lengths(self) -> Ids:
        """(q,) images in each ranking."""
        return np.array([len(row) for row in self.rows], np.int64)

    @cached_property
    def classes(self) -> Ids:
        """(q,) a number for what each query shows: one for those with the same positives, themselves among them."""
        numbers: dict[bytes, int] = {}
        found = []
        for labels, own in zip(self.labels, self.own, strict=True):
            members = np.unique(np.concatenate([labels["easy"], labels["hard"], [own] if own >= 0 else []]))
            found.append(numbers.setdefault(members.astype(np.int64).tobytes(), len(numbers)))
        return np.array(found, np.int64)

    @cached_property
    def in_trec_order(self) -> Judged:
        """Ordered as trec_eval does: by score in float32, equal ones by name as a text, the last name first."""
        return self._sorted(0)

    @cached_property
    def in_trec_order_but_the_first(self) -> Judged:
        """The same with the first image left in its place in lists of queries that the database holds."""
        return self._sorted(1)

    def _sorted(self, first: int) -> Judged:
        if self.scores is None:
            return self
        texts = np.array([str(i) for i in range(self.size)] if self.names is None else [str(n) for n in self.names])
        place = np.empty(len(texts), np.int64)
        place[np.argsort(texts, kind="stable")] = np.arange(len(texts))
        rows, scores = [], []
        for row, values, own in zip(self.rows, self.scores, self.own, strict=True):
            single = np.asarray(values, np.float32)
            order, skip = np.arange(len(row)), first if own >= 0 else 0
            order[skip:] = skip + np.lexsort((-place[row[skip:]], -single[skip:]))
            rows.append(row[order])
            scores.append(single[order])
        return Judged(rows, scores, self.labels, self.own, self.names, self.size)

    @cached_property
    def _truth(self) -> _Labelled:
        parts = [(q, ids, _CODES[label]) for q, labels in enumerate(self.labels) for label, ids in labels.items()]
        image = np.concatenate([ids for _, ids, _ in parts]) if parts else np.zeros(0, np.int64)
        sizes = [len(ids) for _, ids, _ in parts]
        query = np.repeat(np.array([q for q, _, _ in parts], np.int64), sizes)
        label = np.repeat(np.array([code for _, _, code in parts], np.uint8), sizes)
        own = image == self.own[query] if len(query) else np.zeros(0, bool)
        # A query that the database holds and that has no label is one more labelled image.
        extra = np.setdiff1d(np.flatnonzero(self.own >= 0), query[own])
        return _Labelled(
            np.concatenate([query, extra]),
            np.concatenate([image, self.own[extra]]),
            np.concatenate([label, np.zeros(len(extra), np.uint8)]),
            np.concatenate([own, np.ones(len(extra), bool)]),
        )

    @cached_property
    def _reached(self) -> tuple[_Labelled, Ids, Ids, Floats]:
        """The labelled images that rankings reach; their ranks, ends of ties and scores."""
        truth = self._truth
        order = np.argsort(truth.query, kind="stable")
        bounds = np.searchsorted(truth.query[order], np.arange(len(self.rows) + 1))
        position = np.full(max(self.size, 1), -1, np.int32)
        nothing = np.zeros(0, np.int64)  # so that there is something to join without queries
        found, ranked, ends = [nothing], [nothing], [nothing]
        scores: list[NDArray[Any]] = [nothing]
        for query, row in enumerate(self.rows):
            mine = order[bounds[query] : bounds[query + 1]]
            position[truth.image[mine]] = np.arange(len(mine), dtype=np.int32)
            places = position[row]
            ranks = np.flatnonzero(places >= 0)
            found.append(mine[places[ranks]])
            position[truth.image[mine]] = -1
            end, score = self._ends_and_scores(query, ranks)
            ranked.append(ranks)
            ends.append(end)
            scores.append(score)
        which = np.concatenate(found)
        labelled = _Labelled(truth.query[which], truth.image[which], truth.label[which], truth.own[which])
        return labelled, np.concatenate(ranked), np.concatenate(ends), np.concatenate(scores).astype(np.float64)

    def _ends_and_scores(self, query: int, ranks: Ids) -> tuple[Ids, Floats]:
        if self.scores is None:
            return ranks + 1, np.full(len(ranks), np.nan)
        values = self.scores[query]
        starts, sizes = groups_of(values)
        return (starts + sizes)[ranks], np.asarray(values, np.float64)[ranks]

    def hits(self, setup: str, choices: Choices) -> Hits:
        """The positives that the rankings reach; computed once for every set-up and choice."""
        found = self._hits.get((setup, choices))
        if found is None:
            found = self._hits[setup, choices] = self._located(setup, choices)
        return found

    def _located(self, setup: str, choices: Choices) -> Hits:
        positive, removed = self._masks(setup, choices, self._truth, None)
        n = len(self.rows)
        total = np.bincount(self._truth.query[positive], minlength=n)
        if choices.own == "counts" and not choices.own_in_total:
            total = total - (self.own >= 0)
        reached, rank, end, score = self._reached
        positive, removed = self._masks(setup, choices, reached, rank)
        length = np.minimum(self.lengths, choices.cut) if choices.cut else self.lengths
        end = np.minimum(end, choices.cut) if choices.cut else end
        shift = (self.own >= 0) & (length > 0) if choices.drop_first else np.zeros(n, bool)
        gone = np.bincount(reached.query[removed], minlength=n)
        query = reached.query[positive]
        before_rank = _count_below(removed, reached.query, rank, rank)[positive]
        before_end = _count_below(removed, reached.query, rank, end)[positive]
        new_rank, new_end = rank[positive] - before_rank - shift[query], end[positive] - before_end - shift[query]
        listed = length - gone - shift
        score = score[positive]
        if choices.depth:
            kept = new_rank < choices.depth
            query, new_rank, score = query[kept], new_rank[kept], score[kept]
            new_end, listed = np.minimum(new_end[kept], choices.depth), np.minimum(listed, choices.depth)
        found = np.bincount(query, minlength=n)
        before = _within(query, found)
        everything = np.ones(len(query), bool)
        up_to_end = _count_below(everything, query, new_rank, new_end)
        return Hits(query, new_rank, before, new_end, up_to_end, score, total, found, listed, length)

    def _masks(self, setup: str, choices: Choices, of: _Labelled, rank: Ids | None) -> tuple[Bools, Bools]:
        """Which labelled images are positive, and which are taken out."""
        wanted, left_out = SETUPS[setup] if setup else _PLAIN_LABELS
        positive = _is_one_of(wanted)[of.label]
        removed = _is_one_of(left_out)[of.label] & choices.removes
        if choices.junk_counts:
            junk = of.label == _CODES["junk"]
            positive, removed = positive | junk, removed & ~junk
        positive, removed = positive & ~of.own, removed & ~of.own
        if choices.own == "counts":
            positive = positive | of.own
        elif choices.own == "removed":
            removed = removed | of.own
        if choices.ids_below_length:
            inside = of.image < self.lengths[of.query]
            positive, removed = positive & inside, removed & inside
        if rank is not None:
            seen = rank < choices.cut if choices.cut else np.ones(len(rank), bool)
            if choices.drop_first:
                seen = seen & ~((rank == 0) & (self.own[of.query] >= 0))
            positive, removed = positive & seen, removed & seen
        return positive, removed


def judged(
    rankings: ArrayLike | Sequence[ArrayLike],
    ground_truth: Sequence[Mapping[str, Any]],
    *,
    scores: ArrayLike | Sequence[ArrayLike] | None = None,
    n_database: int | None = None,
    own: Sequence[int | None] | None = None,
    names: Sequence[str] | None = None,
) -> Judged:
    """Check rankings and judgements and prepare them for every protocol.

    Args:
        rankings: per query database ids, best first; whole or truncated, of any length.
        ground_truth: per query ``easy``, ``hard`` and ``junk``: ids (missing: none).
        scores: of the images of ``rankings``, falling; for protocols that look at scores or break ties by themselves.
        n_database: size of the database; ids are then checked against it.
        own: per query its id in the database, None or -1 where the database does not hold it.
        names: names of the database images, for protocols that break ties by name (``tie_names``).

    Raises:
        InvalidInput: wrong shapes; an id out of range, twice in a ranking or under two labels; an unknown key of the
            ground truth; a score that is NaN or rises.
    """
    rows = ranked_rows(rankings)
    if len(rows) != len(ground_truth):
        raise InvalidInput(f"{len(rows)} queries have a ranking, {len(ground_truth)} a ground truth")
    values = None if scores is None else score_rows(scores, rows)
    for query, value in enumerate(values or ()):
        if len(value) > 1 and (value[1:] > value[:-1]).any():
            rank = int((value[1:] > value[:-1]).argmax()) + 2
            raise InvalidInput(f"query {query}: scores rise at rank {rank}", fix="lists begin with the highest score")
    labels = [labels_of(query, truth, n_database) for query, truth in enumerate(ground_truth)]
    ids = np.full(len(rows), -1, np.int64) if own is None else np.array([-1 if i is None else i for i in own], np.int64)
    if len(ids) != len(rows):
        raise InvalidInput(f"{len(rows)} queries have a ranking, {len(ids)} an id of their own")
    size = max(database_size(rows, labels, n_database), int(ids.max(initial=-1)) + 1)
    if n_database is not None and size > n_database:
        raise InvalidInput(f"query {int(ids.argmax())}: its own id {size - 1} is out of range")
    if names is not None and len(names) < size:
        raise InvalidInput(f"{len(names)} names, but {size} images in the database", fix="one name an image")
    seen = np.zeros(size, dtype=bool)
    for query, row in enumerate(rows):
        refuse_twice(seen, row, query)
    return Judged(rows, values, labels, ids, names, size)


def tie_names(names: Sequence[str | PurePath]) -> list[str]:
    """What trec orders tied images by, of the names in a ground truth or of the files that they stand for.

    It is a name without the folder and the suffix that all have, so that it is one wherever the images are.
    """
    texts = [name.replace("\\", "/") if isinstance(name, str) else name.as_posix() for name in names]
    # The first and the last in order differ where any two do.
    ends = min(texts, default=""), max(texts, default="")
    shared = os.path.commonprefix(ends).rpartition("/")
    start = len("".join(shared[:2])) if len(texts) > 1 else 0
    suffixes = {PurePosixPath(text).suffix for text in texts}
    suffix = next(iter(suffixes)) if len(suffixes) == 1 else ""
    return [text[start : len(text) - len(suffix)] for text in texts]


def _is_one_of(labels: Sequence[str]) -> Bools:
    """By the code of a label."""
    return np.array([False, *(label in labels for label in LABELS)])


def _within(query: Ids, counts: Ids) -> Ids:
    """Numbers 0, 1, ... of the entries of each query; ``query`` is sorted."""
    starts = np.cumsum(counts) - counts
    return np.arange(len(query)) - starts[query]


def _count_below(mask: Bools, query: Ids, rank: Ids, bound: Ids) -> Ids:
    """For every entry, how many masked ones of its query have a rank below its bound; sorted by query and rank."""
    if not mask.any():
        return np.zeros(len(query), np.int64)
    width = int(max(rank.max(initial=0), bound.max(initial=0))) + 1
    keys = query[mask] * width + rank[mask]
    counted: Ids = np.searchsorted(keys, query * width + bound) - np.searchsorted(keys, query * width)
    return counted
