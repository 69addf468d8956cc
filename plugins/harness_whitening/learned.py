"""The whitening that was published with a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge

from harness.core.errors import InvalidInput
from harness.data.checkpoint import checked_sum, read_checkpoint
from harness_whitening.linear import LinearWhitening, rank, require_descriptors

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Learned:
    """Whitening stored in a checkpoint; nothing is learnt from the dataset (Radenovic et al. 2018, cirtorch).

    Formula:
        y = P (x - m), then y / |y|, P and m from the file

    Attributes:
        weights: path of the checkpoint.
        checksum: its SHA-256; filled in from the file where it is not given, so that the content of the file is a part
            of every key.
        kind: ``layer``, the whitening layer of the network (applied here once, after the scales are combined; the
            released code applies it to each scale), or the supervised whitening learnt afterwards from descriptors of
            one scale, ``ss``, or several, ``ms``.
        training_set: name of the set from which ``ss`` and ``ms`` were learnt.
        dim: dimensions kept; 0 keeps all.
    """

    weights: Path
    checksum: str = ""
    kind: Literal["layer", "ss", "ms"] = "ms"
    training_set: str = "retrieval-SfM-120k"  # cirtorch, test.py
    dim: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))

    def fit(self, descriptors: NDArray[np.float32], pairs: NDArray[np.int64] | None = None) -> LinearWhitening:
        """The stored whitening; descriptors (n, D) float32 only have to fit it.

        Raises:
            InvalidInput: the checkpoint has no such whitening, or one of another dimension.
            DataMissing, DataDamaged: the checkpoint cannot be read.
        """
        require_descriptors(descriptors, self.dim)
        mean, projection = self._stored()
        if projection.shape[1] != descriptors.shape[1] or len(mean) != descriptors.shape[1]:
            raise InvalidInput(
                f"the whitening of {self.weights} takes {projection.shape[1]} dimensions, not {descriptors.shape[1]}",
                fix="the backbone and pooling of that checkpoint",
            )
        kept = projection[: self.dim or None]
        return LinearWhitening(mean, kept, rank(kept))

    def _stored(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean (D,) and projection (d, D)."""
        checkpoint = read_checkpoint(self.weights, self.checksum)
        if self.kind == "layer":
            if checkpoint.layer is None:
                raise InvalidInput(f"{self.weights} has no whitening layer", fix="kind: ss or ms")
            weight, bias = checkpoint.layer
            # W x + b = W (x - m): the layer as centring and projecting.
            return -np.asarray(np.linalg.lstsq(weight, bias, rcond=None)[0], np.float64), weight
        projections = checkpoint.projections.get(self.training_set, {})
        if self.kind not in projections:
            names = ", ".join(checkpoint.projections) or "none"
            raise InvalidInput(f"{self.weights} has no whitening {self.kind} of {self.training_set}; it has: {names}")
        return projections[self.kind]
