"""The top of a ranking reordered by what a re-ranker stores of each image.

``harness.plugin_api.reranking`` says what a re-ranker may offer: no network runs for one that ``DescribesImages``; only
features of one that ``Packs`` are stored in the cache; one that ``UsesSimilarity`` orders by more than its score.
Scores of pairs are stored for all: runs that differ in the expansion or in that order compute them once.
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
from harness.core.digest import digest
from harness.core.progress import track
from harness.data import DECODING_VERSION
from harness.data import RESULT_VERSION as DATA_VERSION
from harness.metrics.ties import tie_numbers
from harness.plugin_api import (
    ORDERING,
    DescribesImages,
    LearnsFromFeatures,
    LearntReranker,
    MayLearn,
    Packs,
    Ranking,
    Reranker,
    Role,
    SeesRotations,
    UsesSimilarity,
)
from harness.plugin_api.contract import require_scores
from harness.registry.parameters import fields_of
from harness.retrieval.representation import Extraction

FEATURES_VERSION: Final = 1
"""Of stored features. Raised when numbers change: docs/explanation/identity.md."""
SCORES_VERSION: Final = 1
"""Of stored scores of pairs."""
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

    def scores(self, queries: range, lists: Iterable[Ids]) -> list[Floats]:
        """What the re-ranker scores of the top of the rankings (k,) of these queries, (top,) float32 each."""
        return [self._scored(*row) for row in zip(queries, lists, strict=True)]

    def _scored(self, query: int, indices: Ids) -> Floats:
        candidates = [self.database[int(image)] for image in indices[: self.top(indices)]]
        if not candidates:
            return np.zeros(0, np.float32)
        method = self.learnt or self.method
        return require_scores(self.name, method.score(self.queries[query], candidates), len(candidates))

    def rerank(self, ranking: Ranking, scores: Sequence[Floats]) -> Ranking:
        """Reorder the top of rankings by what ``scores`` returned of them.

        By the score, or by what a re-ranker that ``UsesSimilarity`` makes of it and of the similarity; equal values in
        the initial order; below the top nothing moves. ``verified`` gets the scores of the top, or their weights, and 0
        below; ``scores`` at the top become what it is ordered by, lifted above those below. Tied are images of the top
        with one value that were tied before.
        """
        table = zip(ranking.indices, ranking.scores, ranking.tied, scores, strict=True)
        indices, lifted, verified, ties = zip(*(self._reordered(*row) for row in table), strict=True)
        return Ranking(np.stack(indices), np.stack(lifted), np.stack(verified), np.stack(ties))

    def _reordered(
        self, indices: Ids, similarities: Floats, tied: NDArray[Any], scores: Floats
    ) -> tuple[Ids, Floats, Floats, Ids]:
        """Indices, scores, verification weights and numbers of ties of one query."""
        top, groups = len(scores), tie_numbers(tied)
        if top == 0:
            return indices, similarities, np.zeros_like(similarities), groups
        values, weights = self._values(similarities[:top], scores)
        order = np.argsort(-values, kind="stable")
        values, weights = values[order], weights[order]
        ties = tie_numbers(values, groups[:top][order])
        below = similarities[top] if top < len(similarities) else similarities[-1]
        lifted = values - values[-1] + below
        return (
            np.concatenate([indices[:top][order], indices[top:]]),
            np.concatenate([lifted, similarities[top:]]).astype(np.float32),
            np.concatenate([weights, np.zeros(len(indices) - top, np.float32)]),
            np.concatenate([ties, ties[-1] + 1 + groups[top:]]),
        )

    def _values(self, similarities: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """What a top is ordered by, and its weights for an expansion."""
        if not isinstance(self.method, UsesSimilarity):
            return scores, scores
        values, weights = self.method.order(similarities.copy(), scores.copy()), self.method.verified(scores.copy())
        return require_scores(self.name, values, len(scores)), require_scores(self.name, weights, len(scores))

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
    # Which images are described is part of the key: another ranking needs others.
    unseen = ("rotations",) if role == "database" and isinstance(method, SeesRotations) else ()
    key = _key("features for re-ranking", method, extraction, keys, *unseen) | {"role": role, "images": images}
    entry = cache.get_or_compute(key, compute)
    features = features or [method.unpack(arrays) for arrays in unpacked(entry.arrays, len(images))]
    return dict(zip(images, features, strict=True)), entry.cost


def pair_scores(
    reranker: BoundReranker, extraction: Extraction, lists: Sequence[Ids], keys: Mapping[str, Any], cache: Cache
) -> tuple[list[Floats], Cost]:
    """The scores of the top of every query, from the cache where the same pairs were scored, and what they cost.

    Args:
        reranker: with the features of the images.
        extraction: the images and the backbone that sees them.
        lists: the ranking (k,) of each query.
        keys: identity of ``dataset``, ``backbone`` and ``reranking``.
        cache: where scores are stored.
    """
    queries = range(len(lists))
    if "reranking" not in keys:
        with measured() as cost:
            scores = reranker.scores(queries, lists)
        return scores, cost
    pairs = [row[: reranker.top(row)].tolist() for row in lists]
    key = _key("scores of pairs", reranker.method, extraction, keys)
    entry = cache.get_or_compute(
        key | {"scores": SCORES_VERSION, "pairs": digest(pairs)},
        lambda: packed([{"scores": scores} for scores in reranker.scores(queries, lists)]),
    )
    return [arrays["scores"] for arrays in unpacked(entry.arrays, len(queries))], entry.cost


def describe(method: Reranker, extraction: Extraction, role: Role, images: Sequence[int]) -> Iterator[Any]:
    """What the re-ranker stores of these images of one role, in this order."""
    chosen = extraction.images(role).some(images)
    label = f"describe {role} for re-ranking"
    if isinstance(method, DescribesImages):
        for image in track(chosen.read(np.asarray), len(chosen), label, extraction.progress):
            yield method.describe_image(image, role)
    elif role == "query" and isinstance(method, SeesRotations) and method.rotations:
        for views in extraction.backbone.turned_maps(chosen, method.rotations, label, extraction.progress):
            yield method.describe_rotations([[maps.cpu() for maps in view] for view in views])
    else:
        for maps in extraction.backbone.maps(chosen, label, extraction.progress):
            yield method.describe([scale.cpu() for scale in maps], role)


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


def _key(stage: str, method: Reranker, extraction: Extraction, keys: Mapping[str, Any], *unseen: str) -> dict[str, Any]:
    """What features and scores of pairs depend on; they do not on the parameters ``unseen``."""
    key: dict[str, Any] = {
        "stage": stage,
        "code": [FEATURES_VERSION, DATA_VERSION, DECODING_VERSION],
        "dataset": keys["dataset"],
        "reranking": _identity(method, keys["reranking"], unseen),
        "order": "content",
        "image_size": extraction.protocol.image_size,
    }
    if isinstance(method, DescribesImages):
        return key
    return key | {
        "backbone": keys["backbone"],
        "scales": list(extraction.protocol.scales),
        "numerics": extraction.protocol.numerics_key,
    }


def _identity(method: Reranker, key: Mapping[str, Any], unseen: Iterable[str]) -> dict[str, Any]:
    """The identity of a re-ranker without its depth, what only says how scores order a ranking, and ``unseen``."""
    fields: Sequence[dataclasses.Field[Any]] = fields_of(type(method)) if dataclasses.is_dataclass(method) else ()
    free = {"top", *unseen, *(field.name for field in fields if field.metadata.items() >= ORDERING.items())}
    return {
        name: {one: given for one, given in value.items() if one not in free} if name == "parameters" else value
        for name, value in key.items()
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
