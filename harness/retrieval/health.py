"""Signs that the descriptors of a run say little: recorded with every run, and what is doubtful in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.ranking import Scores

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float32]

_EMPTY: Final = 0.05
"""Share of empty descriptors that is doubtful: blank images are rare in collections."""
_COMPARED: Final = 1 << 26
"""Numbers of a database up to which rows are compared byte by byte."""
_ROWS: Final = 8192
_EQUAL: Final = 0.1
"""Share of different images with equal descriptors that is doubtful."""
_TIED: Final = 0.05
"""Share of relevant images tied with irrelevant ones that is doubtful: scores are then means over many orders."""


def descriptor_health(database: NDArray[np.float32], identical: int, empty: int) -> dict[str, Any]:
    """What is recorded of the descriptors of a database (n, d).

    Args:
        database: as they are searched.
        identical: images with the content of another.
        empty: descriptors without any activation, of database and queries, before whitening.

    Returns:
        ``images``, ``identical_images``, ``equal_descriptors`` (of other images than those), ``empty_descriptors``,
        and whether all are equal, ``constant``.
    """
    different = _different(database)
    return {
        "images": len(database),
        "identical_images": identical,
        "equal_descriptors": max(0, len(database) - different - identical),
        "empty_descriptors": empty,
        "constant": different == 1 and len(database) > 1,
    }


def _different(database: NDArray[Any]) -> int:
    """How many different rows there are; of many rows they are told apart by numbers of 64 bits."""
    if database.size <= _COMPARED:
        return len({row.tobytes() for row in database + np.float32(0)})
    factors = np.random.default_rng(0).integers(2**63, size=database.shape[1], dtype=np.uint64) | np.uint64(1)
    numbers = np.empty(len(database), np.uint64)
    for start in range(0, len(database), _ROWS):
        rows = np.asarray(database[start : start + _ROWS], np.float32) + np.float32(0)
        numbers[start : start + _ROWS] = rows.view(np.uint32).astype(np.uint64) @ factors
    return len(np.unique(numbers))


def split_pairs(
    images: Iterable[Ids], scores: Iterable[Floats], ground_truth: Iterable[Mapping[str, Any]]
) -> tuple[Floats, Floats]:
    """A re-ranker's scores of related pairs and of unrelated ones; junk counts nowhere.

    Args:
        images: per query ids (k,) of images, best first.
        scores: per query scores (at most k,) of the first of them.
        ground_truth: per query ids that are ``easy``, ``hard`` and ``junk``, where it has such.
    """
    related, unrelated = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    for ids, of_query, truth in zip(images, scores, ground_truth, strict=True):
        ids = ids[: len(of_query)]
        relevant = np.isin(ids, [*truth.get("easy", ()), *truth.get("hard", ())])
        related.append(of_query[relevant])
        unrelated.append(of_query[~relevant & ~np.isin(ids, [*truth.get("junk", ())])])
    return np.concatenate(related), np.concatenate(unrelated)


def pair_statistics(
    images: Iterable[Ids], scores: Iterable[Floats], ground_truth: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Number of ``related`` and ``unrelated`` pairs and the quartiles of their scores; arguments of ``split_pairs``."""
    groups = zip(("related", "unrelated"), split_pairs(images, scores, ground_truth), strict=True)
    return {
        name: {"pairs": len(of_group), "quartiles": np.quantile(of_group, (0.25, 0.5, 0.75)).round(4).tolist()}
        if len(of_group)
        else {"pairs": 0}
        for name, of_group in groups
    }


def tied_relevant(scores: Mapping[str, Scores]) -> dict[str, float | None]:
    """Per setup the share of relevant images that are tied with an irrelevant one; None without queries."""
    return {setup: None if np.isnan(s.tied).all() else float(np.nanmean(s.tied)) for setup, s in scores.items()}


def doubts(health: Mapping[str, Any]) -> list[str]:
    """What a reader of the numbers should know, in sentences."""
    images, equal, empty = health["images"], health["equal_descriptors"], health["empty_descriptors"]
    tied = max((share for share in health["tied_relevant"].values() if share is not None), default=0.0)
    if health["constant"]:
        return ["all images have the same descriptor: the ranking is chance"]
    found = []
    if empty > _EMPTY * images:
        found.append(f"{empty} descriptors are empty")
    if equal > _EQUAL * images:
        found.append(f"{equal} of {images} images have the descriptor of another image")
    if whitening := health.get("whitening"):
        rank, asked = whitening["rank"], whitening["rank"] + whitening["missing"]
        found.append(f"whitening without shrinkage from descriptors that vary in {rank} of {asked} directions")
    if tied > _TIED:
        found.append(f"{100 * tied:.0f}% of the relevant images are tied with irrelevant ones")
    return found
