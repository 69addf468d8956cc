"""One run of the retrieval task: a dataset, a combination of methods and a protocol give rankings, metrics and costs.

Whatever is learnt here (a pooling, a whitening, the graph of an expansion) is learnt from the database alone.
Loads torch and faiss: import it where a run is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.cache.store import Cache
from harness.core.cost import Cost, measured
from harness.core.errors import InvalidInput
from harness.core.progress import Progress
from harness.metrics.ranking import Scores, evaluate
from harness.plugin_api import (
    Backbone,
    Pooling,
    QueryExpansion,
    Ranking,
    Reranker,
    RetrievalSet,
    Whitening,
)
from harness.retrieval.distractors import joined
from harness.retrieval.extraction import Source
from harness.retrieval.online import Online, labelled
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.representation import Descriptors, Extraction, whiten, whiten_distractors
from harness.retrieval.reranking import prepare

__all__ = ["RetrievalMethods", "RetrievalProtocol", "RetrievalResult", "reranked", "run_retrieval"]

_KEPT_RANKS: Final = 100
_TIMED_QUERIES: Final = 20

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RetrievalMethods:
    """The methods of one run; None leaves a stage out."""

    backbone: Backbone
    pooling: Pooling
    whitening: Whitening | None = None
    reranking: Reranker | None = None
    expansion: QueryExpansion | None = None


@dataclass(frozen=True)
class RetrievalResult:
    """What a run found.

    Attributes:
        scores: ``easy``, ``medium`` and ``hard`` -> scores of the revisited protocol.
        ranks: (q, at most 100) int64, best first.
        query_seconds: (at most 20,) float64: search, re-ranking and expansion of one query after the other.
        costs: stage -> cost.
        bytes_per_image: descriptor, and mean of what the re-ranker stores.
        n_database: images searched.
        n_queries: queries answered.
        dimension: of the descriptors that are searched.
        notes: what a reader of the record should know, such as the rank of a whitening.
    """

    scores: Mapping[str, Scores]
    ranks: NDArray[np.int64]
    query_seconds: NDArray[np.float64]
    costs: Mapping[str, Cost]
    bytes_per_image: float
    n_database: int
    n_queries: int
    dimension: int
    notes: Mapping[str, Any]

    @property
    def query_seconds_p50(self) -> float:
        """Median time of a query."""
        return float(np.percentile(self.query_seconds, 50))

    @property
    def query_seconds_p95(self) -> float:
        """Time within which 95% of the queries were answered."""
        return float(np.percentile(self.query_seconds, 95))


def run_retrieval(
    dataset: RetrievalSet,
    methods: RetrievalMethods,
    protocol: RetrievalProtocol,
    *,
    keys: Mapping[str, Any],
    cache: Cache,
    progress: Progress,
) -> RetrievalResult:
    """Describe, whiten, search, re-rank, expand, evaluate.

    Args:
        dataset: images, queries and ground truth.
        methods: one method per kind.
        protocol: sizes, scales, depth and ranks of precision.
        keys: identity of the methods by kind, and of the data as ``dataset``: JSON-able. Descriptors are kept under
            them; a key's ``name`` is what messages call the method.
        cache: where descriptors are kept.
        progress: told how far the work is.

    Raises:
        InvalidInput: no images or no queries, or data that a method cannot use.
        DataMissing: an image does not exist.
        DataDamaged: an image cannot be read.
        ContractError: a method returned something that its protocol does not allow.
    """
    online, extraction, costs, notes = _begun(dataset, methods, protocol, keys, cache, progress)
    ranking = _reranked(online, methods, extraction, costs, keys, cache)
    if methods.expansion is not None:
        with _stage("fit expansion", costs):
            whole = joined(online.database, online.distractors, cache) if online.distractors else online.database
            online.expansion = methods.expansion.fit(whole)
        with _stage("expand", costs):
            ranking = online.expand(slice(None), ranking)
    report = getattr(online.expansion, "report", None)
    notes |= {"expansion": dict(report)} if report else {}
    # What an expansion ranks anew has no known places below the cut: there its positives count as missed.
    places = online.places if methods.expansion is None else ()
    return RetrievalResult(
        scores=evaluate(ranking.indices, dataset.ground_truth, ks=protocol.ks, n_database=online.size, places=places),
        ranks=ranking.indices[:, :_KEPT_RANKS].copy(),
        query_seconds=online.seconds(min(len(online.queries), _TIMED_QUERIES)),
        costs=costs,
        bytes_per_image=online.descriptor_bytes + online.reranking_bytes,
        n_database=online.size,
        n_queries=len(online.queries),
        dimension=online.database.shape[1],
        notes=notes,
    )


def reranked(
    dataset: RetrievalSet,
    methods: RetrievalMethods,
    protocol: RetrievalProtocol,
    *,
    keys: Mapping[str, Any],
    cache: Cache,
    progress: Progress,
) -> Ranking:
    """The ranking of every query after re-ranking and before expansion, with the weights of verification.

    Arguments and errors are those of ``run_retrieval``.
    """
    online, extraction, costs, _ = _begun(dataset, methods, protocol, keys, cache, progress)
    return _reranked(online, methods, extraction, costs, keys, cache)


def _begun(
    dataset: RetrievalSet,
    methods: RetrievalMethods,
    protocol: RetrievalProtocol,
    keys: Mapping[str, Any],
    cache: Cache,
    progress: Progress,
) -> tuple[Online, Extraction, dict[str, Cost], dict[str, Any]]:
    """Descriptors of both roles, whitened and ready to be searched; costs and notes so far."""
    if not len(dataset.images) or not len(dataset.queries):
        raise InvalidInput(f"dataset {dataset.name} has {len(dataset.images)} images, {len(dataset.queries)} queries")
    names = {kind: _name(kind, method, keys) for kind, method in vars(methods).items()}
    extraction = Extraction(dataset, protocol, Source(methods.backbone, names["backbone"]), progress)
    described = extraction.descriptors(methods.pooling, names["pooling"], keys, cache)
    costs = {"describe database": described.database_cost, "describe queries": described.query_cost}
    database, queries, notes = described.database, described.queries, _empty(described)
    shards = described.distractors
    costs |= {"describe distractors": described.distractor_cost} if dataset.distractors else {}
    if methods.whitening is not None:
        with _stage("whiten", costs):
            database, queries, fitted = whiten(described, methods.whitening, names["whitening"], dataset)
            if dataset.distractors:
                learnt = {"whitening": keys["whitening"], "dataset": keys["dataset"]}
                shards = whiten_distractors(described, fitted, names["whitening"], learnt, cache, database.shape[1])
        notes |= {"whitening_rank": fitted.rank} if hasattr(fitted, "rank") else {}
    online = Online(queries, database, protocol.depth, names, shards.arrays)
    if dataset.distractors:
        online.labelled = [labelled(truth) for truth in dataset.ground_truth]
    return online, extraction, costs, notes


def _reranked(
    online: Online,
    methods: RetrievalMethods,
    extraction: Extraction,
    costs: dict[str, Cost],
    keys: Mapping[str, Any],
    cache: Cache,
) -> Ranking:
    """All queries searched and re-ranked; ``online`` gets what re-ranking needs."""
    with _stage("search", costs):
        ranking = online.search_all()
    if methods.reranking is not None:
        online.reranking, costs["describe for re-ranking"] = prepare(
            methods.reranking, online.names["reranking"], extraction, ranking, keys, cache
        )
        with _stage("rerank", costs):
            ranking = online.rerank(range(len(online.queries)), ranking)
    return ranking


def _empty(described: Descriptors) -> dict[str, Any]:
    """How many images gave no descriptor, if any: they rank by chance."""
    rows = (described.database, described.queries)
    count = sum(int((~part.any(axis=1)).sum()) for part in rows)
    return {"empty_descriptors": count} if count else {}


@contextmanager
def _stage(name: str, costs: dict[str, Cost]) -> Iterator[None]:
    with measured() as cost:
        yield
    costs[name] = cost


def _name(kind: str, method: object, keys: Mapping[str, Any]) -> str:
    """What messages call a method: ``pooling "gem"``."""
    identity = keys.get(kind)
    name = identity.get("name") if isinstance(identity, Mapping) else None
    return f'{kind} "{name or type(method).__name__}"'
