"""What a pooling may implement: from maps to a descriptor of the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Region = tuple[int, int, int, int]
"""y, x, height, width in cells of a map."""


class Pooling(Protocol):
    """A global descriptor from feature maps. Optional: ``LearnsFromMaps``, ``PoolsQueries``, ``DetectsRegions``."""

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., D) float32, not normalised."""
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


def learns_from_maps(pooling: object) -> bool:
    """Whether a pooling learns from the database that it describes."""
    return pooling.learns if isinstance(pooling, MayLearn) else isinstance(pooling, LearnsFromMaps)


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
