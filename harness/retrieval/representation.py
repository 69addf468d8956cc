"""Descriptors of a dataset: extracted once and stored, whitened on every run. Loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.cache import Cache
from harness.core.cost import Cost
from harness.core.threads import reproducible
from harness.plugin_api import Pooling, RetrievalSet
from harness.plugin_api.pooling import learns_from_maps
from harness.retrieval.pooled_dataset import PooledDataset
from harness.retrieval.seen import SeenDataset
from harness.retrieval.shards import Shards

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Descriptors:
    """Descriptors of a dataset; rows of norm 1, or zeros for an image without activation.

    Attributes:
        database: (n, d), without distractors.
        queries: (q, d).
        costs: stage -> what it cost, now or once.
        distractors: on disk.
        distractor_key: all that decides the distractors.
        report: what a pooling that learnt has to say of it.
    """

    database: Floats
    queries: Floats
    costs: Mapping[str, Cost]
    distractors: Shards = Shards(())
    distractor_key: Mapping[str, Any] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Extraction(SeenDataset):
    """A dataset seen through a backbone, whose descriptors are computed and stored."""

    @reproducible()
    def descriptors(self, pooling: Pooling, name: str, keys: Mapping[str, Any], cache: Cache) -> Descriptors:
        """Descriptors of both roles, L2-normalised; the network runs only for what is not in the cache.

        Args:
            pooling: computes a descriptor from maps; fitted on the database first if it has ``fit``.
            name: what to call the pooling in messages.
            keys: identity of ``dataset``, ``backbone`` and ``pooling``.
            cache: where descriptors are stored.
        """
        pooled = PooledDataset(self, pooling, name, keys, cache)
        database, database_cost = pooled.rows("database")
        queries, query_cost = pooled.rows("query")
        costs = {"describe database": database_cost, "describe queries": query_cost}
        if not self.dataset.distractors:
            return Descriptors(database, queries, costs, report=pooled.report())
        key = pooled.distractor_key()
        shards, costs["describe distractors"] = pooled.distractors(key, database.shape[1])
        return Descriptors(database, queries, costs, shards, key, pooled.report())

    @reproducible()
    def describe_part(
        self, pooling: Pooling, name: str, keys: Mapping[str, Any], cache: Cache, part: tuple[int, int]
    ) -> None:
        """Store the descriptors of one part of the database, where ``descriptors`` finds them.

        A pooling that learns from the database learns from all of it: it has no parts, and nothing is done.

        Args:
            pooling: as for ``descriptors``, as the others.
            name: what to call it in messages.
            keys: identity of ``dataset``, ``backbone`` and ``pooling``.
            cache: a folder that all parts share.
            part: its number from 0, and how many there are.
        """
        if not learns_from_maps(pooling):
            PooledDataset(self, pooling, name, keys, cache).store_part(part)

    @reproducible()
    def of_other(
        self, other: RetrievalSet, key: Any, pooling: Pooling, name: str, keys: Mapping[str, Any], cache: Cache
    ) -> tuple[Floats, Cost]:
        """Descriptors (n, D) of the database of another set, as those of this one, which a pooling learns from.

        Args:
            other: that set.
            key: what its data are.
            pooling: as of ``descriptors``.
            name: what to call it in messages.
            keys: identity of ``dataset``, ``backbone`` and ``pooling``.
            cache: where descriptors are stored.
        """
        extraction = replace(self, dataset=other)
        return PooledDataset(extraction, pooling, name, keys, cache, learnt_on=self, data=key).rows("database")
