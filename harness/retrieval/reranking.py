"""The top of a ranking reordered by what a re-ranker stores of each image.

``harness.plugin_api.retrieval`` says what a re-ranker may offer: no network runs for one that ``DescribesImages``; only
features of one that ``Packs`` are stored in the cache.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.cache import Arrays, Cache
from harness.core.cost import Cost, measured
from harness.core.progress import track
from harness.data import DECODING_VERSION
from harness.data import RESULT_VERSION as DATA_VERSION
from harness.metrics.ties import tie_numbers
from harness.plugin_api import (
    DescribesImages,
    LearnsFromFeatures,
    LearntReranker,
    MayLearn,
    Packs,
    Ranking,
    Reranker,
    Role,
)
from harness.plugin_api.contract import require_scores
from harness.retrieval.representation import NUMERICS, Extraction

FEATURES_VERSION: Final = 1
"""Of stored features. Raised when numbers change: docs/explanation/identity.md."""
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class BoundReranker:
    """A re-ranker with the features of the images that it will compare.

    Attributes:
        method: the re-ranker.
        name: what to call it in messages.
        queries: features per query.
        database: features by database id, of all images that are among the top of some query.
        first: (n,) the first image with the same content: identical images are re-ranked together.
        learnt: what the re-ranker has learnt, where it learns: it then scores.
    """

    method: Reranker
    name: str
    queries: Mapping[int, Any]
    database: Mapping[int, Any]
    first: Ids
    learnt: LearntReranker | None = None

    def rerank(self, queries: range, ranking: Ranking) -> Ranking:
        """Reorder the top of the rankings of these queries.

        By the re-ranker's score, equal scores in the initial order; below the top nothing moves. ``verified`` gets the
        scores of the top and 0 below; ``scores`` at the top become the re-ranker's, lifted above those below. Tied are
        images of the top with one score that were tied before.
        """
        table = zip(queries, ranking.indices, ranking.scores, ranking.tied, strict=True)
        indices, scores, verified, ties = zip(*(self._reordered(*row) for row in table), strict=True)
        return Ranking(np.stack(indices), np.stack(scores), np.stack(verified), np.stack(ties))

    def _reordered(
        self, query: int, indices: Ids, similarities: Floats, tied: NDArray[Any]
    ) -> tuple[Ids, Floats, Floats, Ids]:
        """Indices, scores, verification weights and numbers of ties of one query."""
        top, groups = self.top(indices), tie_numbers(tied)
        if top == 0:
            return indices, similarities, np.zeros_like(similarities), groups
        candidates = [self.database[int(image)] for image in indices[:top]]
        scores = require_scores(self.name, (self.learnt or self.method).score(self.queries[query], candidates), top)
        order = np.argsort(-scores, kind="stable")
        scores = scores[order]
        ties = tie_numbers(scores, groups[:top][order])
        below = similarities[top] if top < len(similarities) else similarities[-1]
        lifted = scores - scores[-1] + below
        return (
            np.concatenate([indices[:top][order], indices[top:]]),
            np.concatenate([lifted, similarities[top:]]).astype(np.float32),
            np.concatenate([scores, np.zeros(len(indices) - top, np.float32)]),
            np.concatenate([ties, ties[-1] + 1 + groups[top:]]),
        )

    def top(self, indices: Ids) -> int:
        """How many of this ranking (k,) are re-ranked."""
        return top_of(indices, self.method.top, self.first)

    @property
    def bytes_per_image(self) -> float:
        """Mean over the images of the database that were described."""
        sizes = [stored_bytes(features) for features in self.database.values()]
        return float(np.mean(sizes)) if sizes else 0.0


def top_of(indices: Ids, top: int, first: Ids) -> int:
    """How many of a ranking (k,) are re-ranked: ``top``, and those identical to the last of them."""
    end = min(top, len(indices))
    while 0 < end < len(indices) and first[indices[end]] == first[indices[end - 1]]:
        end += 1
    return end


def bind_reranker(
    method: Reranker,
    name: str,
    extraction: Extraction,
    ranking: Ranking,
    first: Ids,
    keys: Mapping[str, Any],
    cache: Cache,
) -> tuple[BoundReranker, Cost]:
    """The re-ranker with the features of all queries and of the images it will look at.

    No other image is described, unless the re-ranker learns: then all but the distractors are, and it learns from them.

    Args:
        method: the re-ranker.
        name: what to call it in messages.
        extraction: the images and the backbone that sees them.
        ranking: what will be re-ranked.
        first: (n,) the first image with the same content.
        keys: identity of ``dataset``, ``backbone`` and ``reranking``.
        cache: where features are stored, if the re-ranker can pack them.

    Returns:
        It, and what the description cost, now or once.
    """
    queries, database = list(range(len(ranking.indices))), candidates(ranking, method.top, first)
    of_queries, cost = _features(method, extraction, "query", queries, keys, cache)
    if isinstance(method, LearnsFromFeatures) and not (isinstance(method, MayLearn) and not method.learns):
        everything = list(range(extraction.first_distractor))
        described, learning_cost = _features(method, extraction, "database", everything, keys, cache)
        learnt = method.fit(described[image] for image in everything)
        database = [image for image in database if image not in described]
        of_database, database_cost = _features(method, extraction, "database", database, keys, cache)
        of_queries, of_database = (
            {image: learnt.prepared(features) for image, features in group.items()}
            for group in (of_queries, described | of_database)
        )
        return BoundReranker(method, name, of_queries, of_database, first, learnt), cost + learning_cost + database_cost
    of_database, database_cost = _features(method, extraction, "database", database, keys, cache)
    return BoundReranker(method, name, of_queries, of_database, first), cost + database_cost


def _features(
    method: Reranker, extraction: Extraction, role: Role, images: list[int], keys: Mapping[str, Any], cache: Cache
) -> tuple[dict[int, Any], Cost]:
    """Features by id, from the cache where that is possible."""
    if not isinstance(method, Packs) or "reranking" not in keys:
        with measured() as cost:
            features = list(describe(method, extraction, role, images))
        return dict(zip(images, features, strict=True)), cost

    def compute() -> Arrays:
        features.extend(describe(method, extraction, role, images))
        return packed([method.pack(each) for each in features])

    features = []
    entry = cache.get_or_compute(_key(method, extraction, role, images, keys), compute)
    features = features or [method.unpack(arrays) for arrays in unpacked(entry.arrays, len(images))]
    return dict(zip(images, features, strict=True)), entry.cost


def describe(method: Reranker, extraction: Extraction, role: Role, images: Sequence[int]) -> Iterator[Any]:
    """What the re-ranker stores of these images of one role, in this order."""
    chosen = extraction.images(role).some(images)
    label = f"describe {role} for re-ranking"
    if isinstance(method, DescribesImages):
        for image in track(chosen.read(np.asarray), len(chosen), label, extraction.progress):
            yield method.describe_image(image, role)
    else:
        for maps in extraction.backbone.maps(chosen, label, extraction.progress):
            yield method.describe(maps, role)


def packed(features: Sequence[Mapping[str, NDArray[Any]]]) -> Arrays:
    """The arrays of many images as few: every name's arrays one after the other, and where each ends."""
    names = features[0] if features else ()
    ends = {f"{name}/ends": np.cumsum([len(arrays[name]) for arrays in features]) for name in names}
    return {name: np.concatenate([arrays[name] for arrays in features]) for name in names} | ends


def unpacked(arrays: Arrays, n: int) -> list[Arrays]:
    """The inverse of ``packed`` for ``n`` images."""
    names = [name for name in arrays if f"{name}/ends" in arrays]
    split = {name: np.split(arrays[name], arrays[f"{name}/ends"][:-1]) for name in names}
    return [{name: split[name][image] for name in names} for image in range(n)]


def _key(
    method: Reranker, extraction: Extraction, role: Role, images: list[int], keys: Mapping[str, Any]
) -> dict[str, Any]:
    """Which images are described is part of it: another ranking needs others."""
    key: dict[str, Any] = {
        "stage": "features for re-ranking",
        "code": [FEATURES_VERSION, DATA_VERSION, DECODING_VERSION],
        "dataset": keys["dataset"],
        "reranking": keys["reranking"],
        "role": role,
        "images": images,
        "order": "content",
        "image_size": extraction.protocol.image_size,
    }
    if isinstance(method, DescribesImages):
        return key
    return key | {
        "backbone": keys["backbone"],
        "scales": list(extraction.protocol.scales),
        "numerics": NUMERICS,
    }


def candidates(ranking: Ranking, top: int, first: Ids) -> list[int]:
    """Ids of all images that are among the first ``top`` of some query, or identical to the last of them, ascending."""
    return sorted({int(image) for row in ranking.indices for image in row[: top_of(row, top, first)]})


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
