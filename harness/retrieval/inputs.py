"""What a run is given, and the descriptors that its methods or its files make of it. Loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.cache import Cache
from harness.core.cost import Cost, measured
from harness.core.errors import InvalidInput
from harness.core.progress import Progress
from harness.plugin_api import FittedWhitening, Pooling, RetrievalSet, Role
from harness.retrieval.canonical import canonical
from harness.retrieval.extraction import NamedBackbone
from harness.retrieval.joint import JointPooling
from harness.retrieval.map_store import MapStore
from harness.retrieval.methods import LearningSet, RetrievalMethods
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.regions import RegionExtraction, whitened_regions
from harness.retrieval.representation import Descriptors, Extraction
from harness.retrieval.searched_data import SearchedData
from harness.retrieval.shards import Shards
from harness.retrieval.signed import require_signs


@dataclass(frozen=True)
class RunInputs:
    """Data, methods and protocol of one run of the retrieval task.

    Attributes:
        dataset: images, queries and ground truth.
        methods: one method per kind.
        protocol: sizes, scales, depth and ranks of precision.
        keys: identity of the methods by kind, and of the data as ``dataset``: JSON-able. Descriptors are stored under
            them; a key's ``name`` is what messages call the method.
        cache: where descriptors are stored.
        progress: shows how far it is.
        maps: where maps are kept that are needed more than once; None keeps none.
        learning: what the whitening is learnt on; None: the database.
        costs: stage -> cost of the stages so far.
        notes: what a reader of the record should know so far.
        joint_poolings: of other runs that want descriptors of the same images.

    Raises:
        InvalidInput: no images or no queries, or data that a method cannot use.
    """

    dataset: RetrievalSet
    methods: RetrievalMethods
    protocol: RetrievalProtocol
    keys: Mapping[str, Any]
    cache: Cache
    progress: Progress
    maps: MapStore | None = None
    learning: LearningSet | None = None
    costs: dict[str, Cost] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    joint_poolings: Sequence[JointPooling] = ()

    def __post_init__(self) -> None:
        images, queries = len(self.dataset.images), len(self.dataset.queries)
        if not images or not queries:
            raise InvalidInput(f"dataset {self.dataset.name} has {images} images, {queries} queries")
        used = {self.names[kind]: getattr(self.methods, kind) for kind in ("pooling", "reranking")}
        require_signs(self.methods.backbone, used)

    @cached_property
    def data(self) -> SearchedData:
        """The data in the order in which they are searched."""
        files = self.methods.descriptors is None
        return SearchedData(self.dataset, self.protocol, self.keys["dataset"], self.cache, files)

    @cached_property
    def names(self) -> dict[str, str]:
        """What messages call the methods, by kind."""
        return {kind: _name(kind, method, self.keys) for kind, method in vars(self.methods).items()}

    @property
    def named_pooling(self) -> tuple[Pooling, str]:
        """The pooling and what messages call it."""
        if self.methods.pooling is None:
            raise InvalidInput("there is no pooling", fix="backbone and pooling, or descriptors")
        return self.methods.pooling, self.names["pooling"]

    @cached_property
    def extraction(self) -> Extraction:
        """The data seen through the backbone."""
        if self.methods.backbone is None:
            raise InvalidInput("there is no backbone", fix="backbone and pooling, or descriptors without re-ranking")
        backbone = NamedBackbone(self.methods.backbone, self.names["backbone"], self.maps)
        return Extraction(self.data.dataset, self.protocol, backbone, self.progress, self.joint_poolings)

    def described(self) -> Descriptors:
        """Descriptors of both roles: of the images, or from files."""
        if self.methods.descriptors is None:
            pooling, name = self.named_pooling
            return self.extraction.descriptors(pooling, name, self.keys, self.cache)
        with measured() as cost:
            rows = self.methods.descriptors.rows(self.data.dataset, self.cache)
        if not rows.unit:
            self.notes["normalised"] = True
        key = {"stage": "descriptor files", "descriptors": self.keys["descriptors"], "dataset": self.keys["dataset"]}
        costs = {"read descriptors": cost}
        return Descriptors(
            rows.database, rows.queries, costs, Shards(rows.distractors), key if rows.distractors else None
        )

    def learnt_from(self) -> tuple[RetrievalSet, NDArray[np.float32] | None]:
        """What the whitening is learnt on, and its descriptors where that is not the database that is searched."""
        if self.learning is None:
            return self.data.dataset, None
        pooling, name = self.named_pooling
        other = canonical(self.learning.dataset, self.learning.key, self.cache).dataset
        rows, cost = self.extraction.of_other(other, self.learning.key, pooling, name, self.keys, self.cache)
        self.costs["describe learning set"] = cost
        return other, rows

    def regions(self, role: Role, whitening: FittedWhitening | None) -> list[NDArray[np.float32]]:
        """Regions (r, d) of each image of a role: of a pooling, or from files."""
        stage = f"describe regions of {'database' if role == 'database' else 'queries'}"
        if self.methods.descriptors is None:
            pooling, name = self.named_pooling
            extraction = RegionExtraction(self.extraction, pooling, name, self.keys, self.cache)
            regions, self.costs[stage] = extraction.descriptors(role)
        else:
            name = self.names["descriptors"]
            with self.stage(stage):
                regions = self.methods.descriptors.region_rows(self.data.dataset, role)
        return whitened_regions(regions, whitening, name)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage: what it costs stands in ``costs`` under its name."""
        with measured() as cost:
            yield
        self.costs[name] = cost


def _name(kind: str, method: object, keys: Mapping[str, Any]) -> str:
    """What messages call a method: ``pooling "gem"``."""
    identity = keys.get(kind)
    name = identity.get("name") if isinstance(identity, Mapping) else None
    return f'{kind} "{name or type(method).__name__}"'
