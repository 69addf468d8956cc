"""What a backbone may implement: the network that maps are from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


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
