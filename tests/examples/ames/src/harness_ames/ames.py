"""Re-ranking by a transformer that sees the local features of two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Interval

from harness.core.errors import InvalidInput
from harness.data.checkpoint import checked_sum, network_of
from harness.plugin_api import ORDERING

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness_ames.network import Detector, Network

    Floats = NDArray[np.float32]
    Features = NDArray[np.float16]

_PAIRS = 16
"""Images compared with a query at once."""
_FORM = "a state dict of AMES; the page of the package says how to convert a published file"


@dataclass(frozen=True)
class AMES:
    """A transformer compares the local features of two images; mixed with the similarity before (Suma et al. 2024).

    Features are the cells of the maps of all scales with the largest weight: the length of a cell, or what a detector
    says. Positions are not used. Time O((q + t)^2 d) a pair and layer, of q and t features.

    Formula:
        score = mix_weight g + (1 - mix_weight) sigmoid(temperature r)
        r what the network says of a pair, g the similarity of the ranking before

    Attributes:
        weights: the path of a state dict of the network; real or binary, of any size.
        checksum: SHA-256 of that file; filled in from the file where it is not given.
        detector: the path of a state dict of the detector; empty: cells weigh their length.
        detector_checksum: SHA-256 of that file; filled in likewise.
        top: number of images that are re-ranked.
        query_features: local features of a query, at most.
        image_features: local features of an image of the database, at most.
        heads: of each attention; the file does not say.
        mix_weight: share of the similarity.
        temperature: factor of what the network says.
    """

    weights: Path
    checksum: str = ""
    detector: Literal[""] | Path = ""
    detector_checksum: str = ""
    top: Annotated[int, Gt(0)] = 100  # Suma et al. 2024
    query_features: Annotated[int, Gt(0)] = 600  # Suma et al. 2024, released code
    image_features: Annotated[int, Gt(0)] = 50  # Suma et al. 2024, released code
    heads: Annotated[int, Gt(0)] = 2  # Suma et al. 2024, released code
    mix_weight: Annotated[float, Interval(ge=0, le=1)] = field(default=0.55, metadata=ORDERING)  # released: DINOv2
    temperature: Annotated[float, Gt(0)] = field(default=0.3, metadata=ORDERING)  # released code, for DINOv2

    takes_signed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))
        if self.detector:
            object.__setattr__(self, "detector_checksum", checked_sum(self.detector, self.detector_checksum))

    def describe(self, maps: Sequence[Tensor], role: Literal["database", "query"]) -> Features:
        """(m, d) float16: the features with the largest weights, largest first; equal ones in the order of cells.

        Raises:
            DataMissing: there is no such file.
            DataDamaged: it does not hold what it should.
        """
        import torch

        detector = _detector(self.detector, self.detector_checksum) if self.detector else None
        most = self.query_features if role == "query" else self.image_features
        with torch.inference_mode():
            parts = [detector(scale) if detector else (scale, scale.norm(dim=0)) for scale in maps]
            rows = torch.cat([features.flatten(1).T for features, _ in parts])
            weights = torch.cat([weights.flatten() for _, weights in parts])
            best = torch.argsort(weights, descending=True, stable=True)[:most]
            return np.asarray(torch.nn.functional.normalize(rows[best], dim=-1).half().numpy())

    def score(self, query: Features, candidates: Sequence[Features]) -> Floats:
        """(len(candidates),) float32 logits.

        Raises:
            InvalidInput: features are not as wide as those of the network.
            DataMissing: there is no such file.
            DataDamaged: it does not hold what it should.
        """
        import torch

        network = _network(self.weights, self.checksum, self.heads)
        if query.shape[1] != network.width:
            raise InvalidInput(
                f"ames compares features of {network.width} dimensions, the maps have {query.shape[1]}",
                fix="the backbone and its stage that the checkpoint was trained on",
            )
        logits = np.empty(len(candidates), np.float32)
        with torch.inference_mode():
            for start in range(0, len(candidates), _PAIRS):
                some = candidates[start : start + _PAIRS]
                images, padding = padded(some)
                own = torch.from_numpy(query.astype(np.float32)).expand(len(some), -1, -1)
                none = torch.zeros(own.shape[:2], dtype=torch.bool)
                logits[start : start + _PAIRS] = network(own, none, images, padding)
        return logits

    def verified(self, scores: Floats) -> Floats:
        """How surely each pair matches, (k,) float32; 0 where it rather does not."""
        return (self._shares(scores) * (scores > 0)).astype(np.float32)

    def order(self, similarities: Floats, scores: Floats) -> Floats:
        """What the top is ordered by, (k,) float32, from its similarities and what ``score`` returned, (k,) each."""
        mixed = self.mix_weight * similarities + (1 - self.mix_weight) * self._shares(scores)
        return mixed.astype(np.float32)

    def pack(self, features: Features) -> Mapping[str, NDArray[Any]]:
        """What is stored of an image as arrays."""
        return {"features": features}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Features:
        """The inverse of ``pack``."""
        return arrays["features"]

    def _shares(self, scores: Floats) -> NDArray[np.float64]:
        from scipy.special import expit

        shares: NDArray[np.float64] = expit(self.temperature * scores.astype(np.float64))
        return shares


def padded(features: Sequence[Features]) -> tuple[Tensor, Tensor]:
    """Features (n, t, d) float32 of several images, and which rows are padding, (n, t) bool."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    rows = pad_sequence([torch.from_numpy(own.astype(np.float32)) for own in features], batch_first=True)
    return rows, torch.arange(rows.shape[1]) >= torch.tensor([len(own) for own in features])[:, None]


@lru_cache(maxsize=2)
def _network(weights: Path, checksum: str, heads: int) -> Network:
    from harness_ames.network import Network

    return network_of(weights, checksum, lambda state: Network.shaped(state, heads), what="network of AMES", fix=_FORM)


@lru_cache(maxsize=2)
def _detector(weights: Path, checksum: str) -> Detector:
    from harness_ames.network import Detector

    return network_of(weights, checksum, Detector.shaped, what="detector of AMES", fix=_FORM)
