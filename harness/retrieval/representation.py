"""Descriptors of a dataset: extracted once and stored, whitened on every run. Loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.cache import Cache
from harness.core.cost import Cost
from harness.core.progress import Progress
from harness.core.threads import reproducible
from harness.plugin_api import (
    LearnsFromMaps,
    Pooling,
    RetrievalSet,
    Role,
)
from harness.plugin_api.pooling import learns_from_maps
from harness.retrieval.extraction import ImageList, MapStream, NamedBackbone
from harness.retrieval.joint import JointPooling
from harness.retrieval.pooled import near
from harness.retrieval.pooled_dataset import PooledDataset
from harness.retrieval.protocol import RetrievalProtocol
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
class Extraction:
    """A dataset seen through a backbone.

    Attributes:
        dataset: images, queries and boxes.
        protocol: size and scales.
        backbone: gives the maps.
        progress: shows how far it is.
        joint_poolings: of other runs that want descriptors of the same images: they are computed in the same pass.
    """

    dataset: RetrievalSet
    protocol: RetrievalProtocol
    backbone: NamedBackbone
    progress: Progress
    joint_poolings: Sequence[JointPooling] = ()

    def images(self, role: Role) -> ImageList:
        """The images of one role as the protocol shows them; only queries are cropped to their box."""
        seen = self.protocol.device, self.protocol.numerics
        shown = self.protocol.image_size, self.protocol.scales, self.dataset.orientation, *seen
        if role == "query":
            return ImageList(self.dataset.queries, self.dataset.boxes, *shown)
        return ImageList(self.dataset.images, [None] * len(self.dataset.images), *shown)

    @property
    def first_distractor(self) -> int:
        """Images of the database before its distractors."""
        return len(self.dataset.images) - self.dataset.distractors

    def without_distractors(self, role: Role) -> ImageList:
        """The images of one role that may be learnt from."""
        images = self.images(role)
        return images.some(range(self.first_distractor)) if role == "database" and self.dataset.distractors else images

    def fitted(self, pooling: Pooling) -> Pooling:
        """The pooling with what it learns from the database; itself where it learns nothing."""
        if not isinstance(pooling, LearnsFromMaps):
            return pooling
        images = self.without_distractors("database")
        # A partial of what the fit may see: a closure would lead to the relevance judgements.
        return pooling.fit(MapStream(partial(_shown, self.backbone, images, self.progress, pooling)))

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


def _shown(backbone: NamedBackbone, images: ImageList, progress: Progress, pooling: Pooling) -> Iterator[list[Tensor]]:
    """The maps that a pooling learns from, where it can work on them."""
    for scales in backbone.maps(images, "fit pooling", progress):
        yield near(pooling, scales)
