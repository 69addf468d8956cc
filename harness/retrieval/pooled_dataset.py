"""The images of a dataset under one pooling: descriptors from the cache, or computed and stored. Loads torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.cache import Arrays, Cache
from harness.core.cost import Cost
from harness.core.digest import digest
from harness.core.errors import InvalidInput
from harness.core.locks import locked
from harness.core.progress import PartialProgress
from harness.data import DECODING_VERSION
from harness.data import RESULT_VERSION as DATA_VERSION
from harness.plugin_api import HasReport, Pooling, Role
from harness.plugin_api.pooling import learns_from_maps
from harness.retrieval.distractors import ShardBuffer, are_shards_stored, files_digest, store_part, stored_shards
from harness.retrieval.extraction import DESCRIPTORS_VERSION, ImageList, NamedBackbone
from harness.retrieval.joint import JointPooling, pooled_jointly
from harness.retrieval.pooled import JointRows, combined, pooled_scales
from harness.retrieval.rows import Identities, Portions, add_rows, are_stored, identities, stored_rows
from harness.retrieval.seen import SeenDataset
from harness.retrieval.shards import Shards

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PooledDataset:
    """The images of a dataset under one pooling: from the cache, or computed and stored.

    ``learnt_on``: what the pooling learns from, where that is another set; ``data``: then what the images are.
    """

    extraction: SeenDataset
    pooling: Pooling
    name: str
    keys: Mapping[str, Any]
    cache: Cache
    learnt_on: SeenDataset | None = None
    data: Any = None

    @cached_property
    def fitted(self) -> Pooling:
        """The pooling with what it learnt; itself where it learns nothing."""
        return (self.learnt_on or self.extraction).fitted(self.pooling)

    def rows(self, role: Role) -> tuple[Floats, Cost]:
        """Descriptors of one role without distractors."""
        images = self.extraction.without_distractors(role)
        contents, key = self._contents(role, images), self._key(role)
        compute = partial(self._pooled, role, images, contents)
        with self._one_pass([role], lambda: are_stored(contents, key, self.cache)):
            rows, cost = stored_rows(contents, compute, self.name, key, self.cache)
        return combined(rows, float(self.extraction.protocol.scale_power)), cost

    def store_part(self, part: tuple[int, int]) -> None:
        """Store the descriptors of one part of the database and of the distractors."""
        number, count = part
        images = self.extraction.without_distractors("database")
        contents = self._contents("database", images)
        # Of equal images one is described; parts share out what is different.
        firsts = sorted({content: i for i, content in reversed(list(enumerate(contents)))}.values())
        own = firsts[len(firsts) * number // count : len(firsts) * (number + 1) // count]
        some, key = [contents[i] for i in own], self._key("database")
        compute = partial(self._pooled, "database", images.some(own), some)
        with self._one_pass(["database", *part], lambda: are_stored(some, key, self.cache)):
            add_rows(some, compute, key, self.cache)
        if total := self.extraction.dataset.distractors:
            with self._one_pass(["distractors", *part], lambda: False):
                store_part(self.distractor_key(), self.cache, total, part, self._describe_distractors)

    def _contents(self, role: Role, images: ImageList) -> Identities:
        key = {"dataset": self.keys["dataset"] if self.data is None else self.data, "role": role}
        return identities(images.paths, images.boxes, key, self.cache)

    def _pooled(
        self, role: Role, images: ImageList, contents: Identities, positions: Sequence[int], done: int
    ) -> Floats:
        shown, some = images.some(positions), [contents[i] for i in positions]
        maps = self._maps(self.extraction.backbone, shown, f"describe {role}", done, len(set(contents)))

        def pool(joint: JointRows) -> Floats:
            return pooled_scales(maps, self.fitted, self.name, role, shown.boxes, joint)

        def store(joint: JointPooling, rows: Floats, cost: Cost) -> None:
            wanted[joint].append(some, rows, cost)

        wanted = {each: portions for each, portions in self._joint_portions[role] if not portions.hold(some)}
        return pooled_jointly([*wanted], pool, store)

    @cached_property
    def _joint_portions(self) -> Mapping[Role, Sequence[tuple[JointPooling, Portions]]]:
        roles: Sequence[Role] = ("database", "query")
        return {role: [(each, Portions(self._key(role, each), self.cache)) for each in self._joint] for role in roles}

    @property
    def _joint(self) -> Sequence[JointPooling]:
        """Poolings of other runs whose descriptors can be stored for them."""
        return () if self.cache.root is None else self.extraction.joint_poolings

    @contextmanager
    def _one_pass(self, of: Sequence[Any], stored: Callable[[], bool]) -> Iterator[None]:
        """One process at a time pools images for others too; whoever waited finds its descriptors."""
        root = self.cache.root
        if root is None or not self._joint or stored():
            yield
            return
        root.mkdir(parents=True, exist_ok=True)
        seen = {name: value for name, value in self._key("database").items() if name not in ("pooling", "role")}
        with locked(root, f"{digest([seen, self.keys['dataset'], *of])[:40]}-pass"):
            yield

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
        with self._one_pass(["distractors"], lambda: are_shards_stored(key, self.cache, total)):
            return stored_shards(key, self.cache, (total, dimension), self._describe_distractors)

    def _describe_distractors(self, positions: range) -> Floats:
        extraction, first = self.extraction, self.extraction.first_distractor
        shown = extraction.images("database").some(range(first + positions.start, first + positions.stop))
        backbone = replace(extraction.backbone, store=None)  # maps of a million images fill any disk
        maps = self._maps(backbone, shown, "describe distractors", positions.start, extraction.dataset.distractors)
        power = float(extraction.protocol.scale_power)

        def store(joint: JointPooling, rows: Floats, cost: Cost) -> None:
            with suppress(InvalidInput):  # the run that it is of says why its scales cannot be combined
                buffers[joint].add(positions, combined(rows, power), cost)

        buffers = {each: buffer for each, buffer in self._joint_shards if buffer.wants(positions)}
        rows = pooled_jointly([*buffers], partial(pooled_scales, maps, self.fitted, self.name, "database", None), store)
        return combined(rows, power)

    @cached_property
    def _joint_shards(self) -> list[tuple[JointPooling, ShardBuffer]]:
        total = self.extraction.dataset.distractors
        return [(each, ShardBuffer(self.distractor_key(each), self.cache, total)) for each in self._joint]

    def distractor_key(self, joint: JointPooling | None = None) -> dict[str, Any]:
        """All that decides the descriptors of distractors, under this pooling or a joint one."""
        power = self.extraction.protocol.scale_power
        of = {"stage": "distractors", "files": self._distractor_files, "scale_power": power}
        return {**self._key("database", joint), **of}

    @cached_property
    def _distractor_files(self) -> str:
        return files_digest(self.extraction.images("database").paths[self.extraction.first_distractor :])

    def _maps(
        self, backbone: NamedBackbone, images: ImageList, label: str, done: int, total: int
    ) -> Iterator[list[Tensor]]:
        return backbone.maps(images, label, PartialProgress(self.extraction.progress, done, total))

    def _key(self, role: Role, joint: JointPooling | None = None) -> dict[str, Any]:
        protocol, keys = self.extraction.protocol, self.keys
        if joint is not None:
            keys = {**keys, "pooling": joint.key}
        # What a pooling learns from a database makes its descriptors those of this database only.
        learns = joint is None and learns_from_maps(self.pooling)
        return {
            "code": [DESCRIPTORS_VERSION, DATA_VERSION, DECODING_VERSION],
            **{kind: keys[kind] for kind in ("backbone", "pooling", *(("dataset",) if learns else ()))},
            "role": role,
            "image_size": protocol.image_size,
            "scales": list(protocol.scales),
            "numerics": protocol.numerics_key,
            "orientation": self.extraction.dataset.orientation,
        }
