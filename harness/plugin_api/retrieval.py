"""What retrieval is made of: backbone, pooling, whitening, query expansion, re-ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api.arrays import Floats, Ids

Role = Literal["database", "query"]


class Backbone(Protocol):
    """A fully convolutional network."""

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        ...

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> non-negative maps (C, h, w) float32."""
        ...


class HasModule(Protocol):
    """A backbone that can be trained: what ``harness train spatial`` needs.

    ``weights`` is one of its parameters: the path of a file that ``module`` and ``maps`` read.
    """

    @property
    def weights(self) -> str: ...

    def module(self) -> Module:
        """The network with its weights: images (n, 3, H, W) float32 in [0, 1], RGB -> what ``maps`` gives of each.

        A new object in evaluation mode; the caller may train it in place.
        """
        ...


class HasCheckpoint(Protocol):
    """A backbone whose file of weights holds something else than the state dict of its module."""

    def checkpoint(self, module: Any) -> Mapping[str, Any]:
        """What ``torch.save`` writes; or, for a file that ends in ``.npz``, tensors by name."""
        ...


class Pooling(Protocol):
    """A global descriptor from feature maps; may have ``fit(maps: Iterator[Tensor]) -> Pooling``.

    With ``fit`` descriptors are those of one database: they are made again when it grows. ``learns = False`` (an
    attribute or property) says that ``fit`` has nothing to learn with these parameters.
    """

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., D) float32, not normalised."""
        ...


class Whitening(Protocol):
    """Post-processing of descriptors; parameters only, ``fit`` gives the object that applies."""

    def fit(self, descriptors: Floats, pairs: Ids | None = None) -> FittedWhitening:
        """Learn from descriptors (n, D) float32 and, where supervised, matching pairs (p, 2) int64."""
        ...


class FittedWhitening(Protocol):
    """A learnt whitening."""

    def apply(self, descriptors: Floats) -> Floats:
        """(n, D) float32 -> (n, d) float32, each row L2-normalised."""
        ...


@dataclass(frozen=True)
class Ranking:
    """The answer to every query, best first.

    Attributes:
        indices: (q, k) int64 database ids, unique in a row.
        scores: (q, k) float32, descending in a row.
        verified: (q, k) float32 weights from spatial verification in the same order, or None.
    """

    indices: Ids
    scores: Floats
    verified: Floats | None = None


class QueryExpansion(Protocol):
    """Improves rankings from the database's own structure; parameters only."""

    def fit(self, database: Floats) -> FittedExpansion:
        """Prepare for a database (n, d) float32 of L2-normalised descriptors. Never sees a query."""
        ...


class FittedExpansion(Protocol):
    """A query expansion bound to a database."""

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Queries (q, d) float32 and their ranking -> the new ranking. Each query is answered on its own."""
        ...


class Reranker(Protocol):
    """Reorders the top of a ranking from what is stored per image.

    ``top`` (a field) says how many images are reordered; below it nothing moves. Optional methods:
    ``describe_image(image (H, W, 3) uint8, role)`` in place of ``describe`` where pixels are needed;
    ``pack(features) -> mapping of arrays`` and ``unpack(arrays) -> features``, with which features are cached;
    ``correspondences(query, candidate)`` for pictures of matches; ``attention`` for spatial training.
    """

    @property
    def top(self) -> int: ...

    def describe(self, maps: Sequence[Tensor], role: Role) -> Any:
        """What is stored for one image: from its maps (C, h, w), one per scale."""
        ...

    def score(self, query: Any, candidates: Sequence[Any]) -> Floats:
        """(len(candidates),) float32, higher is better; ties keep the initial order."""
        ...
