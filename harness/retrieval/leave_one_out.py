"""A query whose own image is in the database does not find it: neither search, re-ranking nor expansion see it there.

Rankings keep their length: the query's own images stand at their end, below all others, and count as junk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.ties import tie_numbers
from harness.plugin_api import LeavesOut, Ranking, RetrievalSet
from harness.retrieval.rows import identities

if TYPE_CHECKING:
    from harness.cache import Cache
    from harness.retrieval.protocol import RetrievalProtocol

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
LabelRanks = Mapping[int, tuple[int, int]]
Expand = Callable[[slice, Ranking], Ranking]
Ask = Callable[[Any, slice, Ranking, int], Ranking]
OwnImages = Mapping[int, Ids]
"""Query -> the ids of its own image and its copies, ascending; queries that are not in the database are left out."""


def own_images(dataset: RetrievalSet, key: Any, cache: Cache, *, files: bool) -> OwnImages:
    """The queries that stand in the database: by the content of their files, or by name where there are no ``files``.

    Boxes do not count: a part of an image is of that image.

    Args:
        dataset: in the order in which it is searched.
        key: what the data are; digests of files are stored under it.
        cache: where they are stored.
        files: whether images are files.
    """
    n = len(dataset.images) - dataset.distractors
    if dataset.queries is dataset.images:
        return {query: np.array([query]) for query in range(len(dataset.queries))}
    names: Sequence[Any] = dataset.images[:n]
    queries: Sequence[Any] = dataset.queries
    if files:
        names = identities(names, [None] * n, {"dataset": key, "role": "database"}, cache)
        queries = identities(queries, [None] * len(queries), {"dataset": key, "role": "query files"}, cache)
    asked, places = set(queries), dict[Any, list[int]]()
    for place, name in enumerate(names):
        if name in asked:
            places.setdefault(name, []).append(place)
    return {query: np.array(places[name]) for query, name in enumerate(queries) if name in places}


def leaves_out(dataset: RetrievalSet, protocol: RetrievalProtocol) -> bool:
    """Whether own images are left out: for data that ask for it, unless a published protocol counts them."""
    return dataset.leave_one_out and not protocol.counts_own


def as_junk(truth: Sequence[Mapping[str, Any]], own: OwnImages) -> list[Mapping[str, Any]]:
    """The ground truth with the own images of each query as junk, whatever they were."""

    def judged(labels: Mapping[str, Any], ids: set[int]) -> dict[str, Any]:
        kept = {level: [i for i in labels[level] if i not in ids] for level in ("easy", "hard") if level in labels}
        junk = list(labels.get("junk", ()))
        return {**labels, **kept, "junk": [*junk, *sorted(ids.difference(junk))]}

    return [judged(labels, set(own[q].tolist())) if q in own else labels for q, labels in enumerate(truth)]


@dataclass
class LeaveOneOut:
    """Takes the own images of queries out of what is done with their rankings.

    Attributes:
        own: of the queries that stand in the database.
        refit: own images -> the expansion of rankings of some queries as if these images were not in the database.
    """

    own: OwnImages = field(default_factory=dict)
    refit: Callable[[Ids], Expand] | None = None
    _last: tuple[bytes, Expand] | None = field(default=None, repr=False)

    def spare(self, rows: range) -> int:
        """How many places more a cut ranking of these queries needs, so that it is as long without own images."""
        return max((len(self.own[row]) for row in rows if row in self.own), default=0)

    def searched(self, rows: range, ranking: Ranking, length: int | None) -> Ranking:
        """The ranking of these queries with own images at its end, cut to a length."""
        if self.spare(rows) == 0:
            return ranking
        indices, scores = ranking.indices.copy(), ranking.scores.copy()
        for place, row in enumerate(rows):
            if row not in self.own:
                continue
            last = np.isin(indices[place], self.own[row])
            order = np.argsort(last, kind="stable")
            indices[place], scores[place] = indices[place][order], scores[place][order]
            if last.any():
                scores[place, -int(last.sum()) :] = _below(scores[place, : -int(last.sum())])
        return Ranking(indices[:, :length], scores[:, :length])

    def listed(self, row: int, indices: Ids) -> Ids:
        """The ids (k,) of a query's ranking without its own images."""
        return indices[~np.isin(indices, self.own[row])] if row in self.own else indices

    def ranks(self, row: int, ranks: LabelRanks, labelled: Sequence[int], size: int) -> LabelRanks:
        """Ranks of the images of a query, its own among them -> those of its labelled images without its own."""
        if row not in self.own:
            return ranks
        own = self.own[row].tolist()
        starts = [ranks[image][0] for image in own]

        def moved(image: int) -> tuple[int, int]:
            start, count = ranks[image]
            return start - sum(s < start for s in starts), count - sum(s == start for s in starts)

        return {i: (size - len(own), len(own)) if i in own else moved(i) for i in labelled}

    def apart(self, rows: range, ranking: Ranking, act: Callable[[range, Ranking], Ranking]) -> Ranking:
        """What ``act`` makes of rankings, a row each of ``rows``, without own images, which go back to the end."""
        if self.spare(rows) == 0:
            return act(rows, ranking)
        parts = []
        for start, stop in self._runs(rows):
            part = slice(start - rows.start, stop - rows.start)
            given = _some(ranking, part)
            here = np.isin(given.indices[0], self.own[start]) if start in self.own else np.zeros(0, bool)
            listed = given.indices.shape[1] - int(here.sum())
            if listed == 0:
                parts.append(given)
                continue
            done = act(range(start, stop), _some(given, slice(None), listed))
            parts.append(_with_end(done, given.indices[:, listed:]))
        return _stacked(parts)

    def expanded(self, rows: range, ranking: Ranking, expand: Expand) -> Ranking:
        """``expand`` of queries that are not in the database; of each other an expansion without its own images."""

        def act(some: range, given: Ranking) -> Ranking:
            rows_of = slice(some.start, some.stop)
            return (
                self._without(self.own[some.start])(rows_of, given)
                if some.start in self.own
                else expand(rows_of, given)
            )

        return self.apart(rows, ranking, act)

    def _without(self, images: Ids) -> Expand:
        """Queries of one image follow each other often: the last one is kept."""
        if self._last is not None and self._last[0] == images.tobytes():
            return self._last[1]
        if self.refit is None:
            raise ValueError("no expansion is bound yet")
        expand = self.refit(images)
        self._last = images.tobytes(), expand
        return expand

    def _runs(self, rows: range) -> Iterator[tuple[int, int]]:
        """Each query in the database alone, and between them the others together."""
        start = rows.start
        for row in rows:
            if row in self.own:
                if start < row:
                    yield start, row
                yield row, row + 1
                start = row + 1
        if start < rows.stop:
            yield start, rows.stop


def without_images(fitted: Any, images: Ids, refit: Callable[[Ids], Any], ask: Ask, size: int) -> Expand:
    """An expansion as if some images were not in the database, answering in the ids of all.

    Args:
        fitted: the expansion of the whole database, None where it is fitted again in any case.
        images: what is left out.
        refit: fits it to the database of these ids.
        ask: an expansion, queries, their ranking and the size of its database -> the new ranking.
        size: images of the whole database.
    """
    if isinstance(fitted, LeavesOut):
        smaller = fitted.without(images)
        return lambda rows, ranking: ask(smaller, rows, ranking, size)
    kept = np.delete(np.arange(size), images)
    refitted = refit(kept)

    def expand(rows: slice, ranking: Ranking) -> Ranking:
        asked = replace(ranking, indices=np.searchsorted(kept, ranking.indices))
        found = ask(refitted, rows, asked, len(kept))
        return replace(found, indices=kept[found.indices])

    return expand


def _below(scores: Floats) -> np.float32:
    return np.float32(scores[-1] - 1) if len(scores) else np.float32(0)


def _some(ranking: Ranking, rows: slice, length: int | None = None) -> Ranking:
    arrays = (ranking.indices, ranking.scores, ranking.verified, ranking.ties)
    return Ranking(*(None if array is None else array[rows, :length] for array in arrays))  # type: ignore[arg-type]


def _with_end(ranking: Ranking, images: Ids) -> Ranking:
    """The ranking with some images of each row at its end."""
    if not images.shape[1]:
        return ranking
    count, ties = images.shape[1], ranking.ties
    end = np.repeat(np.array([[_below(row)] for row in ranking.scores]), count, axis=1)
    verified = None if ranking.verified is None else np.pad(ranking.verified, ((0, 0), (0, count)))
    if ties is not None:
        ties = np.concatenate([ties, np.repeat(ties[:, -1:] + 1, count, axis=1)], axis=1)
    return Ranking(
        np.concatenate([ranking.indices, images], axis=1), np.concatenate([ranking.scores, end], axis=1), verified, ties
    )


def _stacked(parts: Sequence[Ranking]) -> Ranking:
    """Rankings of some queries each as one."""
    verified = [p.verified for p in parts if p.verified is not None]
    ties = None
    if any(p.ties is not None for p in parts):
        ties = np.concatenate([[tie_numbers(row) for row in p.tied] for p in parts])
    return Ranking(
        np.concatenate([p.indices for p in parts]),
        np.concatenate([p.scores for p in parts]),
        np.concatenate(verified) if len(verified) == len(parts) else None,
        ties,
    )
