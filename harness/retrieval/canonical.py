"""A database in an order of its own: by the content of its images, so that the order of files decides nothing.

Search, graphs, k-means and re-ranking all have to prefer one of two equals, and prefer the lower position: a list that
begins with the relevant images would gain by that. So images are sorted by the digest of their files before any method
sees them, and ids are translated back at the end. Identical images remain: they are tied, whatever a cut-off between
them did to one and not to the other. Distractors, too many to be read for it, are sorted by the names of their files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.ties import tie_numbers
from harness.plugin_api import Ranking, RetrievalSet
from harness.retrieval.rows import identities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cache import Cache

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class CanonicalSet:
    """A dataset whose images are sorted by content; distractors follow, sorted by name.

    Attributes:
        dataset: with translated ground truth and pairs.
        positions: (n,) where each of its images stands in the dataset as it was loaded.
        first: (n,) the first image with the same content, which others with it follow.
    """

    dataset: RetrievalSet
    positions: Ids
    first: Ids

    @property
    def duplicates(self) -> int:
        """Images with the content of an earlier one."""
        return int((self.first != np.arange(len(self.first))).sum())

    def original(self, ids: Ids) -> Ids:
        """Ids of the canonical order -> those of the dataset as it was loaded."""
        return self.positions[ids]

    def with_ties(self, ranking: Ranking) -> Ranking:
        """The ranking with identical images tied, at the place of the best of them that it lists."""
        if not self.duplicates:
            return ranking
        rows = [self._row_with_ties(*row) for row in zip(ranking.indices, ranking.scores, ranking.tied, strict=True)]
        indices, scores, ties = (np.stack(columns) for columns in zip(*rows, strict=True))
        return Ranking(indices, scores, ties=ties)

    def listed_ranks(
        self, rows: Iterable[tuple[Ids, NDArray[Any]]], wanted: Iterable[Iterable[int]]
    ) -> list[dict[int, tuple[int, int]]]:
        """Per query of its ``wanted`` images where their tie begins in a row of ids and ties, and how many are in it.

        An image whose copy is listed is in the tie of that one; one without comes after all that are listed.
        """
        found = []
        for (ids, tied), images in zip(rows, wanted, strict=True):
            ranks, end = ranks_with_copies(ids, tied, self.first, images)
            found.append({image: ranks.get(image, (end, 1)) for image in images})
        return found

    def _row_with_ties(self, ids: Ids, scores: NDArray[Any], tied: NDArray[Any]) -> tuple[Ids, NDArray[Any], Ids]:
        groups = tie_numbers(tied)
        _, best, image = np.unique(self.first[ids], return_index=True, return_inverse=True)
        shared = groups[best[image]]
        order = np.argsort(shared, kind="stable")
        return ids[order], scores[best[image]][order], shared[order]


def ranks_with_copies(
    ids: Ids, tied: NDArray[Any], first: Ids, wanted: Iterable[int]
) -> tuple[dict[int, tuple[int, int]], int]:
    """Where the ties of images begin in a list that a cut has ended, and how many are in them.

    Which of two identical images a cut leaves is an accident: copies are in the tie of the best that the list holds,
    listed or not.

    Args:
        ids: (k,) best first.
        tied: (k,) neighbours with equal values are tied.
        first: (n,) the first image with the same content; copies follow each other.
        wanted: ids that are asked for.

    Returns:
        Id -> start and size of the tie, of those whose content the list holds; and the length of the list with copies.
    """
    contents, best = np.unique(first[ids], return_index=True)
    copies = np.searchsorted(first, contents, side="right") - contents
    ties = tie_numbers(tied)[best]
    sizes = np.bincount(ties, copies).astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    tie_of = dict(zip(contents.tolist(), ties.tolist(), strict=True))
    known = (image for image in wanted if 0 <= image < len(first))  # the evaluation refuses others
    held = {image: tie_of[content] for image in known if (content := int(first[image])) in tie_of}
    return {image: (int(starts[tie]), int(sizes[tie])) for image, tie in held.items()}, int(sizes.sum())


def canonical(dataset: RetrievalSet, key: Any, cache: Cache) -> CanonicalSet:
    """The dataset in canonical order.

    Args:
        dataset: as it was loaded.
        key: what the data are; the digests of its images are stored under it.
        cache: where they are stored.

    Raises:
        DataMissing: an image does not exist.
    """
    n = len(dataset.images) - dataset.distractors
    contents = identities(dataset.images[:n], [None] * n, {"dataset": key, "role": "database"}, cache)
    order = np.array(sorted(range(n), key=contents.__getitem__), np.int64)
    rest = np.array(sorted(range(n, len(dataset.images)), key=lambda i: dataset.images[i].as_posix()), np.int64)
    positions = np.concatenate([order, rest])
    place = np.empty_like(positions)
    place[positions] = np.arange(len(positions))
    first_of = {contents[i]: place for place, i in reversed(list(enumerate(order)))}
    first = np.concatenate([np.array([first_of[contents[i]] for i in order], np.int64), np.arange(n, len(place))])
    boxes = dataset.image_boxes
    changed = replace(
        dataset,
        images=[dataset.images[i] for i in positions],
        ground_truth=[_translated(truth, place) for truth in dataset.ground_truth],
        pairs=None if dataset.pairs is None else _sorted_pairs(np.asarray(dataset.pairs), place, first),
        image_boxes=None if boxes is None else [boxes[i] for i in positions],
    )
    return CanonicalSet(changed, positions, first)


def unchanged(dataset: RetrievalSet) -> CanonicalSet:
    """The dataset in the order of its ground truth, where descriptors come from files: there are no images to sort by.

    Equal descriptors have equal scores, and their order counts as a tie.
    """
    positions = np.arange(len(dataset.images))
    return CanonicalSet(dataset, positions, positions)


def _translated(truth: Mapping[str, Any], place: Ids) -> dict[str, Any]:
    """What is no id of an image stays as it is: the evaluation says what is wrong with it."""
    levels = {level: ids for level in ("easy", "hard", "junk") if (ids := truth.get(level)) is not None}
    return {**truth, **{level: _ids(ids, place) for level, ids in levels.items()}}


def _ids(ids: Sequence[int], place: Ids) -> Sequence[int]:
    array = np.asarray(ids)
    if (
        array.ndim != 1
        or not array.size
        or array.dtype.kind not in "iu"
        or array.min() < 0
        or array.max() >= len(place)
    ):
        return ids
    translated: list[int] = place[array].tolist()
    return translated


def _sorted_pairs(pairs: Ids, place: Ids, first: Ids) -> Ids:
    """Pairs (p, 2) translated; in an order that identical images do not change."""
    if not pairs.size or pairs.min() < 0 or pairs.max() >= len(place):
        return pairs
    moved = place[pairs]
    image = np.sort(first[moved], axis=1)
    ordered: Ids = moved[np.lexsort((image[:, 1], image[:, 0]))]
    return ordered
