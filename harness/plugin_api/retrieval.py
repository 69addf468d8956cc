"""What retrieval is made of: backbone, pooling, whitening, query expansion, re-ranking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api.arrays import Floats, Ids

Role = Literal["database", "query"]
Region = tuple[int, int, int, int]
"""y, x, height, width in cells of a map."""


class Backbone(Protocol):
    """A fully convolutional network.

    Optional: ``HasModule``, ``HasCheckpoint``, ``GivesSignedMaps``, ``SeesBatches``.
    """

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        ...

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> non-negative maps (C, h, w) float32."""
        ...


@runtime_checkable
class SeesBatches(Protocol):
    """A backbone that sees several images of one size at once, which keeps a GPU busy.

    Example::

        def maps_batch(self, images):
            return self.network(images)
    """

    def maps_batch(self, images: Tensor) -> Tensor:
        """Images (n, 3, H, W) of one size, on any device -> maps (n, C, h, w), up to rounding those of each alone."""
        ...


@runtime_checkable
class GivesSignedMaps(Protocol):
    """A backbone whose maps may have negative values, where ``signed`` says so.

    Such a run is planned only with poolings and re-rankers that take them (``TakesSignedMaps``): powers, regions and
    local maxima of activations mean nothing below 0.
    """

    @property
    def signed(self) -> bool:
        """Whether ``maps`` may be negative."""
        ...


@runtime_checkable
class PoolsAnywhere(Protocol):
    """A pooling that computes where its maps are, on a GPU too; any other is given maps in main memory.

    Example::

        any_device: ClassVar[bool] = True
    """

    @property
    def any_device(self) -> bool: ...


@runtime_checkable
class TakesSignedMaps(Protocol):
    """A pooling or re-ranker that is defined for maps of both signs.

    Example::

        takes_signed: ClassVar[bool] = True
    """

    @property
    def takes_signed(self) -> bool: ...


@runtime_checkable
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


@runtime_checkable
class HasCheckpoint(Protocol):
    """A backbone whose file of weights holds something else than the state dict of its module."""

    def checkpoint(self, module: Any) -> Mapping[str, Any]:
        """What ``torch.save`` writes; or, for a file that ends in ``.npz``, tensors by name."""
        ...


class Pooling(Protocol):
    """A global descriptor from feature maps. Optional: ``LearnsFromMaps``, ``PoolsQueries``, ``DetectsRegions``."""

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., D) float32, not normalised."""
        ...


@runtime_checkable
class LearnsFromMaps(Protocol):
    """A pooling with ``fit``: its descriptors are those of one database, and are computed again when it grows.

    Example::

        def fit(self, maps):
            return FittedMean(self, torch.stack([image.mean((-2, -1)) for image in maps]).mean(0))
    """

    def fit(self, maps: Iterator[Tensor]) -> Pooling:
        """Learn from the database.

        Args:
            maps: (C, h, w) float32 of one image and scale after the other; ``iter(maps)`` starts again.

        Returns:
            The pooling that is used, a new object.
        """
        ...


@runtime_checkable
class MayLearn(Protocol):
    """A pooling or re-ranker with ``fit`` that has nothing to learn with some of its parameters.

    Example::

        @property
        def learns(self):
            return self.whiten
    """

    @property
    def learns(self) -> bool:
        """Whether ``fit`` learns anything; if not, what is stored of images does not depend on the database."""
        ...


@runtime_checkable
class PoolsQueries(Protocol):
    """A pooling that treats queries in another way than images of the database."""

    def pool_query(self, maps: Tensor) -> Tensor:
        """As ``Pooling.pool``, of a query: (..., C, H, W) float32 -> (..., D) float32, not normalised."""
        ...


@runtime_checkable
class PoolsUncroppedQueries(Protocol):
    """A pooling that treats queries without a box, which show more than an object, in another way than cropped ones."""

    def pool_uncropped_query(self, maps: Tensor) -> Tensor:
        """As ``Pooling.pool``, of a query without a box: (..., C, H, W) float32 -> (..., D) float32, not normalised."""
        ...


@runtime_checkable
class HasSaliency(Protocol):
    """A pooling, or what its ``fit`` returns, that computes saliency maps: ``harness view saliency`` draws them."""

    def saliency(self, maps: Tensor) -> Tensor:
        """Maps (..., C, H, W) float32 -> saliency (..., H, W) float32, not negative."""
        ...


@runtime_checkable
class DetectsRegions(Protocol):
    """A pooling that looks for regions on a saliency map: ``harness view saliency`` draws them."""

    def detect(self, saliency: NDArray[Any]) -> Sequence[Region]:
        """Regions of a saliency map (H, W), at least one, the most salient first."""
        ...


@runtime_checkable
class GivesRegions(Protocol):
    """A pooling, or what its ``fit`` returns, that can describe the regions of an image one by one."""

    def region_descriptors(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., R, D) float32, not normalised; D as of ``pool``, R at least 1."""
        ...


@runtime_checkable
class HasFirstPass(Protocol):
    """A pooling whose saliency is learnt from regions that a simpler pooling detects first."""

    @property
    def first_pass(self) -> Any:
        """The simpler pooling: ``HasSaliency`` and ``DetectsRegions``."""
        ...


@runtime_checkable
class ShowsDetection(Protocol):
    """A pooling that detects regions by a mixture and shows how: ``harness view saliency --iterations``."""

    def samples(self, saliency: NDArray[Any]) -> NDArray[np.float64]:
        """The part (H, W) of a saliency map (H, W) that the mixture is fitted to; 0 elsewhere."""
        ...

    def evolution(self, samples: NDArray[np.float64]) -> Iterable[Any]:
        """The mixture at the start and after each iteration; each has ``weights`` (m,)."""
        ...

    def rectangles(self, mixture: Any, shape: tuple[int, ...]) -> Sequence[Region]:
        """The regions of a mixture on a map of a shape (H, W)."""
        ...


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


class Reranker(Protocol):
    """Reorders the top of a ranking from what is stored per image.

    ``top`` (a field) says how many images are reordered; below it nothing moves. Optional: ``DescribesImages``,
    ``LearnsFromFeatures``, ``Packs``, ``SeesRotations``, ``UsesSimilarity``, ``DrawsMatches``, ``GuidesTraining``.
    """

    @property
    def top(self) -> int: ...

    def describe(self, maps: Sequence[Tensor], role: Role) -> Any:
        """What is stored for one image: from its maps (C, h, w), one per scale."""
        ...

    def score(self, query: Any, candidates: Sequence[Any]) -> Floats:
        """(len(candidates),) float32, higher is better; ties keep the initial order."""
        ...


@runtime_checkable
class LearnsFromFeatures(Protocol):
    """A re-ranker that learns from what it stores of a database; ``MayLearn`` says whether it does.

    Without ``fit`` it works too: what is learnt makes it better.

    Example::

        def fit(self, features):
            return Centred(self, np.mean([image.mean(0) for image in features], 0))
    """

    def fit(self, features: Iterator[Any]) -> LearntReranker:
        """Learn from what ``describe`` gave of each image of the database, distractors left out; never of a query."""
        ...


class LearntReranker(Protocol):
    """A re-ranker that has learnt. Optional: ``HasReport``."""

    def prepared(self, features: Any) -> Any:
        """What ``score`` takes of one image: from what ``describe`` gave of it."""
        ...

    def score(self, query: Any, candidates: Sequence[Any]) -> Floats:
        """As ``Reranker.score``, of what was prepared."""
        ...


@runtime_checkable
class DescribesImages(Protocol):
    """A re-ranker that looks at the image itself, and not at maps: no network runs for it."""

    def describe_image(self, image: NDArray[np.uint8], role: Role) -> Any:
        """What is stored for one image (H, W, 3) uint8 RGB, cropped and resized as the evaluation protocol says."""
        ...


@runtime_checkable
class Packs(Protocol):
    """A re-ranker whose features of an image can be written to the cache.

    Without it features are computed in each run: reading back any object from a file would run what the file says.

    Example::

        def pack(self, features):
            return {"positions": features.positions, "descriptors": features.descriptors}

        def unpack(self, arrays):
            return Features(**arrays)
    """

    def pack(self, features: Any) -> Mapping[str, NDArray[Any]]:
        """Named arrays (n, ...), each of the same dtype and trailing shape for all images."""
        ...

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Any:
        """The features that were packed."""
        ...


@runtime_checkable
class SeesRotations(Protocol):
    """A re-ranker from maps that can look at a query at several rotations; ``rotations`` is one of its parameters."""

    @property
    def rotations(self) -> int:
        """Views of a query, evenly spread over a full turn; 0: it is described by ``describe``, as it is."""
        ...

    def describe_rotations(self, views: Sequence[Sequence[Tensor]]) -> Any:
        """What is stored of a query: from the maps (C, h, w) of each view, one per scale.

        The first view is the query; each further one is turned by 360 / rotations degrees more, counterclockwise about
        its middle, on the smallest canvas that holds all of it.
        """
        ...


@runtime_checkable
class UsesSimilarity(Protocol):
    """A re-ranker that does not order by its score alone; one that counts inliers inherits ``Verification``.

    Example::

        def verified(self, scores):
            return scores

        def order(self, similarities, scores):
            return 0.5 * similarities + 0.5 * scores
    """

    def verified(self, scores: Floats) -> Floats:
        """What ``score`` returned, (k,) float32, as weights of a verification, (k,) float32: 0 where there is none."""
        ...

    def order(self, similarities: Floats, scores: Floats) -> Floats:
        """What the top is ordered by, (k,) float32, higher is better; ties keep the initial order.

        Args:
            similarities: (k,) float32 scores of the ranking before.
            scores: (k,) float32, what ``score`` returned of the same images.
        """
        ...


@runtime_checkable
class DrawsMatches(Protocol):
    """A re-ranker that knows which positions of two images match: ``harness view matches`` draws them."""

    def correspondences(
        self, query: Any, candidate: Any, query_size: tuple[int, int], candidate_size: tuple[int, int]
    ) -> Mapping[str, NDArray[Any]]:
        """The inliers of two images in pixels.

        Args:
            query: features of a query.
            candidate: features of a database image.
            query_size: width and height of the query in pixels, as the network saw it.
            candidate_size: the same of the database image.

        Returns:
            ``query`` and ``image`` (m, 2) float, x and y. Optional: ``query_shapes`` and ``image_shapes`` (m, 3),
            covariances xx, xy, yy; ``words`` (m,) int64, by which matches are coloured.
        """
        ...


@runtime_checkable
class GuidesTraining(Protocol):
    """A re-ranker that knows which parts of two maps match: ``harness train spatial`` pools over these."""

    def attention(self, query_maps: Tensor, image_maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (C, h, w) and (C, h', w') -> bool masks of the same shapes; some cell of every channel is true."""
        ...
