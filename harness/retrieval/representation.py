"""Descriptors of a dataset: extracted once and kept, whitened on every run. Loads torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.cache.store import Cache
from harness.core.cost import Cost
from harness.core.progress import PartialProgress, Progress
from harness.plugin_api import Pooling, RetrievalSet, Role, Whitening
from harness.registry.source import source_digest
from harness.retrieval.contract import require_descriptors
from harness.retrieval.distractors import files_digest, kept_shards
from harness.retrieval.distractors import rows_of as distractor_rows
from harness.retrieval.extraction import MapStream, Pictures, Source, describe
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.rows import identities, rows_of
from harness.retrieval.shards import Shards

NUMERICS: Final = "fp32-cpu"
"""Part of every key: descriptors made with other arithmetic are kept apart."""
_ROLES: Final[tuple[Role, ...]] = ("database", "query")

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Descriptors:
    """Descriptors of both roles and what it cost to make them, now or once; those of distractors are on disk."""

    database: Floats
    queries: Floats
    database_cost: Cost
    query_cost: Cost
    distractors: Shards = Shards(())
    distractor_cost: Cost = field(default_factory=Cost)
    distractor_key: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Extraction:
    """A dataset seen through a backbone.

    Attributes:
        dataset: images, queries and boxes.
        protocol: size and scales.
        source: the backbone.
        progress: told how far the work is.
    """

    dataset: RetrievalSet
    protocol: RetrievalProtocol
    source: Source
    progress: Progress

    def pictures(self, role: Role) -> Pictures:
        """The images of one role as the protocol shows them; only queries are cropped to their box."""
        size, scales = self.protocol.image_size, self.protocol.scales
        if role == "query":
            return Pictures(self.dataset.queries, self.dataset.boxes, size, scales)
        return Pictures(self.dataset.images, [None] * len(self.dataset.images), size, scales)

    @property
    def asked_for(self) -> int:
        """Images of the database before its distractors."""
        return len(self.dataset.images) - self.dataset.distractors

    def learning(self, role: Role) -> Pictures:
        """The images of one role without distractors: those that may be learnt from."""
        pictures = self.pictures(role)
        return pictures.some(range(self.asked_for)) if role == "database" and self.dataset.distractors else pictures

    def descriptors(self, pooling: Pooling, name: str, keys: Mapping[str, Any], cache: Cache) -> Descriptors:
        """Descriptors of both roles, L2-normalised; the network runs only for what is not in the cache.

        Args:
            pooling: makes a descriptor from maps; fitted on the database first if it has ``fit``.
            name: what to call the pooling in messages.
            keys: identity of ``dataset``, ``backbone`` and ``pooling``.
            cache: where descriptors are kept.
        """
        fitted = functools.cache(lambda: self.fitted(pooling))
        learns = getattr(pooling, "learns", hasattr(pooling, "fit"))
        found = {role: self._descriptors(role, fitted, learns, name, keys, cache) for role in _ROLES}
        (database, database_cost), (queries, query_cost) = (found[role] for role in _ROLES)
        described = Descriptors(database, queries, database_cost, query_cost)
        if not self.dataset.distractors:
            return described
        return self._with_distractors(described, fitted, learns, name, keys, cache)

    def _with_distractors(
        self,
        described: Descriptors,
        fitted: Callable[[], Pooling],
        learns: bool,
        name: str,
        keys: Mapping[str, Any],
        cache: Cache,
    ) -> Descriptors:
        pictures, total, first = self.pictures("database"), self.dataset.distractors, self.asked_for

        def make(positions: range) -> Floats:
            shown = pictures.some(range(first + positions.start, first + positions.stop))
            maps = self.source.maps(
                shown, "describe distractors", PartialProgress(self.progress, positions.start, total)
            )
            return describe(maps, fitted(), name, self.protocol.scale_power, "database")

        files = files_digest(pictures.paths[first:])
        database = {"dataset": keys["dataset"]} if learns else {}
        key = {**self._key("database", keys), **database, "stage": "distractors", "files": files}
        shards, cost = kept_shards(key, cache, (total, described.database.shape[1]), make)
        return replace(described, distractors=shards, distractor_cost=cost, distractor_key=key)

    def _descriptors(
        self, role: Role, fitted: Callable[[], Pooling], learns: bool, name: str, keys: Mapping[str, Any], cache: Cache
    ) -> tuple[Floats, Cost]:
        """Of one role: row by row what the cache has, made for the other images."""
        pictures = self.learning(role)

        def make(positions: Sequence[int], done: int) -> Floats:
            progress = PartialProgress(self.progress, done, len(set(images)))
            maps = self.source.maps(pictures.some(positions), f"describe {role}", progress)
            return describe(maps, fitted(), name, self.protocol.scale_power, role)

        images = identities(pictures.paths, pictures.boxes, {"dataset": keys["dataset"], "role": role}, cache)
        # What a pooling learns from a database makes its descriptors those of this database only.
        database = {"dataset": keys["dataset"]} if learns else {}
        return rows_of(images, make, {**self._key(role, keys), **database}, cache)

    def fitted(self, pooling: Pooling) -> Pooling:
        """The pooling with what it learns from the database; itself where it learns nothing."""
        fit = getattr(pooling, "fit", None)
        if fit is None:
            return pooling
        pictures = self.learning("database")
        fitted: Pooling = fit(MapStream(lambda: self.source.maps(pictures, "fit pooling", self.progress)))
        return fitted

    def _key(self, role: Role, keys: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "code": source_digest("harness.retrieval.extraction"),
            **{kind: keys[kind] for kind in ("backbone", "pooling")},
            "role": role,
            "image_size": self.protocol.image_size,
            "scales": list(self.protocol.scales),
            "scale_power": self.protocol.scale_power,
            "numerics": NUMERICS,
        }


def whiten(found: Descriptors, method: Whitening, name: str, dataset: RetrievalSet) -> tuple[Floats, Floats, Any]:
    """Learn a whitening from the database and apply it to both roles.

    Returns:
        Database (n, d), queries (q, d), and the learnt object.

    Raises:
        InvalidInput: the whitening needs pairs, and the dataset has none.
        ContractError: it returned something else than finite descriptors.
    """
    fitted = method.fit(found.database, dataset.pairs)
    database, queries = (
        require_descriptors(name, fitted.apply(part), len(part)) for part in (found.database, found.queries)
    )
    return database, queries, fitted


def whiten_distractors(
    found: Descriptors, fitted: Any, name: str, key: Mapping[str, Any], cache: Cache, dimension: int
) -> Shards:
    """Apply a learnt whitening to the distractors; the result is kept on disk too.

    Args:
        found: with distractors.
        fitted: what ``whiten`` learnt.
        name: what to call the whitening in messages.
        key: identity of the whitening and of the data that it was learnt from.
        cache: where they are kept.
        dimension: of whitened descriptors.
    """

    def make(positions: range) -> Floats:
        rows = distractor_rows(found.distractors, positions)
        return require_descriptors(name, fitted.apply(rows), len(rows))

    identity = {"stage": "whitened distractors", "of": found.distractor_key, **key}
    return kept_shards(identity, cache, (len(found.distractors), dimension), make)[0]
