"""Photographs that match and such that do not: the tuples of Radenovic et al. 2018, §3.3.

Before each epoch a random pool of photographs is described by the network as it is; the negatives of a query are the
nearest of the pool, each of another cluster than the query and than the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from harness.core.errors import InvalidInput
from harness.plugin_api import Orientation, RetrievalSet
from harness.retrieval.images import read_image

if TYPE_CHECKING:
    from harness.plugin_api import Ids


class MiningOptions(Protocol):
    """What the search for negatives needs to know of a training: see ``SpatialTraining``."""

    @property
    def queries(self) -> int: ...
    @property
    def pool(self) -> int: ...
    @property
    def negatives(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class TrainingPairs:
    """Photographs with matching pairs.

    Attributes:
        images: files.
        pairs: (p, 2) positions in ``images`` of a query and of what matches it.
        clusters: (n,) what each image shows.
        orientation: of the files.
    """

    images: Sequence[Path]
    pairs: Ids
    clusters: Ids
    orientation: Orientation = "stored"

    @classmethod
    def of(cls, dataset: RetrievalSet) -> TrainingPairs:
        """The pairs of a dataset. Raises ``InvalidInput`` where it has none, or does not say what images show."""
        if dataset.pairs is None or not len(dataset.pairs):
            raise InvalidInput(
                f"dataset {dataset.name} has no matching pairs", fix="dataset: sfm120k, or one with pairs"
            )
        clusters = dataset.clusters if dataset.clusters is not None else _connected(len(dataset.images), dataset.pairs)
        return cls(dataset.images, dataset.pairs, clusters, dataset.orientation)

    def queries(
        self, options: MiningOptions, describe: Callable[[Tensor], Tensor]
    ) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Without end: a query, and the image that matches it followed by its negatives; (3, H, W) in [0, 1].

        Args:
            options: how many, and how large.
            describe: L2-normalised descriptor (D,) of an image by the network as it is.
        """
        rng = np.random.default_rng(options.seed)
        while True:
            chosen = self.pairs[rng.permutation(len(self.pairs))[: options.queries]]
            pool = rng.permutation(len(self.images))[: options.pool]
            negatives = self._negatives(chosen[:, 0], pool, options, describe)
            for (query, positive), others in zip(chosen, negatives, strict=True):
                yield self._image(query, options), [self._image(i, options) for i in (positive, *others)]

    def _negatives(
        self, queries: Ids, pool: Ids, options: MiningOptions, describe: Callable[[Tensor], Tensor]
    ) -> list[list[int]]:
        """Per query the nearest images of the pool, of as many other clusters."""
        if not options.negatives:
            return [[] for _ in queries]
        with torch.inference_mode():
            described = torch.stack([describe(self._image(i, options)) for i in pool])
            nearest = [
                torch.argsort(described @ describe(self._image(i, options)), descending=True, stable=True).numpy()
                for i in queries
            ]
        return [
            self._others(query, pool[order], options.negatives) for query, order in zip(queries, nearest, strict=True)
        ]

    def _others(self, query: int, ranked: Ids, n: int) -> list[int]:
        seen, others = {int(self.clusters[query])}, []
        for image in ranked:
            if (cluster := int(self.clusters[image])) not in seen:
                seen.add(cluster)
                others.append(int(image))
            if len(others) == n:
                return others
        raise InvalidInput(
            f"{n} negatives a query need as many clusters besides its own; the pool has {len(others)}",
            fix="fewer negatives or a larger pool",
        )

    def _image(self, position: int, options: MiningOptions) -> Tensor:
        return _tensor(self.images[int(position)], options.size, self.orientation)


@lru_cache(maxsize=64)
def _tensor(path: Path, size: int, orientation: Orientation) -> Tensor:
    return torch.from_numpy(read_image(path, size, None, orientation)).permute(2, 0, 1).float() / 255


def _connected(n: int, pairs: Ids) -> Ids:
    """What images show as far as pairs tell: those connected by pairs show the same."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    clusters: Ids = connected_components(graph, directed=False)[1].astype(np.int64)
    return clusters
