"""What an acquisition sees of a cycle: features, probabilities, the known labels, and nothing else.

A method runs in the process that holds the hidden labels: one that looks for them through frames or the garbage
collector finds them, and nothing can stop it there. What it is given does not lead to them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.errors import InvalidInput
from harness.plugin_api import LinearHead

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Images = NDArray[np.uint8]
Array = TypeVar("Array", bound=NDArray[Any])


class Pool:
    """A sealed view of the examples; implements ``harness.plugin_api.PoolView``. All arrays are read-only.

    Hidden labels cannot be reached from it: they are never passed to it.

    Args:
        features: (n, d) floats, finite.
        probabilities: (n, c) floats, finite and non-negative.
        labels: (n,) integers; -1 where not labelled.
        images: (n, C, H, W) uint8, or a function from positions to images; only for acquisitions that look at them.
        dropout: function from a number of passes t to (t, n, c) probabilities with dropout on.
        positions: (n,) integers, where each example stands in its dataset; None: as here.
        affinity: gives the graph that the property of this name shows; None: computed from the features.
        shared_dropout: as ``dropout``, each pass dropping the same for all examples; None: ``dropout``.
        members: function from a number of models t, and whether each has its own draw of the labels, to (t, n, c)
            probabilities of models trained on their own; None: passes of ``dropout`` stand for them.
        head: gives the last layer of the model as a function of the features; None: there is none.

    Raises:
        InvalidInput: shapes that do not fit, values that are not finite, a label that is no class.
    """

    def __init__(
        self,
        features: ArrayLike,
        probabilities: ArrayLike,
        labels: ArrayLike,
        images: Images | Callable[[Ids], Images] | None = None,
        dropout: Callable[[int], Floats] | None = None,
        positions: ArrayLike | None = None,
        affinity: Callable[[], Any] | None = None,
        shared_dropout: Callable[[int], Floats] | None = None,
        members: Callable[[int, bool], Floats] | None = None,
        head: Callable[[], LinearHead | None] | None = None,
    ) -> None:
        self._features = _matrix("features", features)
        self._probabilities = _matrix("probabilities", probabilities)
        self._labels = _labels(labels, self._probabilities.shape[1])
        n = len(self._labels)
        self._positions = sealed(np.array(np.arange(n) if positions is None else positions, np.int64))
        lengths = {"features": len(self._features), "probabilities": len(self._probabilities)}
        for name, length in {**lengths, "positions": len(self._positions)}.items():
            if length != n:
                raise InvalidInput(f"{name} has {length} rows, labels has {n}", fix="give one row per example")
        if (self._probabilities < 0).any():
            row = int(np.nonzero((self._probabilities < 0).any(axis=1))[0][0])
            raise InvalidInput(f"probabilities has a negative value in row {row}")
        self._images, self._dropout, self._affinity = images, dropout, affinity
        self._shared_dropout, self._members, self._head = shared_dropout, members, head

    @property
    def features(self) -> Floats:
        """(n, d) float32."""
        return self._features

    @property
    def probabilities(self) -> Floats:
        """(n, c) float32."""
        return self._probabilities

    @property
    def labels(self) -> Ids:
        """(n,) int64, -1 where not labelled."""
        return self._labels

    @property
    def positions(self) -> Ids:
        """(n,) int64, where each example stands in its dataset: for looking up records of other runs.

        The order of a pool is drawn by the seed, so that a dataset stored class by class decides nothing.
        """
        return self._positions

    @cached_property
    def labelled(self) -> Ids:
        """Positions with a label, ascending, int64."""
        return sealed(np.flatnonzero(self._labels >= 0))

    @cached_property
    def unlabelled(self) -> Ids:
        """Positions without a label, ascending, int64."""
        return sealed(np.flatnonzero(self._labels < 0))

    @cached_property
    def affinity(self) -> Any:
        """The normalised reciprocal k-NN graph of the features (thesis 2.1-2.3): (n, n) sparse, k = 50, gamma = 3."""
        from harness.active.graphs import POOL_GRAPH, affinity

        return self._affinity() if self._affinity else affinity(self._features, *POOL_GRAPH)

    def dropout_probabilities(self, t: int) -> Floats:
        """(t, n, c) float32 of ``t`` passes with dropout on. Raises ``InvalidInput`` where there is no model."""
        if self._dropout is None:
            raise InvalidInput("this pool has no model", fix="give Pool(dropout=) a function of the number of passes")
        return self._dropout(t)

    def shared_dropout_probabilities(self, t: int) -> Floats:
        """As ``dropout_probabilities``, each pass dropping the same for all examples, so that they can be joined.

        Of a pool whose model is a function of the number of passes alone it is what that gives.
        """
        return self._shared_dropout(t) if self._shared_dropout else self.dropout_probabilities(t)

    def members(self, t: int, bootstrap: bool = False) -> Floats:
        """(t, n, c) float32 of ``t`` models, each trained from its own initial weights on the known labels.

        With ``bootstrap`` each has its own draw of the labels. Where a pool trains no models passes with dropout stand
        for them. Raises ``InvalidInput`` where there is no model at all.
        """
        return self._members(t, bootstrap) if self._members else self.dropout_probabilities(t)

    @cached_property
    def head(self) -> LinearHead | None:
        """The last layer as a function of ``features``: it gives ``probabilities``, to 1e-5; None if there is none."""
        return self._head() if self._head else None

    def images(self, indices: Ids) -> Images:
        """(b, C, H, W) uint8, a copy: it may be changed. Raises ``InvalidInput`` where there are none."""
        if self._images is None:
            raise InvalidInput("this pool has no images", fix="give Pool(images=) an array or a function of positions")
        return np.array(self._images(indices) if callable(self._images) else self._images[indices])


def _matrix(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.ndim != 2 or not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise InvalidInput(f"{name} should be floats of shape (examples, ...), not {array.dtype} {array.shape}")
    matrix = array.astype(np.float32)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise InvalidInput(f"{name} is not finite in row {int(np.argmin(finite))}")
    return sealed(matrix)


def _labels(values: ArrayLike, n_classes: int) -> Ids:
    array = np.asarray(values)
    if array.ndim != 1 or not (np.issubdtype(array.dtype, np.integer) or array.size == 0):
        raise InvalidInput(f"labels should be integers of shape (examples,), not {array.dtype} {array.shape}")
    if array.size and (array.min() < -1 or array.max() >= n_classes):
        row = int(np.nonzero((array < -1) | (array >= n_classes))[0][0])
        raise InvalidInput(f"labels[{row}] = {int(array[row])} should be -1 or a class below {n_classes}")
    return sealed(array.astype(np.int64))


def sealed(array: Array) -> Array:
    """The array as a read-only view, as is every view of it; nobody can make it writable again.

    An array that is part of a larger one is copied, so that it does not lead to the rest.
    """
    whole = array if getattr(array.base, "nbytes", array.nbytes) == array.nbytes else array.copy()
    view: Any = np.asarray(whole.data.toreadonly())
    return cast("Array", view)
