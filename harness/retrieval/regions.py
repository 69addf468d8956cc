"""Regional descriptors of all images, for a query expansion that works on them. Loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from harness.cache import Arrays, Cache
from harness.core.cost import Cost
from harness.core.errors import InvalidInput
from harness.data import DECODING_VERSION
from harness.data import RESULT_VERSION as DATA_VERSION
from harness.plugin_api import FittedRegionalExpansion, FittedWhitening, GivesRegions, Pooling, Ranking, Role
from harness.plugin_api.contract import require_descriptors
from harness.retrieval.pooled import near
from harness.retrieval.representation import Extraction
from harness.retrieval.reranking import packed, unpacked
from harness.search import unit_rows

REGIONS_VERSION: Final = 1
"""Of stored regions. Raised when numbers change: docs/explanation/identity.md."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RegionalExpansion:
    """A query expansion bound to the regions of a database, with the regions (r, d) of each query."""

    method: FittedRegionalExpansion
    queries: Sequence[Floats]

    def expand(self, rows: slice, ranking: Ranking) -> Ranking:
        """The new ranking of these queries."""
        return self.method.expand_regions(self.queries[rows], ranking)


@dataclass(frozen=True)
class RegionExtraction:
    """The regions of a dataset under one pooling: from the cache, or computed and stored.

    Attributes:
        extraction: the images and the backbone that sees them.
        pooling: as the run has it; fitted where regions are computed.
        name: what to call the pooling in messages.
        keys: identity of ``dataset``, ``backbone`` and ``pooling``.
        cache: where regions are stored.
    """

    extraction: Extraction
    pooling: Pooling
    name: str
    keys: Mapping[str, Any]
    cache: Cache

    def descriptors(self, role: Role) -> tuple[list[Floats], Cost]:
        """L2-normalised regions (r, d) of each image of a role, of all scales together; what they cost, now or once.

        Raises:
            InvalidInput: the pooling gives no regions, or the dataset has distractors.
        """
        if self.extraction.dataset.distractors:
            raise InvalidInput("regions of distractors are not described", fix="a dataset without distractors")
        images = self.extraction.images(role)
        entry = self.cache.get_or_compute(self._key(role), lambda: packed(list(self._computed(role))))
        regions = [arrays["regions"] for arrays in unpacked(entry.arrays, len(images))]
        return regions, entry.cost

    def _computed(self, role: Role) -> Iterator[Arrays]:
        fitted = self.extraction.fitted(self.pooling)
        if not isinstance(fitted, GivesRegions):
            raise InvalidInput(f"{self.name} gives no regions", fix='a pooling that does, such as "rmac"')
        label = f"describe regions of {role}"
        for scales in self.extraction.backbone.maps(self.extraction.images(role), label, self.extraction.progress):
            with torch.inference_mode():
                regions = torch.cat([fitted.region_descriptors(maps) for maps in near(self.pooling, scales)])
            yield {"regions": require_descriptors(self.name, unit_rows(regions.cpu().numpy()), len(regions))}

    def _key(self, role: Role) -> dict[str, Any]:
        protocol = self.extraction.protocol
        return {
            "stage": "regions",
            "order": "content",
            "code": [REGIONS_VERSION, DATA_VERSION, DECODING_VERSION],
            **{kind: self.keys[kind] for kind in ("backbone", "pooling", "dataset")},
            "role": role,
            "image_size": protocol.image_size,
            "scales": list(protocol.scales),
            "numerics": protocol.numerics_key,
        }


def whitened_regions(regions: list[Floats], whitening: FittedWhitening | None, name: str) -> list[Floats]:
    """The regions (r, d) of each image, each whitened like a global descriptor where there is a whitening."""
    if whitening is None:
        return regions
    ends = np.cumsum([len(rows) for rows in regions])
    rows = np.concatenate(regions)
    return np.split(require_descriptors(name, whitening.apply(rows), len(rows)), ends[:-1])
