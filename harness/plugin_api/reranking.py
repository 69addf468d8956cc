"""What a re-ranker may implement: from what is stored of each image to another order of the first results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api.arrays import Floats

Role = Literal["database", "query"]


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
