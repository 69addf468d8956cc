"""What retrieval does with descriptors: whitening, ranking, query expansion.

Where they come from: ``backbone``, ``pooling``. What comes after: ``reranking``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api.arrays import Floats, Ids


class Whitening(Protocol):
    """Post-processing of descriptors; parameters only, ``fit`` gives the object that applies.

    Optional: ``LearnsElsewhere``.
    """

    def fit(self, descriptors: Floats, pairs: Ids | None = None) -> FittedWhitening:
        """Learn from descriptors (n, D) float32 and, where supervised, matching pairs (p, 2) int64."""
        ...


@runtime_checkable
class LearnsElsewhere(Protocol):
    """A whitening that can be learnt on another set than the one that is searched.

    Example::

        learn_on: str = field(default="", metadata={"later": True})
    """

    @property
    def learn_on(self) -> str:
        """Name of a retrieval set, as in a spec; ``fit`` gets descriptors of its database, and its pairs. Empty: no."""
        ...


class FittedWhitening(Protocol):
    """A learnt whitening. Optional: ``HasRank``, ``HasReport``."""

    def apply(self, descriptors: Floats) -> Floats:
        """(n, D) float32 -> (n, d) float32, each row L2-normalised."""
        ...


@runtime_checkable
class HasRank(Protocol):
    """A fitted whitening that knows in how many directions the training descriptors varied; the record says so."""

    @property
    def rank(self) -> int: ...


@dataclass(frozen=True)
class Ranking:
    """The answer to every query, best first.

    Attributes:
        indices: (q, k) int64 database ids, unique in a row.
        scores: (q, k) float32, descending in a row.
        verified: (q, k) float32 weights from spatial verification in the same order, or None.
        ties: (q, k) int64 that never fall along a row: images with equal numbers are tied. None: those with equal
            scores. For methods that order images of one score by something else, such as the ranking before.
    """

    indices: Ids
    scores: Floats
    verified: Floats | None = None
    ties: Ids | None = None

    @property
    def tied(self) -> NDArray[Any]:
        """(q, k): neighbours in a row with equal values are tied; which comes first says nothing."""
        return self.scores if self.ties is None else self.ties


class QueryExpansion(Protocol):
    """Improves rankings from the database's own structure; parameters only. Optional: ``ExpandsRegions``."""

    def fit(self, database: Floats) -> FittedExpansion:
        """Prepare for a database (n, d) float32 of L2-normalised descriptors. Never sees a query."""
        ...


class FittedExpansion(Protocol):
    """A query expansion bound to a database. Optional: ``HasReport``, ``LeavesOut``."""

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Queries (q, d) float32 and their ranking -> the new ranking. Each query is answered on its own."""
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """A bound expansion that can do without some images of its database faster than by a new ``fit`` without them.

    For queries that stand in the database themselves: one that lacks this is fitted again for each of them.

    Example::

        def without(self, images):
            return replace(self, left_out=images)
    """

    def without(self, images: Ids) -> FittedExpansion:
        """The expansion as if these images (m,) were not in the database; the ids of all others stay.

        The rankings that it is given do not list them, and its own must not.
        """
        ...


@runtime_checkable
class ExpandsRegions(Protocol):
    """A query expansion that works on several descriptors an image; the pooling of its run ``GivesRegions``.

    Its ``fit``, which the harness does not call then, takes each image for one region.
    """

    def fit_regions(self, database: Sequence[Floats]) -> FittedRegionalExpansion:
        """Prepare for a database: of each image (r, d) float32 L2-normalised regions. Never sees a query."""
        ...


class FittedRegionalExpansion(FittedExpansion, Protocol):
    """A query expansion bound to the regions of a database."""

    def expand_regions(self, queries: Sequence[Floats], ranking: Ranking) -> Ranking:
        """Of each query its regions (r, d) float32 and the ranking by global descriptors -> the new ranking."""
        ...
