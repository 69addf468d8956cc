"""Descriptors of a dataset: extracted once and stored, whitened on every run. Loads torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.cache import Arrays, Cache
from harness.core.cost import Cost
from harness.core.progress import PartialProgress, Progress
from harness.core.threads import reproducible
from harness.data import DECODING_VERSION
from harness.data import RESULT_VERSION as DATA_VERSION
from harness.plugin_api import (
    FittedWhitening,
    HasReport,
    LearnsFromMaps,
    MayLearn,
    Pooling,
    RetrievalSet,
    Role,
    Whitening,
)
from harness.plugin_api.contract import require_descriptors
from harness.retrieval.distractors import PORTION, files_digest, joined, scratch, store_part, stored_shards
from harness.retrieval.extraction import (
    DESCRIPTORS_VERSION,
    ImageList,
    MapStream,
    NamedBackbone,
    combined,
    describe,
    near,
    pooled_scales,
)
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.rows import Identities, add_rows, identities, stored_rows
from harness.retrieval.shards import Shards
from harness.retrieval.untouched import untouched

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
    """

    dataset: RetrievalSet
    protocol: RetrievalProtocol
    backbone: NamedBackbone
    progress: Progress

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
        pooled = _PooledDataset(self, pooling, name, keys, cache)
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
            _PooledDataset(self, pooling, name, keys, cache).store_part(part)

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
        return _PooledDataset(extraction, pooling, name, keys, cache, learnt_on=self, data=key).rows("database")


@dataclass(frozen=True)
class _PooledDataset:
    """The images of a dataset under one pooling: from the cache, or computed and stored.

    ``learnt_on``: what the pooling learns from, where that is another set; ``data``: then what the images are.
    """

    extraction: Extraction
    pooling: Pooling
    name: str
    keys: Mapping[str, Any]
    cache: Cache
    learnt_on: Extraction | None = None
    data: Any = None

    @cached_property
    def fitted(self) -> Pooling:
        return (self.learnt_on or self.extraction).fitted(self.pooling)

    def rows(self, role: Role) -> tuple[Floats, Cost]:
        """Descriptors of one role without distractors."""
        images = self.extraction.without_distractors(role)
        contents = self._contents(role, images)
        compute = partial(self._pooled, role, images, len(set(contents)))
        rows, cost = stored_rows(contents, compute, self.name, self._key(role), self.cache)
        return combined(rows, float(self.extraction.protocol.scale_power)), cost

    def store_part(self, part: tuple[int, int]) -> None:
        """Store the descriptors of one part of the database and of the distractors."""
        number, count = part
        images = self.extraction.without_distractors("database")
        contents = self._contents("database", images)
        # Of equal images one is described; parts share out what is different.
        firsts = sorted({content: i for i, content in reversed(list(enumerate(contents)))}.values())
        own = firsts[len(firsts) * number // count : len(firsts) * (number + 1) // count]
        some = images.some(own)
        compute = partial(self._pooled, "database", some, len(own))
        add_rows([contents[i] for i in own], compute, self._key("database"), self.cache)
        if total := self.extraction.dataset.distractors:
            store_part(self.distractor_key(), self.cache, total, part, self._describe_distractors)

    def _contents(self, role: Role, images: ImageList) -> Identities:
        key = {"dataset": self.keys["dataset"] if self.data is None else self.data, "role": role}
        return identities(images.paths, images.boxes, key, self.cache)

    def _pooled(self, role: Role, images: ImageList, total: int, positions: Sequence[int], done: int) -> Floats:
        shown = images.some(positions)
        maps = self._maps(self.extraction.backbone, shown, f"describe {role}", done, total)
        return pooled_scales(maps, self.fitted, self.name, role, shown.boxes)

    def report(self) -> dict[str, Any]:
        """What the fitted pooling says of itself; stored, as where all descriptors are stored nothing is fitted."""
        if not learns_from_maps(self.pooling):
            return {}

        def text() -> Arrays:
            said = dict(self.fitted.report) if isinstance(self.fitted, HasReport) else {}
            return {"json": np.frombuffer(json.dumps(said).encode(), np.uint8)}

        entry = self.cache.get_or_compute({**self._key("database"), "stage": "report of the pooling"}, text)
        said: dict[str, Any] = json.loads(entry.arrays["json"].tobytes())
        return said

    def distractors(self, key: Mapping[str, Any], dimension: int) -> tuple[Shards, Cost]:
        """Descriptors of the distractors."""
        total = self.extraction.dataset.distractors
        return stored_shards(key, self.cache, (total, dimension), self._describe_distractors)

    def _describe_distractors(self, positions: range) -> Floats:
        extraction, first = self.extraction, self.extraction.first_distractor
        shown = extraction.images("database").some(range(first + positions.start, first + positions.stop))
        backbone = replace(extraction.backbone, store=None)  # maps of a million images fill any disk
        maps = self._maps(backbone, shown, "describe distractors", positions.start, extraction.dataset.distractors)
        return describe(maps, self.fitted, self.name, float(extraction.protocol.scale_power))

    def distractor_key(self) -> dict[str, Any]:
        files = self.extraction.images("database").paths[self.extraction.first_distractor :]
        power = self.extraction.protocol.scale_power
        return {**self._key("database"), "stage": "distractors", "files": files_digest(files), "scale_power": power}

    def _maps(
        self, backbone: NamedBackbone, images: ImageList, label: str, done: int, total: int
    ) -> Iterator[list[Tensor]]:
        return backbone.maps(images, label, PartialProgress(self.extraction.progress, done, total))

    def _key(self, role: Role) -> dict[str, Any]:
        protocol = self.extraction.protocol
        # What a pooling learns from a database makes its descriptors those of this database only.
        learns = learns_from_maps(self.pooling)
        return {
            "code": [DESCRIPTORS_VERSION, DATA_VERSION, DECODING_VERSION],
            **{kind: self.keys[kind] for kind in ("backbone", "pooling", *(("dataset",) if learns else ()))},
            "role": role,
            "image_size": protocol.image_size,
            "scales": list(protocol.scales),
            "numerics": protocol.numerics_key,
            "orientation": self.extraction.dataset.orientation,
        }


def _shown(backbone: NamedBackbone, images: ImageList, progress: Progress, pooling: Pooling) -> Iterator[list[Tensor]]:
    """The maps that a pooling learns from, where it can work on them."""
    for scales in backbone.maps(images, "fit pooling", progress):
        yield near(pooling, scales)


def learns_from_maps(pooling: Pooling) -> bool:
    """Whether a pooling learns from the database that it describes."""
    return pooling.learns if isinstance(pooling, MayLearn) else isinstance(pooling, LearnsFromMaps)


def whiten(
    raw: Descriptors,
    method: Whitening,
    name: str,
    dataset: RetrievalSet,
    keys: Mapping[str, Any],
    cache: Cache,
    learnt_from: Floats | None = None,
) -> tuple[Descriptors, FittedWhitening]:
    """Learn a whitening from a database and apply it to all descriptors; those of distractors are stored again.

    Args:
        raw: the descriptors.
        method: the whitening.
        name: what to call it in messages.
        dataset: what is learnt on; gives the matching pairs.
        keys: identity of ``whitening`` and ``dataset``; only looked at where there are distractors.
        cache: where whitened distractors are stored.
        learnt_from: descriptors (n, D) of the database that is learnt on; None: those that are searched.

    Returns:
        The whitened descriptors, and the learnt object.

    Raises:
        InvalidInput: the whitening needs pairs, and the dataset has none.
        ContractError: it returned something else than finite descriptors.
    """

    def apply(rows: Floats) -> Floats:
        return require_descriptors(name, fitted.apply(rows), len(rows))

    if raw.database.dtype != np.float32:  # descriptors that stay in their file
        raw = replace(raw, database=joined(raw.database, (), cache))
    with untouched(name, raw.database, raw.queries):
        fitted = method.fit(raw.database if learnt_from is None else learnt_from, dataset.pairs)
        whitened = replace(raw, database=_in_portions(apply, raw.database, cache), queries=apply(raw.queries))
    if raw.distractor_key is None:
        return whitened, fitted
    learnt = {"whitening": keys["whitening"], "dataset": keys["dataset"]}
    key = {"stage": "whitened distractors", "of": raw.distractor_key, **learnt}
    shape = len(raw.distractors), whitened.database.shape[1]
    shards, _ = stored_shards(key, cache, shape, lambda positions: apply(raw.distractors.rows(positions)))
    return replace(whitened, distractors=shards, distractor_key=key), fitted


def _in_portions(apply: Callable[[Floats], Floats], rows: Floats, cache: Cache) -> Floats:
    """The whole at once where it is in memory; rows on disk portion by portion, onto the disk again."""
    if not isinstance(rows, np.memmap):
        return apply(rows)
    first = apply(rows[:PORTION])
    whitened: Floats = scratch((len(rows), first.shape[1]), np.dtype(np.float32), cache)
    for start in range(0, len(rows), PORTION):
        part = rows[start : start + PORTION]
        whitened[start : start + len(part)] = apply(part)
    return whitened
