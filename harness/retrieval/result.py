"""What a run of the retrieval task found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cost import Cost
from harness.metrics.protocols import Evaluation
from harness.metrics.ranking import Scores


@dataclass(frozen=True)
class RetrievalResult:
    """What a run found.

    Attributes:
        scores: ``easy``, ``medium`` and ``hard`` -> scores of the revisited protocol.
        evaluations: what the protocol options name besides, one a metric and set-up.
        ranks: (q, k) int64, best first, at most as many as the task keeps.
        query_seconds: (at most 20,) float64: search, re-ranking and expansion of one query after the other.
        costs: stage -> cost.
        bytes_per_image: descriptor, and mean of what the re-ranker stores.
        n_database: images searched.
        n_queries: queries searched.
        dimension: of the descriptors that are searched.
        notes: what a reader of the record should know, such as the rank of a whitening.
        health: counts of constant, equal and empty descriptors, and the share of relevant images in ties.
    """

    scores: Mapping[str, Scores]
    evaluations: Sequence[Evaluation]
    ranks: NDArray[np.int64]
    query_seconds: NDArray[np.float64]
    costs: Mapping[str, Cost]
    bytes_per_image: float
    n_database: int
    n_queries: int
    dimension: int
    notes: Mapping[str, Any]
    health: Mapping[str, Any]

    @property
    def query_seconds_p50(self) -> float:
        """Median time of a query."""
        return float(np.percentile(self.query_seconds, 50))

    @property
    def query_seconds_p95(self) -> float:
        """Time within which 95% of the queries took."""
        return float(np.percentile(self.query_seconds, 95))
