"""The top of a ranking reordered by what a re-ranker stores of each image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.protocols import Ranking, Reranker
from harness.retrieval.contract import require_scores


@dataclass(frozen=True)
class Reranking:
    """A re-ranker with the features of the images that it will compare.

    Attributes:
        method: the re-ranker.
        name: what to call it in messages.
        queries: features per query.
        database: features by database id, of all images that are among the top of some query.
    """

    method: Reranker
    name: str
    queries: Mapping[int, Any]
    database: Mapping[int, Any]

    def apply(self, query: int, ranking: Ranking) -> Ranking:
        """Reorder the top of the ranking of one query (one row).

        By the re-ranker's score, equal scores in the initial order; below the top nothing moves. ``verified`` gets the
        scores of the top and 0 below; ``scores`` at the top become the re-ranker's, lifted above those below.
        """
        indices, similarities = ranking.indices[0], ranking.scores[0]
        top = min(self.method.top, len(indices))
        if top == 0:
            return dataclasses.replace(ranking, verified=np.zeros_like(ranking.scores))
        candidates = [self.database[int(image)] for image in indices[:top]]
        found = require_scores(self.name, self.method.score(self.queries[query], candidates), top)
        order = np.argsort(-found, kind="stable")
        found = found[order]
        below = similarities[top] if top < len(similarities) else similarities[-1]
        lifted = found - found[-1] + below
        return Ranking(
            np.concatenate([indices[:top][order], indices[top:]])[None],
            np.concatenate([lifted, similarities[top:]]).astype(np.float32)[None],
            np.concatenate([found, np.zeros(len(indices) - top, np.float32)])[None],
        )


def candidates(ranking: Ranking, top: int) -> list[int]:
    """Ids of all images that are among the first ``top`` of some query, ascending."""
    return [int(image) for image in np.unique(ranking.indices[:, :top])]


def stacked(rankings: Iterable[Ranking]) -> Ranking:
    """Rankings of single queries as one."""
    rows = list(rankings)
    verified = [row.verified for row in rows if row.verified is not None]
    return Ranking(
        np.concatenate([row.indices for row in rows]),
        np.concatenate([row.scores for row in rows]),
        np.concatenate(verified) if verified else None,
    )


def stored_bytes(features: object) -> int:
    """Size of what is stored of one image: its arrays and tensors, at any depth; a plain number counts 8 bytes."""
    if hasattr(features, "nbytes"):
        return int(features.nbytes)
    if isinstance(features, str | bytes):
        return len(features)
    if dataclasses.is_dataclass(features) and not isinstance(features, type):
        return sum(stored_bytes(getattr(features, field.name)) for field in dataclasses.fields(features))
    if isinstance(features, Mapping):
        return sum(stored_bytes(value) for value in features.values())
    if isinstance(features, Iterable):
        return sum(stored_bytes(value) for value in features)
    return 8 if isinstance(features, int | float) else 0
